// What is made in a directory stays in it.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/fd.h"
#include "child/child.h"

namespace immure::child {
namespace {

namespace fs = std::filesystem;

class Made : public testing::Test {
 protected:
  Made() : base_(fs::path(testing::TempDir()) / ("made-" + std::to_string(getpid()))) {
    fs::create_directories(base_ / "jail/inside");
    fs::create_directories(base_ / "outside");
    fs::create_symlink(base_ / "outside", base_ / "jail/absolute");
    fs::create_symlink("../outside", base_ / "jail/relative");
    fs::create_symlink("inside", base_ / "jail/beside");
    fs::create_symlink("/proc/self/cwd", base_ / "jail/magic");
    dir_.reset(open((base_ / "jail").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~Made() override { fs::remove_all(base_); }

  // 0, or the errno of the step.
  int make(Op op, const std::string& path, int8_t slot = 0) {
    Step step{};
    step.op = op;
    step.side = Side::Parent;
    step.a = slot;
    step.x = op == Op::MakeNode ? 0600 : 0755;
    step.y = op == Op::MakeNode ? 0x103 : 0;
    std::string arena = std::string(1, '\0') + path + '\0';
    step.s = 1;
    View view;
    for (int& fd : view.fds) fd = -1;
    view.fds[0] = dir_.get();
    view.steps = &step;
    view.step_count = 1;
    view.arena = arena.c_str();
    return run_steps(view, Side::Parent);
  }
  bool is_there(const std::string& path) const { return fs::exists(fs::symlink_status(base_ / path)); }

  fs::path base_;
  UniqueFd dir_;
};

constexpr Op kMakers[] = {Op::MakeDir, Op::MakeFile, Op::MakeLink, Op::MakeNode};

TEST_F(Made, WhereItIsSaid) {
  for (Op op : {Op::MakeDir, Op::MakeFile, Op::MakeLink}) {
    const std::string name = "new" + std::to_string(static_cast<int>(op));
    EXPECT_EQ(make(op, name), op == Op::MakeLink ? ENOENT : 0) << "a link to nothing is none";
    EXPECT_EQ(make(op, "inside/" + name), op == Op::MakeLink ? ENOENT : 0);
    if (op == Op::MakeLink) continue;
    EXPECT_TRUE(is_there("jail/" + name) && is_there("jail/inside/" + name));
    EXPECT_EQ(make(op, "inside/" + name), op == Op::MakeDir ? 0 : EEXIST);
  }
  EXPECT_EQ(make(Op::MakeDir, "missing/x"), ENOENT);
}

TEST_F(Made, BelowItsDirectoryWhateverALinkSays_S16) {
  for (Op op : kMakers)
    for (const char* link : {"absolute", "relative", "magic", "inside/../../outside"}) {
      EXPECT_NE(make(op, std::string(link) + "/planted"), 0) << link;
      EXPECT_FALSE(is_there("outside/planted") || fs::exists("planted")) << link;
    }
  EXPECT_EQ(make(Op::MakeDir, "beside/planted"), 0);
  EXPECT_TRUE(is_there("jail/inside/planted"));
}

// AT_FDCWD, or a slot that nothing was put into.
TEST_F(Made, NeverInTheCallersDirectory) {
  for (Op op : kMakers)
    for (const int8_t slot : {int8_t{-1}, int8_t{1}}) EXPECT_EQ(make(op, "planted", slot), EBADF);
  EXPECT_FALSE(fs::exists("planted"));
}

}  // namespace
}  // namespace immure::child

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "cli/inspect.h"
#include "kernel/capabilities.h"

namespace immure::cli {
using namespace audit;
namespace {

const FdView* find(const Inspection& p, int number) {
  if (!p.fds) return nullptr;
  for (const FdView& fd : *p.fds)
    if (fd.number == number) return &fd;
  return nullptr;
}

// Descriptors are opened in this process, so that the numbers are known; all are closed at the end.
class InspectTest : public testing::Test {
 protected:
  void TearDown() override {
    for (int fd : fds_) close(fd);
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }
  int keep(int fd) {
    EXPECT_GE(fd, 0);
    fds_.push_back(fd);
    return fd;
  }
  // A child that does `prepare`, says so, and waits. false: prepare failed (its errno is errno then).
  template <class F>
  bool start(F prepare) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    child_ = fork();
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      int error = prepare() ? 0 : errno;
      if (write(ready[1], &error, sizeof error) != sizeof error) _exit(1);
      for (;;) pause();
    }
    close(ready[1]);
    int error = -1;
    if (read(ready[0], &error, sizeof error) != sizeof error) error = EIO;
    close(ready[0]);
    errno = error;
    return error == 0;
  }
  std::vector<int> fds_;
  pid_t child_ = -1;
};

TEST_F(InspectTest, LinksByTheirText) {
  EXPECT_EQ(kind_of_link("pipe:[123]"), FdKind::Pipe);
  EXPECT_EQ(kind_of_link("socket:[123]"), FdKind::Socket);
  EXPECT_EQ(kind_of_link("anon_inode:[eventfd]"), FdKind::Anonymous);
  EXPECT_EQ(kind_of_link("anon_inode:inotify"), FdKind::Anonymous);
  EXPECT_EQ(kind_of_link("/memfd:x (deleted)"), FdKind::Memfd);
  EXPECT_EQ(kind_of_link("mnt:[4026531832]"), FdKind::Namespace);
  // Files may have such names; only the kernel's own links have no slash before them.
  EXPECT_EQ(kind_of_link("/pipe:[123]"), FdKind::Unknown);
  EXPECT_EQ(kind_of_link("/memfd:x"), FdKind::Unknown);
  EXPECT_EQ(kind_of_link("mnt"), FdKind::Unknown);
  EXPECT_EQ(kind_of_link(""), FdKind::Unknown);
}

// (S41) A text prefix is no boundary: /jail2 is not in /jail.
TEST_F(InspectTest, BelowMeansWholeComponents) {
  EXPECT_TRUE(is_below("/jail", "/jail"));
  EXPECT_TRUE(is_below("/jail/secret", "/jail"));
  EXPECT_FALSE(is_below("/jail2/secret", "/jail"));
  EXPECT_FALSE(is_below("/jai", "/jail"));
  EXPECT_TRUE(is_below("/anything", "/"));
  EXPECT_FALSE(is_below("pipe:[1]", "/"));
  EXPECT_FALSE(is_below("/x", ""));
}

TEST_F(InspectTest, DescriptorsAreTold) {
  int dir = keep(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int path = keep(open("/", O_PATH));
  int null = keep(open("/dev/null", O_WRONLY));
  int event = keep(eventfd(7, 0));
  int memory = keep(memfd_create("immure", 0));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  keep(ends[0]);
  keep(ends[1]);
  char name[] = "/tmp/immure-inspect-XXXXXX";
  int gone = keep(mkstemp(name));
  unlink(name);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  keep(pair[0]);
  keep(pair[1]);
  int ns = keep(open("/proc/self/ns/uts", O_RDONLY));

  auto p = look_at_process(getpid());
  ASSERT_TRUE(p);
  ASSERT_TRUE(p->fds);
  ASSERT_NE(find(*p, dir), nullptr);
  EXPECT_EQ(find(*p, dir)->kind, FdKind::Directory);
  EXPECT_EQ(find(*p, dir)->where, Where::Inside);
  EXPECT_TRUE(find(*p, dir)->close_on_exec);
  EXPECT_FALSE(find(*p, dir)->path_only);
  EXPECT_TRUE(find(*p, path)->path_only);
  EXPECT_FALSE(find(*p, path)->close_on_exec);
  EXPECT_EQ(find(*p, null)->kind, FdKind::CharDevice);
  EXPECT_NE(find(*p, null)->note.find("1:3"), std::string::npos);
  EXPECT_TRUE(find(*p, null)->writable);
  EXPECT_FALSE(find(*p, null)->readable);
  EXPECT_EQ(find(*p, event)->kind, FdKind::Anonymous);
  EXPECT_NE(find(*p, event)->note.find("eventfd-count"), std::string::npos);
  EXPECT_EQ(find(*p, memory)->kind, FdKind::Memfd);
  EXPECT_EQ(find(*p, ends[0])->kind, FdKind::Pipe);
  EXPECT_TRUE(find(*p, gone)->deleted);
  EXPECT_EQ(find(*p, gone)->target, name);
  EXPECT_EQ(find(*p, pair[0])->kind, FdKind::Socket);
  EXPECT_EQ(find(*p, pair[0])->where, Where::Inside);
  EXPECT_EQ(find(*p, pair[0])->target, "unix");
  EXPECT_EQ(find(*p, ns)->kind, FdKind::Namespace);
}

TEST_F(InspectTest, AFileThatIsCalledDeletedIsNot) {
  std::string name = "/tmp/immure-" + std::to_string(getpid()) + " (deleted)";
  int fd = keep(open(name.c_str(), O_CREAT | O_RDWR, 0600));
  auto p = look_at_process(getpid());
  unlink(name.c_str());
  ASSERT_TRUE(p);
  ASSERT_NE(find(*p, fd), nullptr);
  EXPECT_FALSE(find(*p, fd)->deleted);
  EXPECT_EQ(find(*p, fd)->target, name);
}

TEST_F(InspectTest, TheCallerKnowsItsOwnSecrets) {
  auto p = look_at_process(getpid());
  ASSERT_TRUE(p);
  EXPECT_EQ(p->securebits, prctl(PR_GET_SECUREBITS));
  EXPECT_GE(p->parent_death_signal, 0);
  EXPECT_EQ(p->namespaces.size(), 8u);
  for (const NamespaceView& ns : p->namespaces) {
    EXPECT_NE(ns.inode, 0u) << ns.kind;
    EXPECT_NE(ns.whose, Whose::Own) << "the caller's namespaces are the caller's";
  }
  CapabilitySets own = own_capabilities().value();
  EXPECT_EQ(p->status.cap_effective, own.effective);
  ASSERT_TRUE(p->rlimits);
  EXPECT_EQ(p->rlimits->size(), 16u);
  EXPECT_TRUE(p->mounts && !p->mounts->empty());
  EXPECT_EQ(p->places.size(), 3u);
}

// (S79) A namespace of its own is told from the host's, one by one.
TEST_F(InspectTest, OwnNamespacesAreTold) {
  if (!start([] { return unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0; }))
    GTEST_SKIP() << "no user namespace here";
  auto p = look_at_process(child_);
  ASSERT_TRUE(p);
  for (const NamespaceView& ns : p->namespaces) {
    bool own = ns.kind == "user" || ns.kind == "uts";
    EXPECT_EQ(ns.whose == Whose::Own, own) << ns.kind;
  }
  EXPECT_EQ(p->securebits, -1) << "not known of others";
  ASSERT_TRUE(p->uid_map);
  EXPECT_TRUE(p->uid_map->empty());
}

// (S35, S41) A directory that was opened before the mounts were changed leads out of the new view.
TEST_F(InspectTest, ALeakedDirectoryIsOutside) {
  int leak = keep(open("/", O_RDONLY | O_DIRECTORY));
  bool made = start([] { return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0; });
  if (!made) GTEST_SKIP() << "no user namespace here";
  auto p = look_at_process(child_);
  ASSERT_TRUE(p);
  ASSERT_NE(find(*p, leak), nullptr);
  EXPECT_EQ(find(*p, leak)->kind, FdKind::Directory);
  EXPECT_EQ(find(*p, leak)->where, Where::Outside);
  ASSERT_EQ(p->places.size(), 3u);
  EXPECT_EQ(p->places[1].where, Where::Inside) << "its root moved with it";
  std::string text = inspect_text(*p, false);
  EXPECT_NE(text.find("lead outside"), std::string::npos);
  EXPECT_NE(text.find("fchdir"), std::string::npos);
}

// (S1, S9) In a plain chroot inside and outside share one mount: the path must decide.
TEST_F(InspectTest, AChrootIsSeenThrough) {
  if (geteuid() != 0) GTEST_SKIP() << "chroot(2) needs root";
  int inside = keep(open("/usr/share", O_RDONLY | O_DIRECTORY));
  int outside = keep(open("/etc/passwd", O_RDONLY));
  struct stat usr {
  }, etc{};
  ASSERT_EQ(stat("/usr", &usr), 0);
  ASSERT_EQ(fstat(outside, &etc), 0);
  if (usr.st_dev != etc.st_dev) GTEST_SKIP() << "/usr is a mount of its own here";
  if (!start([] { return chroot("/usr") == 0; })) GTEST_SKIP() << "chroot(2) is refused here";
  auto p = look_at_process(child_);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->places[1].target, "/usr");
  EXPECT_EQ(find(*p, inside)->where, Where::Inside);
  EXPECT_EQ(find(*p, outside)->where, Where::Outside);
}

TEST_F(InspectTest, PrivilegeIsDecoded_S66) {
  if (!start([] { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0; })) GTEST_FAIL();
  auto p = look_at_process(child_);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->status.no_new_privs, 1);
  EXPECT_EQ(p->status.seccomp, look_at_process(getpid())->status.seccomp);
  EXPECT_NE(inspect_text(*p, false).find("no_new_privs    yes"), std::string::npos);
}

TEST_F(InspectTest, JsonIsOneDocumentAndKnowsNullFromNought) {
  int dir = keep(open("/", O_RDONLY | O_DIRECTORY));
  if (!start([] { return true; })) GTEST_FAIL();
  auto p = look_at_process(child_);
  ASSERT_TRUE(p);
  auto json = nlohmann::json::parse(inspect_json(*p));
  EXPECT_EQ(json["schema"], "immure.inspect/1");
  EXPECT_EQ(json["pid"], child_);
  EXPECT_TRUE(json["securebits"].is_null());
  EXPECT_EQ(json["uid"]["effective"], geteuid());
  EXPECT_EQ(json["namespaces"].size(), 8u);
  bool found = false;
  for (const auto& fd : json["descriptors"]) found |= fd["number"] == dir && fd["kind"] == "directory";
  EXPECT_TRUE(found);
}

TEST_F(InspectTest, NoSuchProcess) {
  auto p = look_at_process(0x7ffffff0);
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error().code, Code::kNoJail);
  EXPECT_EQ(p.error().sys_errno, ENOENT);
  for (std::string bad : {"", "0", "-1", "99999999999"}) {
    char* args[] = {bad.data()};
    auto result = inspect(args);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, Code::kUsage) << bad;
  }
  char name[] = "no-such-jail";
  char* args[] = {name};
  auto result = inspect(args);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kNoJail);
}

// A kernel thread or another user's process: what cannot be read is said to be so, and nothing fails.
TEST_F(InspectTest, WhatCannotBeReadIsNotNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  if (!start([] { return true; })) GTEST_FAIL();
  ASSERT_EQ(seteuid(65534), 0);
  auto p = look_at_process(child_);
  ASSERT_EQ(seteuid(0), 0);
  ASSERT_TRUE(p);
  EXPECT_FALSE(p->fds);
  std::string text = inspect_text(*p, false);
  EXPECT_NE(text.find("not readable for this caller"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(inspect_json(*p))["descriptors"].is_null());
}

}  // namespace
}  // namespace immure::cli

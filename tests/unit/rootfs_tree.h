// A small tree to take files from, a folder to build in, and the collection that a collector would have made
// of it; for the tests of the writer, of manifests and of upkeep.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "rootfs/collection.h"
#include "rootfs/manifest.h"
#include "rootfs/source.h"
#include "rootfs/upkeep.h"
#include "rootfs/writer.h"

namespace immure::rootfs {

inline void put_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

inline std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline struct stat stat_at(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(lstat(path.c_str(), &st), 0) << path;
  return st;
}

// Sorted.
inline std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// In a process of its own; what fails there fails here.
inline pid_t start(const std::function<void()>& body) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  body();
  fflush(nullptr);
  _exit(testing::Test::HasFailure() ? 1 : 0);
}
inline int end_of(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}
inline void apart(const std::function<void()>& body) { EXPECT_EQ(end_of(start(body)), 0); }

// The same as a user without any right, when the tests run as root. `folder` becomes that user's.
inline void as_user(const std::string& folder, const std::function<void()>& body) {
  constexpr uid_t kUser = 54321;
  if (geteuid() != 0) return body();
  EXPECT_EQ(chmod(folder.c_str(), 0755), 0);
  EXPECT_EQ(lchown(folder.c_str(), kUser, kUser), 0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    EXPECT_EQ(lchown(entry.path().c_str(), kUser, kUser), 0);
  apart([&] {
    ASSERT_EQ(setgroups(0, nullptr), 0);
    ASSERT_EQ(setresgid(kUser, kUser, kUser), 0);
    ASSERT_EQ(setresuid(kUser, kUser, kUser), 0);
    body();
  });
}

// With mounts that nobody else sees; root's.
inline void with_own_mounts(const std::function<void()>& body) {
  apart([&] {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    body();
  });
}

// Where a folder costs nothing.
inline std::string in_memory() { return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; }

struct RootTest : testing::Test {
  virtual std::string folder() const { return "/tmp"; }
  void SetUp() override {
    std::string pattern = folder() + "/immure-rootfs-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    top = pattern;
    from = top + "/from";
    at = top + "/at";
    root = at + "/root";
    std::filesystem::create_directories(from + "/usr/bin");
    std::filesystem::create_directories(from + "/usr/lib");
    std::filesystem::create_directory(at);
    put_text(from + "/usr/bin/tool", "the tool");
    put_text(from + "/usr/lib/part", std::string(300'000, 'p'));
    chmod((from + "/usr/bin/tool").c_str(), 04775);
    chmod((from + "/usr/lib/part").c_str(), 0666);
  }
  void TearDown() override {
    // The library's own runs out of descriptors in deep trees, and leaves them.
    const std::filesystem::path path = top;
    UniqueFd above(open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (top.empty() || !above) return;
    auto removed = remove_tree(above.get(), path.filename());
    EXPECT_TRUE(removed) << format(removed.error());
  }

  Source source() const { return Source::open(from).value(); }

  Entry entry(Entry::Kind kind, const std::string& path, uint32_t mode = 0755) const {
    Entry made;
    made.kind = kind;
    made.path = path;
    made.mode = mode;
    made.reasons = {{Because::Named, kNobody, {}}};
    return made;
  }
  Entry file(const std::string& path) const {
    Entry made = entry(Entry::Kind::File, path);
    made.source = path;
    auto trail = source().walk(path);
    EXPECT_TRUE(trail) << path;
    if (!trail) return made;
    made.look = trail->look;
    made.mode = trail->look.mode;
    return made;
  }
  Entry link(const std::string& path, const std::string& target) const {
    Entry made = entry(Entry::Kind::Link, path, 0777);
    made.text = target;
    return made;
  }
  Entry text(const std::string& path, const std::string& content, uint32_t mode = 0644) const {
    Entry made = entry(Entry::Kind::Made, path, mode);
    made.text = content;
    return made;
  }
  Entry device(const std::string& path, uint64_t major, uint64_t minor) const {
    Entry made = entry(Entry::Kind::Device, path, 0666);
    made.rdev = major << 32 | minor;
    return made;
  }
  Entry state(const std::string& path, const std::string& owner = {}) const {
    Entry made = entry(Entry::Kind::Directory, path, 0750);
    made.state = true;
    made.owner = owner;
    return made;
  }

  // One of each.
  Collection collection() const {
    Collection all;
    all.put(file("/usr/bin/tool"));
    Entry part = file("/usr/lib/part");
    part.reasons = {{Because::Needed, 0, "part"}};
    all.put(std::move(part));
    all.put(link("/bin", "usr/bin"));
    all.put(
        text("/etc/passwd", "root:x:0:0::/root:/bin/sh\nservice:x:4711:4712::/var/lib/service:/bin/sh\n"));
    all.put(device("/dev/null", 1, 3));
    all.put(state("/var/lib/service", "service"));
    all.put(entry(Entry::Kind::Directory, "/tmp", 01777));
    return all;
  }

  // Not waiting for the disk, but where a test is about that.
  Result<Written> write(const Collection& what, WriteOptions options = {}) const {
    options.recipe.source_root = from;
    options.durable = false;
    return write_root(what, source(), root, options);
  }
  Written written(WriteOptions options = {}) const {
    auto done = write(collection(), options);
    EXPECT_TRUE(done) << format(done.error());
    return done ? std::move(*done) : Written{};
  }

  std::string top, from, at, root;
};

}  // namespace immure::rootfs

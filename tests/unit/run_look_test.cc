// The look through a root for names of files that also have names outside it.
#include "run/look.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "run/root_manifest.h"

namespace immure::run {
namespace {

class LookTest : public testing::Test {
 protected:
  LookTest() {
    char name[] = "/tmp/immure-look.XXXXXX";
    top_ = mkdtemp(name);
    root_ = top_ + "/root";
    mkdir(root_.c_str(), 0755);
    mkdir((root_ + "/a").c_str(), 0755);
    mkdir((root_ + "/a/b").c_str(), 0755);
    std::ofstream(top_ + "/outside") << "x";
    std::ofstream(root_ + "/inside") << "x";
  }
  ~LookTest() override { std::system(("rm -rf " + top_).c_str()); }

  Status look() { return look_for_outside_links(tree()); }
  Tree tree() const {
    struct stat st {};
    stat(root_.c_str(), &st);
    return {root_, uint64_t{gnu_dev_major(st.st_dev)} << 32 | gnu_dev_minor(st.st_dev), st.st_ino};
  }
  Status look_at(ino_t inode) {
    Tree other = tree();
    other.inode = inode;
    return look_for_outside_links(other);
  }

  Status look_again(std::string_view remembered, std::string* to_remember = nullptr) {
    return look_for_outside_links(tree(), remembered, to_remember);
  }
  // Once the directories are old enough to be remembered.
  std::string settled_manifest() {
    std::string manifest;
    for (int tenths = 0; tenths < 60 && manifest.empty(); tenths++) {
      usleep(100'000);
      EXPECT_TRUE(look_again({}, &manifest));
    }
    return manifest;
  }

  std::string top_, root_;
};

TEST_F(LookTest, FindsALinkHoweverDeep_S46_S48) {
  EXPECT_TRUE(look());
  ASSERT_EQ(link((top_ + "/outside").c_str(), (root_ + "/a/b/c").c_str()), 0);
  Status found = look();
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().why.find("/a/b/c"), std::string::npos);
}

TEST_F(LookTest, CountsLinksWithinTheRootAsTheRootsOwn) {
  ASSERT_EQ(link((root_ + "/inside").c_str(), (root_ + "/a/b/c").c_str()), 0);
  EXPECT_TRUE(look());
  ASSERT_EQ(link((root_ + "/inside").c_str(), (top_ + "/too").c_str()), 0);
  EXPECT_FALSE(look());
}

TEST_F(LookTest, IsOfTheDirectoryThatWasPlanned) {
  struct stat st {};
  stat(root_.c_str(), &st);
  Status exchanged = look_at(st.st_ino + 1);
  ASSERT_FALSE(exchanged);
  EXPECT_NE(exchanged.error().what.find("another one"), std::string::npos);
}

// A root is shown without what is mounted in it, so that is no cover.
TEST_F(LookTest, SeesWhatAMountHides_S46) {
  const std::string dir = root_ + "/a", file = root_ + "/inside";
  auto found_below = [&](const std::string& cover, const std::string& place) {
    pid_t child = fork();
    if (child == 0) {
      if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(2);
      if (mount(cover.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0) _exit(2);
      std::string manifest;
      _exit(look_again({}, &manifest) && manifest.empty() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  const std::string other = top_ + "/cover";
  mkdir(other.c_str(), 0755);
  std::ofstream(top_ + "/cover-file") << "x";
  usleep(2'100'000);   // old enough to be remembered, were it not for the mount
  int control = found_below(other, dir);
  if (control == 2) GTEST_SKIP() << "needs a mount namespace";
  EXPECT_EQ(control, 0);
  EXPECT_EQ(found_below(top_ + "/cover-file", file), 0);
  ASSERT_EQ(link((top_ + "/outside").c_str(), (dir + "/b/c").c_str()), 0);
  EXPECT_EQ(found_below(other, dir), 1);
  ASSERT_EQ(unlink((dir + "/b/c").c_str()), 0);
  ASSERT_EQ(link(file.c_str(), (top_ + "/too").c_str()), 0);
  EXPECT_EQ(found_below(top_ + "/cover-file", file), 1);
}

// A name that is known is enough where a directory may be passed; who may not even pass finds nothing behind it.
TEST_F(LookTest, ADirectoryThatMayBePassedMustBeRead_S48) {
  const std::string closed = root_ + "/a/b";
  bool root = geteuid() == 0;   // who may read everything looks as somebody who may not
  chmod(top_.c_str(), 0755);
  auto look_with = [&](mode_t mode) {
    EXPECT_EQ(chmod(closed.c_str(), mode), 0);
    EXPECT_TRUE(!root || seteuid(65534) == 0);
    Status found = look();
    EXPECT_TRUE(!root || seteuid(0) == 0);
    return found;
  };
  Status passable = look_with(0111), shut = look_with(0000);
  chmod(closed.c_str(), 0755);
  ASSERT_FALSE(passable);
  EXPECT_NE(passable.error().why.find("/a/b"), std::string::npos) << passable.error().why;
  EXPECT_TRUE(shut) << shut.error().why;
}

TEST_F(LookTest, IsNotRememberedOfDirectoriesThatHaveJustChanged_S46) {
  std::string manifest;
  EXPECT_TRUE(look_again({}, &manifest));
  EXPECT_EQ(manifest, "");
}

TEST_F(LookTest, IsSparedWhileNoDirectoryHasChanged_S46) {
  std::string manifest = settled_manifest();
  ASSERT_NE(manifest, "");
  // A look would refuse this one: that it passes shows that none was taken. The file was the root's before.
  ASSERT_EQ(link((root_ + "/inside").c_str(), (top_ + "/too").c_str()), 0);
  EXPECT_FALSE(look());
  EXPECT_TRUE(look_again(manifest));
  unlink((top_ + "/too").c_str());

  ASSERT_EQ(link((top_ + "/outside").c_str(), (root_ + "/a/b/c").c_str()), 0);
  Status found = look_again(manifest);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().why.find("/a/b/c"), std::string::npos);
}

TEST_F(LookTest, ADirectoryThatIsExchangedOrGoneIsLookedAtAgain_S46) {
  std::string manifest = settled_manifest();
  ASSERT_EQ(link((top_ + "/outside").c_str(), (top_ + "/held").c_str()), 0);
  mkdir((top_ + "/b").c_str(), 0755);
  ASSERT_EQ(rename((top_ + "/held").c_str(), (top_ + "/b/held").c_str()), 0);
  ASSERT_EQ(rename((root_ + "/a/b").c_str(), (top_ + "/old").c_str()), 0);
  EXPECT_TRUE(look_again(manifest));
  ASSERT_EQ(rename((top_ + "/b").c_str(), (root_ + "/a/b").c_str()), 0);
  EXPECT_FALSE(look_again(manifest));
}

TEST_F(LookTest, ManifestsAreFewAndOfOneRootEach) {
  std::set<std::string> places;
  for (uint64_t inode = 0; inode < 1000; inode++) places.insert(manifest_path("/state", 7, inode));
  EXPECT_LE(places.size(), 64u);
  std::string manifest = settled_manifest();
  ASSERT_NE(manifest, "");
  const std::string copy = top_ + "/copy";
  ASSERT_EQ(rename(root_.c_str(), copy.c_str()), 0);
  mkdir(root_.c_str(), 0755);
  mkdir((root_ + "/a").c_str(), 0755);
  ASSERT_EQ(link((top_ + "/outside").c_str(), (root_ + "/a/c").c_str()), 0);
  EXPECT_FALSE(look_again(manifest)) << "of another root at the same path";
}

TEST_F(LookTest, WhatIsNoManifestIsNotBelieved) {
  std::string manifest = settled_manifest();
  ASSERT_EQ(link((root_ + "/inside").c_str(), (top_ + "/too").c_str()), 0);
  EXPECT_TRUE(look_again(manifest));
  for (size_t length = 0; length < manifest.size(); length++)
    EXPECT_FALSE(look_again(std::string_view(manifest).substr(0, length))) << length;
  for (size_t at = 0; at < manifest.size(); at++) {
    std::string changed = manifest;
    changed[at] = static_cast<char>(changed[at] ^ 0x40);
    EXPECT_FALSE(look_again(changed)) << at;
  }
}

class OwnersPowerTest : public LookTest {
 protected:
  Status look_as_owner(const std::string& below = {}) {
    struct stat st {};
    stat((root_ + below).c_str(), &st);
    Tree folder = tree();
    folder.path += below;
    folder.inode = st.st_ino;
    folder.is_directory = S_ISDIR(st.st_mode);
    folder.written = true;
    folder.uid = geteuid();
    folder.gid = getegid();
    folder.kept = kept_;
    return look_for_owners_power(folder);
  }
  std::vector<Tree::Kept> kept_;
  // What is found says the name of the file.
  void expect_found(const std::string& name, const std::string& below = {}) {
    Status found = look_as_owner(below);
    ASSERT_FALSE(found) << name;
    EXPECT_NE(found.error().why.find(name), std::string::npos) << found.error().why;
  }
};

TEST_F(OwnersPowerTest, IsNotInAnOrdinaryFolder) { EXPECT_TRUE(look_as_owner()); }

// What the jail sees read-only cannot be rewritten: by its name and its inode, and not below another name.
TEST_F(OwnersPowerTest, IsNotLookedForInWhatIsKept) {
  std::ofstream(root_ + "/a/tool") << "x";
  ASSERT_EQ(chmod((root_ + "/a/tool").c_str(), 04700), 0);
  struct stat st {};
  ASSERT_EQ(stat((root_ + "/a").c_str(), &st), 0);
  uint64_t device = uint64_t{major(st.st_dev)} << 32 | minor(st.st_dev);
  kept_ = {{"/a", device, st.st_ino}};
  EXPECT_TRUE(look_as_owner());
  kept_ = {{"/b", device, st.st_ino}};
  expect_found("/a/tool");
  kept_ = {{"/a", device, st.st_ino + 1}};
  expect_found("/a/tool");
}

TEST_F(OwnersPowerTest, IsInASetIdFile_S55) {
  const std::string tool = root_ + "/a/tool";
  std::ofstream(tool) << "x";
  for (mode_t mode : {04700, 02750}) {
    ASSERT_EQ(chmod(tool.c_str(), mode), 0);
    expect_found("/a/tool");
  }
  ASSERT_EQ(chmod(tool.c_str(), 02640), 0);   // locks, no set-id bit: nobody runs it
  EXPECT_TRUE(look_as_owner());
  ASSERT_EQ(chmod(tool.c_str(), 0755), 0);
  EXPECT_TRUE(look_as_owner());
}

TEST_F(OwnersPowerTest, IsInAFileThatIsHandedInByItself_S55) {
  ASSERT_EQ(chmod((root_ + "/inside").c_str(), 04755), 0);
  Status found = look_as_owner("/inside");
  ASSERT_FALSE(found);
  ASSERT_EQ(chmod((root_ + "/inside").c_str(), 0755), 0);
  EXPECT_TRUE(look_as_owner("/inside"));
  ASSERT_EQ(link((root_ + "/inside").c_str(), (top_ + "/too").c_str()), 0);
  EXPECT_FALSE(look_as_owner("/inside"));
}

TEST_F(OwnersPowerTest, IsInANameOutside_S46) {
  ASSERT_EQ(link((top_ + "/outside").c_str(), (root_ + "/a/b/c").c_str()), 0);
  expect_found("/a/b/c");
}

TEST_F(OwnersPowerTest, OfOthersDoesNotMatter) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const std::string tool = root_ + "/a/tool";
  std::ofstream(tool) << "x";
  ASSERT_EQ(chown(tool.c_str(), 12345, 12345), 0);
  ASSERT_EQ(chmod(tool.c_str(), 04755), 0);
  EXPECT_TRUE(look_as_owner());
  ASSERT_EQ(chmod(tool.c_str(), 04757), 0);   // anybody may rewrite it
  EXPECT_FALSE(look_as_owner());
}

TEST_F(OwnersPowerTest, IsInAFileCapability_S55) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file a capability";
  const std::string tool = root_ + "/a/tool";
  std::ofstream(tool) << "x";
  ASSERT_EQ(chmod(tool.c_str(), 0755), 0);
  const unsigned char net_raw[20] = {0, 0, 0, 2, 0, 0x20};   // version 2, CAP_NET_RAW permitted
  ASSERT_EQ(setxattr(tool.c_str(), "security.capability", net_raw, sizeof net_raw, 0), 0);
  expect_found("/a/tool");
  // Deeper than any one call can name.
  const std::string name(200, 'd');
  int dir = open(root_.c_str(), O_PATH | O_CLOEXEC);
  for (int depth = 0; depth < 25; depth++) {
    ASSERT_EQ(mkdirat(dir, name.c_str(), 0755), 0);
    int next = openat(dir, name.c_str(), O_PATH | O_CLOEXEC);
    close(dir);
    dir = next;
  }
  ASSERT_EQ(renameat(AT_FDCWD, tool.c_str(), dir, "tool"), 0);
  close(dir);
  expect_found(name + "/tool");
}

}  // namespace
}  // namespace immure::run

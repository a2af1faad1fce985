// A collection becomes a tree: what is in it, whose it is, when it is refused, and that nothing is left of
// what fails.
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <csignal>
#include <thread>

#include "base/digest.h"
#include "base/text.h"
#include "rootfs/tree.h"
#include "rootfs/writer.h"
#include "rootfs_tree.h"

namespace immure::rootfs {
namespace {

using Names = std::vector<std::string>;
const Names kDone = {"root", "root.immure.json"};

struct WriterTest : RootTest {
  void nothing_left() const { EXPECT_EQ(names_in(at), Names{}); }
  void refused(const Result<Written>& done, Code code) const {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, code) << format(done.error());
    nothing_left();
  }
};

TEST_F(WriterTest, WritesWhatWasCollected) {
  const Written done = written();
  EXPECT_EQ(text_of(root + "/usr/bin/tool"), "the tool");
  EXPECT_EQ(text_of(root + "/usr/lib/part"), std::string(300'000, 'p'));
  EXPECT_EQ(std::filesystem::read_symlink(root + "/bin"), "usr/bin");
  EXPECT_TRUE(text_of(root + "/etc/passwd").starts_with("root:x:0:0"));
  EXPECT_EQ(done.files, 3U);
  EXPECT_EQ(done.bytes, 300'000U + 8 + text_of(root + "/etc/passwd").size());
  EXPECT_EQ(names_in(at), kDone);
  EXPECT_EQ(names_in(root), (Names{"bin", "dev", "etc", "tmp", "usr", "var"}));
}

TEST_F(WriterTest, TheManifestSaysWhatWasWritten) {
  const Written done = written();
  auto read = read_manifest(root);
  ASSERT_TRUE(read) << format(read.error());
  EXPECT_EQ(read->tree_digest, done.manifest.tree_digest);
  EXPECT_EQ(stat_at(manifest_path(root)).st_mode & 07777, 0600U);
  bool found = false;
  for (const ManifestEntry& entry : read->entries) {
    if (entry.path != "/usr/lib/part") continue;
    found = true;
    EXPECT_EQ(entry.digest, sha256(std::string(300'000, 'p')));
    EXPECT_EQ(entry.size, 300'000U);
    EXPECT_EQ(entry.mode, 0644U);
    EXPECT_EQ(entry.inode, stat_at(from + "/usr/lib/part").st_ino);
    ASSERT_EQ(entry.reasons.size(), 1U);
    EXPECT_EQ(read->entries.at(entry.reasons[0].by).path, "/usr/bin/tool");
  }
  EXPECT_TRUE(found);
}

TEST_F(WriterTest, ManyFilesByManyThreads) {
  Collection all;
  for (int at_file = 0; at_file < 500; ++at_file) {
    const std::string path = "/usr/lib/f" + num(static_cast<uint64_t>(at_file));
    put_text(from + path, path);
    all.put(file(path));
  }
  auto done = write(all);
  ASSERT_TRUE(done) << format(done.error());
  EXPECT_EQ(done->files, 500U);
  for (const ManifestEntry& entry : done->manifest.entries)
    if (entry.kind == Entry::Kind::File) {
      EXPECT_EQ(text_of(root + entry.path), entry.path);
      EXPECT_EQ(entry.digest, sha256(entry.path));
    }
}

// ---- what is not taken over
// -----------------------------------------------------------------------------------

TEST_F(WriterTest, ModesKeepOnlyTheOwnersWriteBits) {
  const mode_t before = umask(0077);
  written();
  umask(before);
  EXPECT_EQ(stat_at(root).st_mode & 07777, 0755U);
  EXPECT_EQ(stat_at(root + "/usr").st_mode & 07777, 0755U);
  EXPECT_EQ(stat_at(root + "/usr/bin/tool").st_mode & 07777, 0755U);
  EXPECT_EQ(stat_at(root + "/usr/lib/part").st_mode & 07777, 0644U);
  EXPECT_EQ(stat_at(root + "/tmp").st_mode & 07777, 01777U);
  EXPECT_EQ(stat_at(root + "/var/lib/service").st_mode & 07777, 0750U);
}

TEST_F(WriterTest, AFolderOpenToAGroupIsNot) {
  Collection all = collection();
  all.put(entry(Entry::Kind::Directory, "/open", 03777));
  ASSERT_TRUE(write(all));
  EXPECT_EQ(stat_at(root + "/open").st_mode & 07777, 0755U);
}

TEST_F(WriterTest, AllOfItHasOneTime) {
  WriteOptions options;
  options.epoch = 1'234'567'890;
  written(options);
  EXPECT_EQ(stat_at(root).st_mtime, 1'234'567'890);
  for (const auto& found : std::filesystem::recursive_directory_iterator(root)) {
    const struct stat st = stat_at(found.path());
    EXPECT_EQ(st.st_mtim.tv_sec, 1'234'567'890) << found.path();
    EXPECT_EQ(st.st_mtim.tv_nsec, 0) << found.path();
  }
  EXPECT_LT(stat_at(from + "/usr/bin/tool").st_atime - time(nullptr), 10);
}

// The time of what a link leads to is left alone (S108).
TEST_F(WriterTest, TimesDoNotGoThroughLinks) {
  put_text(at + "/outside", "");
  const struct stat before = stat_at(at + "/outside");
  Collection all = collection();
  all.put(link("/away", at + "/outside"));
  ASSERT_TRUE(write(all));
  EXPECT_EQ(stat_at(root + "/away").st_mtime, 0);
  EXPECT_EQ(stat_at(at + "/outside").st_mtime, before.st_mtime);
}

TEST_F(WriterTest, ExtendedAttributesStayOutside) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: file capabilities";
  // cap_net_raw=ep, as the kernel keeps it (VFS_CAP_REVISION_2).
  const unsigned char capability[20] = {1, 0, 0, 2, 0, 0x20};
  ASSERT_EQ(setxattr((from + "/usr/bin/tool").c_str(), "security.capability", capability, 20, 0), 0);
  written();
  EXPECT_EQ(getxattr((root + "/usr/bin/tool").c_str(), "security.capability", nullptr, 0), -1);
}

// acl(5) as the kernel keeps it: version 2, then tag, rights and id of each line.
constexpr unsigned char kOpenTo4711[] = {2, 0,    0,    0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,  7,
                                         0, 0x67, 0x12, 0,   0,   4,   0,  7, 0,   255, 255, 255, 255, 16, 0,
                                         7, 0,    255,  255, 255, 255, 32, 0, 7,   0,   255, 255, 255, 255};

TEST_F(WriterTest, TheFolderAboveHandsNothingDown) {
  if (setxattr(at.c_str(), "system.posix_acl_default", kOpenTo4711, sizeof kOpenTo4711, 0) != 0)
    GTEST_SKIP() << "needs a file system with lists of rights in the temporary folder";
  ASSERT_EQ(chown(at.c_str(), static_cast<uid_t>(-1), geteuid() == 0 ? 4712 : getegid()), 0);
  ASSERT_EQ(chmod(at.c_str(), 02755), 0);
  written();
  for (const auto& found : std::filesystem::recursive_directory_iterator(root)) {
    const std::string path = found.path();
    for (const char* list : {"system.posix_acl_default", "system.posix_acl_access"})
      EXPECT_EQ(lgetxattr(path.c_str(), list, nullptr, 0), -1) << path;
    const std::string name = found.path().filename();
    const bool open = name == "tmp" || !(S_ISREG(stat_at(path).st_mode) || S_ISDIR(stat_at(path).st_mode));
    EXPECT_EQ(stat_at(path).st_mode & 02022, open ? 022U : 0U) << path;
    EXPECT_EQ(stat_at(path).st_gid, name == "service" && geteuid() == 0 ? 4712U : getegid()) << path;
  }
  EXPECT_EQ(stat_at(manifest_path(root)).st_mode & 07777, 0600U);
  EXPECT_EQ(lgetxattr(manifest_path(root).c_str(), "system.posix_acl_access", nullptr, 0), -1);
}

// ---- whose it is
// ------------------------------------------------------------------------------------------------

TEST_F(WriterTest, OwnersAreThoseOfTheRootsOwnPasswd) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: gives files away";
  EXPECT_EQ(written().note, "");
  EXPECT_EQ(stat_at(root + "/var/lib/service").st_uid, 4711U);
  EXPECT_EQ(stat_at(root + "/var/lib/service").st_gid, 4712U);
  EXPECT_EQ(stat_at(root + "/var/lib").st_uid, 0U);
  EXPECT_EQ(stat_at(root + "/usr/bin/tool").st_uid, 0U);
}

TEST_F(WriterTest, AnOwnerWithoutAnEntryIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: gives files away";
  Collection all = collection();
  all.put(state("/var/lib/other", "daemon"));  // the host has that one
  refused(write(all), Code::kIds);
}

TEST_F(WriterTest, AsAUserAllIsTheUsers) {
  as_user(top, [&] {
    const Written done = written();
    EXPECT_NE(done.note.find("all of it belongs to you"), std::string::npos) << done.note;
    EXPECT_NE(done.note.find("device nodes take root"), std::string::npos) << done.note;
    for (const auto& found : std::filesystem::recursive_directory_iterator(root))
      EXPECT_EQ(stat_at(found.path()).st_uid, geteuid());
    EXPECT_TRUE(S_ISREG(stat_at(root + "/dev/null").st_mode));
    EXPECT_EQ(stat_at(root + "/dev/null").st_size, 0);
    EXPECT_EQ(names_in(at), kDone);
  });
}

TEST_F(WriterTest, TheDigestOfTheTreeIsTheSameForRootAndUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: compares the two";
  const std::string as_root = written().manifest.tree_digest;
  std::filesystem::remove_all(root);
  as_user(top, [&] { EXPECT_EQ(written().manifest.tree_digest, as_root); });
}

// ---- devices
// ------------------------------------------------------------------------------------------------------

TEST_F(WriterTest, TheFiveDevicesAreMade) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: makes device nodes";
  Collection all;
  for (uint64_t minor : {3, 5, 7, 8, 9}) all.put(device("/dev/d" + num(minor), 1, minor));
  ASSERT_TRUE(write(all));
  for (unsigned minor : {3, 5, 7, 8, 9}) {
    const struct stat st = stat_at(root + "/dev/d" + num(minor));
    EXPECT_EQ(st.st_mode, S_IFCHR | 0666U);
    EXPECT_EQ(st.st_rdev, makedev(1, minor));
  }
}

// Memory, the ports, a disk, a terminal (S55, S56).
TEST_F(WriterTest, OtherDevicesAreRefused) {
  for (auto [major, minor] : {std::pair{1, 1}, {1, 4}, {8, 0}, {4, 1}, {5, 0}, {0, 3}, {257, 3}}) {
    Collection all = collection();
    all.put(device("/dev/other", static_cast<uint64_t>(major), static_cast<uint64_t>(minor)));
    refused(write(all), Code::kBadTarget);
  }
}

// ---- the same again
// -------------------------------------------------------------------------------------------------

TEST_F(WriterTest, TwoBuildsAreTheSameBytes) {
  for (int at_file = 0; at_file < 200; ++at_file)
    put_text(from + "/usr/lib/f" + num(static_cast<uint64_t>(at_file)), "x");
  Collection all = collection();
  Collection backwards;
  for (int at_file = 0; at_file < 200; ++at_file)
    all.put(file("/usr/lib/f" + num(static_cast<uint64_t>(at_file))));
  for (int at_file = 200; at_file-- > 0;)
    backwards.put(file("/usr/lib/f" + num(static_cast<uint64_t>(at_file))));
  const Collection rest = collection();
  for (const Entry& one : rest.entries()) backwards.put(one);
  Names digests, archives;
  for (const Collection* one : {&all, &backwards}) {
    auto done = write(*one);
    ASSERT_TRUE(done) << format(done.error());
    digests.push_back(done->manifest.tree_digest);
    const std::string archive = top + "/archive";
    ASSERT_EQ(system(("tar --sort=name --numeric-owner -C " + root + " -cf " + archive + " .").c_str()), 0);
    archives.push_back(hex_text(sha256(text_of(archive))));
    std::filesystem::remove_all(root);
  }
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_EQ(archives[0], archives[1]);
}

// ---- where it may be
// --------------------------------------------------------------------------------------------------

TEST_F(WriterTest, TellsWhatATargetIs) {
  EXPECT_EQ(look_at_target(root), Target::New);
  std::filesystem::create_directory(root);
  EXPECT_EQ(look_at_target(root), Target::Empty);
  written();
  EXPECT_EQ(look_at_target(root), Target::Ours);
  EXPECT_EQ(look_at_target(root + "/"), Target::Ours);
}

TEST_F(WriterTest, AnEmptyFolderIsTaken) {
  std::filesystem::create_directory(root);
  written();
  EXPECT_EQ(names_in(at), kDone);
  EXPECT_EQ(stat_at(root).st_mode & 07777, 0755U);
}

TEST_F(WriterTest, WhatIsNotOursIsRefusedAndUntouched) {
  const auto refuses = [&](const std::string& target, const char* why) {
    auto looked = look_at_target(target);
    ASSERT_FALSE(looked) << target;
    EXPECT_EQ(looked.error().code, Code::kBadRoot);
    EXPECT_NE(format(looked.error()).find(why), std::string::npos) << format(looked.error());
    WriteOptions options;
    options.replace = options.discard_changes = true;
    auto done = write_root(collection(), source(), target, options);
    ASSERT_FALSE(done) << target;
    EXPECT_EQ(done.error().code, Code::kBadRoot);
  };
  std::filesystem::create_directory(at + "/full");
  put_text(at + "/full/precious", "mine");
  put_text(at + "/file", "mine");
  std::filesystem::create_directory(at + "/empty");
  std::filesystem::create_symlink("empty", at + "/link");
  std::filesystem::create_symlink("nowhere", at + "/dangling");
  refuses(at + "/full", "is no root of ours");
  refuses(at + "/file", "no directory");
  refuses(at + "/link", "it is a link");
  refuses(at + "/dangling", "it is a link");
  refuses("/", "no name");
  refuses("", "no name");
  refuses(".", "no name");
  refuses("..", "no name");
  refuses(at + "/full/..", "is no root of ours");
  refuses(at + "/none/root", "cannot be opened");
  EXPECT_EQ(names_in(at), (Names{"dangling", "empty", "file", "full", "link"}));
  EXPECT_EQ(text_of(at + "/full/precious"), "mine");
}

TEST_F(WriterTest, AManifestOfSomebodyElseMakesNothingOurs) {
  written();
  ASSERT_EQ(chmod(manifest_path(root).c_str(), 0666), 0);
  EXPECT_FALSE(look_at_target(root));
  ASSERT_EQ(chmod(manifest_path(root).c_str(), 0644), 0);
  EXPECT_TRUE(look_at_target(root));
  if (geteuid() != 0) return;
  ASSERT_EQ(chown(manifest_path(root).c_str(), 4711, 0), 0);
  EXPECT_FALSE(look_at_target(root));
}

TEST_F(WriterTest, AFolderThatOthersMayMoveIsRefused) {
  ASSERT_EQ(chmod(at.c_str(), 0777), 0);
  EXPECT_FALSE(look_at_target(root));
  EXPECT_FALSE(write(collection()));
  ASSERT_EQ(chmod(at.c_str(), 01777), 0);
  EXPECT_TRUE(look_at_target(root));
  ASSERT_EQ(chmod(at.c_str(), 0755), 0);
  ASSERT_EQ(chmod(top.c_str(), 0777), 0);  // one further up
  EXPECT_FALSE(look_at_target(root));
  ASSERT_EQ(chmod(top.c_str(), 0700), 0);
  if (geteuid() != 0) return;
  ASSERT_EQ(chown(at.c_str(), 4711, 4711), 0);
  EXPECT_FALSE(look_at_target(root));
}

// Outside of a user namespace nobody is a user as any other.
TEST_F(WriterTest, AFolderOfNobodysIsSomebodyElses) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  if (!text_of("/proc/self/uid_map").ends_with(" 4294967295\n")) GTEST_SKIP() << "in a user namespace";
  ASSERT_EQ(chown(at.c_str(), 65534, 65534), 0);
  EXPECT_FALSE(look_at_target(root));
}

TEST_F(WriterTest, AListOfOthersWhoMayWriteIsARefusal) {
  if (setxattr(at.c_str(), "system.posix_acl_access", kOpenTo4711, sizeof kOpenTo4711, 0) != 0)
    GTEST_SKIP() << "needs a file system with lists of rights in the temporary folder";
  ASSERT_EQ(chmod(at.c_str(), 0775), 0);  // a list takes others as the group's mask does
  EXPECT_FALSE(look_at_target(root));
  ASSERT_EQ(chmod(at.c_str(), 0755), 0);  // which the mask now keeps from writing
  EXPECT_TRUE(look_at_target(root));
}

TEST_F(WriterTest, WhereFilesAreTakenFromIsNoTarget) {
  written();
  WriteOptions options;
  options.replace = true;
  auto same = Source::open(root).value();
  auto below = Source::open(root + "/usr").value();
  for (const Source* one : {&same, &below}) {
    auto done = write_root(collection(), *one, root, options);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kBadRoot);
    EXPECT_NE(done.error().why.find("taken from there"), std::string::npos);
  }
}

TEST_F(WriterTest, AMountIsNoTarget) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: mounts";
  with_own_mounts([&] {
    ASSERT_EQ(mkdir(root.c_str(), 0755), 0);
    ASSERT_EQ(mount("none", root.c_str(), "tmpfs", 0, nullptr), 0);
    auto looked = look_at_target(root);
    ASSERT_FALSE(looked);
    EXPECT_NE(looked.error().why.find("mounted"), std::string::npos);
  });
}

// ---- sources that change
// --------------------------------------------------------------------------------------------------

TEST_F(WriterTest, ASourceThatIsNotWhatWasSeenIsRefused) {
  const Collection all = collection();
  const std::string tool = from + "/usr/bin/tool";
  const std::function<void()> changes[] = {
      [&] { put_text(tool, "another"); },
      [&] { put_text(tool, "the tooI"); },  // as long
      [&] { unlink(tool.c_str()); },
      [&] { std::filesystem::create_symlink("/etc/shadow", tool); },
      [&] {
        unlink(tool.c_str());
        mkfifo(tool.c_str(), 0666);
      },
      [&] {
        unlink(tool.c_str());
        mkdir(tool.c_str(), 0777);
      },
  };
  alarm(20);  // a FIFO would be waited for
  for (const auto& change : changes) {
    change();
    refused(write(all), Code::kMissingSource);
  }
  alarm(0);
}

TEST_F(WriterTest, AFolderOfTheSourceThatBecomesALinkIsNotFollowed) {
  const Collection all = collection();
  std::filesystem::rename(from + "/usr", from + "/moved");
  std::filesystem::create_symlink("moved", from + "/usr");
  refused(write(all), Code::kMissingSource);
}

TEST_F(WriterTest, APlaceToMountUponIsForWhatWasSeen) {
  const Collection all = collection();
  put_text(from + "/usr/bin/tool", "another");
  WriteOptions options;
  options.mode = CopyMode::Bind;
  refused(write(all, options), Code::kMissingSource);
}

// Longer, and as long as before.
TEST_F(WriterTest, AFileThatChangesWhileItIsCopiedIsRefused) {
  const std::string large = from + "/usr/lib/large";
  const auto half_copied = [&] {
    for (const std::string& name : names_in(at)) {
      struct stat st {};
      if (stat((at + "/" + name + "/usr/lib/large").c_str(), &st) == 0 && st.st_size > 0) return true;
    }
    return false;
  };
  for (int append : {O_APPEND, 0}) {
    bool met = false;  // who changes it may come too late
    for (int tries = 0; tries < 20 && !met; ++tries) {
      std::filesystem::remove_all(root);
      put_text(large, std::string(96U << 20, 'l'));
      Collection all;
      all.put(file("/usr/lib/large"));
      const pid_t hostile = start([&] {
        const int fd = open(large.c_str(), O_WRONLY | append | O_CLOEXEC);
        while (!half_copied()) sched_yield();
        EXPECT_EQ(::write(fd, "more", 4), 4);
      });
      auto done = write(all);
      kill(hostile, SIGKILL);
      end_of(hostile);
      met = !done;
      unlink(manifest_path(root).c_str());
      if (met) refused(done, Code::kMissingSource);
    }
    EXPECT_TRUE(met) << append;
  }
}

// ---- a collection that leads out of the tree
// -----------------------------------------------------------------------------

TEST_F(WriterTest, StepsInATreeFollowNothing) {
  std::filesystem::create_directories(at + "/tree/a/b");
  std::filesystem::create_directory_symlink("a", at + "/tree/link");
  const int tree = open((at + "/tree").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const auto opens = [&](const char* path) {
    const int fd = open_within(tree, path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0) close(fd);
    return fd >= 0 ? 0 : -fd;
  };
  EXPECT_EQ(opens("a/b"), 0);
  EXPECT_EQ(opens("link/b"), ELOOP);
  EXPECT_EQ(opens("a/../../tree"), EXDEV);
  EXPECT_EQ(opens("/"), EXDEV);
  close(tree);
  const int top_of_all = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  EXPECT_EQ(open_within(top_of_all, "proc/self", O_PATH), -EXDEV);
  close(top_of_all);
}

TEST_F(WriterTest, NothingIsWrittenThroughALink) {
  std::filesystem::create_directory(at + "/outside");
  Collection all;
  all.put(link("/lib", "../outside"));
  all.put(text("/lib/planted", "x"));
  ASSERT_FALSE(write(all));
  EXPECT_EQ(names_in(at), Names{"outside"});
  EXPECT_EQ(names_in(at + "/outside"), Names{});
  Collection up;
  up.put(entry(Entry::Kind::Directory, "/"));
  up.put(text("/../planted", "x"));
  ASSERT_FALSE(write(up));
  EXPECT_EQ(names_in(at), Names{"outside"});
}

// ---- what fails leaves nothing
// ----------------------------------------------------------------------------------------------

TEST_F(WriterTest, AFullDiskLeavesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: mounts a small file system";
  for (const char* room : {"size=200k", "nr_inodes=9", "size=330k"}) {
    with_own_mounts([&] {
      ASSERT_EQ(mount("none", at.c_str(), "tmpfs", 0, room), 0);
      ASSERT_EQ(chmod(at.c_str(), 0755), 0);
      auto done = write(collection());
      if (done && std::string(room) == "size=330k") return;
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, Code::kSystem);
      EXPECT_EQ(done.error().sys_errno, ENOSPC) << format(done.error());
      EXPECT_NE(done.error().how, "");
      nothing_left();
    });
  }
}

TEST_F(WriterTest, ALimitOfSizesIsAnError) {
  apart([&] {
    const rlimit small = {100'000, 100'000};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    auto done = write(collection());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().sys_errno, EFBIG) << format(done.error());
    nothing_left();
  });
}

TEST_F(WriterTest, AFolderWithoutTheRightToWriteIsAnError) {
  as_user(top, [&] {
    ASSERT_EQ(chmod(at.c_str(), 0555), 0);
    auto done = write(collection());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().sys_errno, EACCES);
    nothing_left();
    chmod(at.c_str(), 0755);
  });
}

// ---- killed, stopped, two at once
// -------------------------------------------------------------------------------------------

struct LongTest : WriterTest {
  // Large enough for somebody to come in between.
  Collection large() const {
    Collection all;
    for (uint64_t at_file = 0; at_file < 12; ++at_file) {
      const std::string path = "/usr/lib/large" + num(at_file);
      if (!std::filesystem::exists(from + path)) put_text(from + path, std::string(16U << 20, 'l'));
      all.put(file(path));
    }
    return all;
  }
  // Its tree stands half-made; the child still runs.
  void wait_for_tree() const {
    for (int tries = 0; tries < 20'000; ++tries) {
      for (const std::string& name : names_in(at))
        if (name.starts_with(".root.immure-") && std::filesystem::exists(at + "/" + name + "/usr/lib/large0"))
          return;
      usleep(500);
    }
    FAIL() << "no tree in the making";
  }
};

TEST_F(LongTest, WhatAKilledOneLeftIsClearedByTheNext) {
  const Collection all = large();
  const pid_t child = start([&] { EXPECT_TRUE(write(all)); });
  wait_for_tree();
  kill(child, SIGKILL);
  ASSERT_TRUE(WIFSIGNALED(end_of(child)));
  EXPECT_FALSE(std::filesystem::exists(root));
  EXPECT_GE(names_in(at).size(), 2U);
  for (const std::string& name : names_in(at)) EXPECT_EQ(stat_at(at + "/" + name).st_mode & 077, 0U) << name;
  written();
  EXPECT_EQ(names_in(at), kDone);
}

TEST_F(LongTest, WhoIsInterruptedLeavesNothing) {
  const Collection all = large();
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const pid_t child = start([&] { (void)write(all); });
    wait_for_tree();
    kill(child, signal);
    const int status = end_of(child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), signal);
    nothing_left();
  }
}

TEST_F(LongTest, AnIgnoredSignalStopsNobody) {
  const Collection all = large();
  const pid_t child = start([&] {
    signal(SIGHUP, SIG_IGN);
    EXPECT_TRUE(write(all));
  });
  wait_for_tree();
  kill(child, SIGHUP);
  EXPECT_EQ(end_of(child), 0);
  EXPECT_EQ(names_in(at), kDone);
}

TEST_F(LongTest, OfTwoAtOnceOneWins) {
  const Collection all = large();
  const pid_t child = start([&] { EXPECT_TRUE(write(all)); });
  wait_for_tree();
  auto second = write(collection());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kBadRoot);
  EXPECT_NE(second.error().why.find("another immure"), std::string::npos) << format(second.error());
  EXPECT_EQ(end_of(child), 0);
  EXPECT_EQ(names_in(at), kDone);
  EXPECT_TRUE(std::filesystem::exists(root + "/usr/lib/large0"));
}

TEST_F(WriterTest, OfManyAtOnceOneWins) {
  for (int round = 0; round < 20; ++round) {
    std::vector<pid_t> children;
    for (int at_child = 0; at_child < 4; ++at_child)
      children.push_back(start([&] {
        auto done = write(collection());
        EXPECT_TRUE(done || done.error().code == Code::kBadRoot) << format(done.error());
        fflush(nullptr);
        _exit(testing::Test::HasFailure() ? 1 : done ? 0 : 2);
      }));
    int won = 0;
    for (pid_t child : children) {
      const int status = end_of(child);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 1);
      won += status == 0 ? 1 : 0;
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ(names_in(at), kDone);
    ASSERT_TRUE(read_manifest(root));
    std::filesystem::remove_all(root);
  }
}

// In a folder like /tmp others may have put what looks like a leftover.
TEST_F(WriterTest, WhatBelongsToOthersIsNotCleared) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: gives files away";
  std::filesystem::create_directory(at + "/.root.immure-abcdef");
  ASSERT_EQ(chown((at + "/.root.immure-abcdef").c_str(), 4711, 4711), 0);
  put_text(at + "/.root.immure-notours", "mine");
  written();
  EXPECT_EQ(names_in(at), (Names{".root.immure-abcdef", ".root.immure-notours", "root", "root.immure.json"}));
}

TEST_F(WriterTest, ALockOfSomebodyElsesIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: gives files away";
  put_text(at + "/.root.immure-lock", "");
  ASSERT_EQ(chown((at + "/.root.immure-lock").c_str(), 4711, 4711), 0);
  EXPECT_FALSE(write(collection()));
  EXPECT_EQ(names_in(at), Names{".root.immure-lock"});
  unlink((at + "/.root.immure-lock").c_str());
  std::filesystem::create_symlink("/etc/passwd", at + "/.root.immure-lock");
  EXPECT_FALSE(write(collection()));
}

// ---- ways to copy
// -------------------------------------------------------------------------------------------------------------

TEST_F(WriterTest, BoundFilesArePlacesToMountUpon) {
  WriteOptions options;
  options.mode = CopyMode::Bind;
  const Written done = written(options);
  EXPECT_EQ(done.manifest.mode, CopyMode::Bind);
  EXPECT_EQ(stat_at(root + "/usr/lib/part").st_size, 0);
  EXPECT_EQ(stat_at(root + "/usr/bin/tool").st_mode & 07777, 0755U);
  for (const ManifestEntry& one : done.manifest.entries)
    EXPECT_TRUE(one.path != "/usr/lib/part" || one.size == 300'000U);
  EXPECT_NE(stat_at(root + "/etc/passwd").st_size, 0);
}

TEST_F(WriterTest, ReflinksOrAnError) {
  WriteOptions options;
  options.mode = CopyMode::Reflink;
  auto done = write(collection(), options);
  if (done) {
    EXPECT_EQ(done->reflinked, 2U);
    EXPECT_EQ(text_of(root + "/usr/lib/part"), std::string(300'000, 'p'));
    return;
  }
  EXPECT_EQ(done.error().code, Code::kSystem);
  nothing_left();
}

TEST_F(WriterTest, IsOnTheDiskWhenAskedFor) {
  WriteOptions options;
  options.recipe.source_root = from;
  options.durable = true;
  auto done = write_root(collection(), source(), root, options);
  ASSERT_TRUE(done) << format(done.error());
  EXPECT_EQ(names_in(at), kDone);
}

}  // namespace
}  // namespace immure::rootfs

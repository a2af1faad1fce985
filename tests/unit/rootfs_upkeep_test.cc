// A root that is there, in hostile hands: what is told of it, and that replacing and removing it lose nothing
// of value and touch nothing else.
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/text.h"
#include "rootfs/exchange.h"
#include "rootfs/place.h"
#include "rootfs/upkeep.h"
#include "rootfs_tree.h"

namespace immure::rootfs {
namespace {

using Names = std::vector<std::string>;
using Told = std::vector<std::pair<Drift, std::string>>;

Told told(const Result<std::vector<Difference>>& found) {
  EXPECT_TRUE(found) << format(found.error());
  Told all;
  if (!found) return all;
  for (const Difference& one : *found) all.emplace_back(one.drift, one.path);
  return all;
}

void set_mtime(const std::string& path, time_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  EXPECT_EQ(utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}

struct UpkeepTest : RootTest {
  void SetUp() override {
    RootTest::SetUp();
    manifest = written().manifest;
  }
  Told differ() const { return told(differences(manifest, root)); }
  Told go_stale() const { return told(stale(manifest, source())); }
  Manifest manifest;
};

// ---- sources
// --------------------------------------------------------------------------------------------------

struct StaleTest : UpkeepTest {};

TEST_F(StaleTest, NothingWhileTheSourcesAreTheSame) { EXPECT_EQ(go_stale(), Told{}); }

TEST_F(StaleTest, OtherContentIsToldOf) {
  put_text(from + "/usr/bin/tool", "the tooI");  // as long
  set_mtime(from + "/usr/bin/tool", 1);
  EXPECT_EQ(go_stale(), (Told{{Drift::Stale, "/usr/bin/tool"}}));
  put_text(from + "/usr/bin/tool", "longer than that");
  EXPECT_EQ(go_stale(), (Told{{Drift::Stale, "/usr/bin/tool"}}));
}

TEST_F(StaleTest, TheSameContentInAnotherFileIsNotStale) {
  put_text(from + "/usr/bin/new", "the tool");
  std::filesystem::rename(from + "/usr/bin/new", from + "/usr/bin/tool");
  EXPECT_EQ(go_stale(), Told{});
  std::filesystem::rename(from + "/usr/bin/tool", from + "/usr/bin/moved");
  std::filesystem::create_symlink("moved", from + "/usr/bin/tool");
  EXPECT_EQ(go_stale(), Told{});
}

TEST_F(StaleTest, WhatIsGoneIsToldOf) {
  unlink((from + "/usr/bin/tool").c_str());
  EXPECT_EQ(go_stale(), (Told{{Drift::Gone, "/usr/bin/tool"}}));
  mkfifo((from + "/usr/bin/tool").c_str(), 0666);
  alarm(10);
  EXPECT_EQ(go_stale(), (Told{{Drift::Stale, "/usr/bin/tool"}}));
  alarm(0);
}

TEST_F(StaleTest, DebiansVersionsAreNamed) {
  std::filesystem::create_directories(from + "/var/lib/dpkg/info");
  const auto install = [&](const std::string& version) {
    put_text(from + "/var/lib/dpkg/status",
             "Package: tools\nStatus: install ok installed\nVersion: " + version + "\n\n");
    put_text(from + "/var/lib/dpkg/info/tools.list", "/.\n/usr/bin/tool\n");
  };
  install("1-1");
  std::filesystem::remove_all(root);
  manifest = written().manifest;
  install("1-2");
  put_text(from + "/usr/bin/tool", "a new tool");
  auto found = stale(manifest, source());
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0).package, "tools=1-1");
  EXPECT_EQ(found->at(0).detail, "tools 1-1 → 1-2");
}

TEST_F(StaleTest, WhatIsMountedIsNeverStaleButMayBeGone) {
  std::filesystem::remove_all(root);
  WriteOptions options;
  options.mode = CopyMode::Bind;
  manifest = written(options).manifest;
  EXPECT_EQ(differ(), Told{});
  put_text(from + "/usr/bin/tool", "another");
  EXPECT_EQ(go_stale(), Told{});
  unlink((from + "/usr/bin/tool").c_str());
  EXPECT_EQ(go_stale(), (Told{{Drift::Gone, "/usr/bin/tool"}}));
}

// ---- the tree
// -------------------------------------------------------------------------------------------------

struct DifferencesTest : UpkeepTest {};

TEST_F(DifferencesTest, NothingInAFreshRoot) { EXPECT_EQ(differ(), Told{}); }

TEST_F(DifferencesTest, NothingInAUsersFreshRoot) {
  std::filesystem::remove_all(root);
  as_user(top, [&] {
    manifest = written().manifest;
    EXPECT_EQ(differ(), Told{});
  });
}

TEST_F(DifferencesTest, ContentThatWasChanged) {
  put_text(root + "/usr/bin/tool", "a tool of mine");
  EXPECT_EQ(differ(), (Told{{Drift::Changed, "/usr/bin/tool"}}));
  put_text(root + "/usr/bin/tool", "the tooI");
  EXPECT_EQ(differ(), (Told{{Drift::Changed, "/usr/bin/tool"}}));
}

// (S111)
TEST_F(DifferencesTest, TimesThatLie) {
  put_text(root + "/usr/bin/tool", "the tooI");
  set_mtime(root + "/usr/bin/tool", 0);
  EXPECT_EQ(differ(), (Told{{Drift::Hidden, "/usr/bin/tool"}}));
  put_text(root + "/usr/bin/tool", "the tool");
  set_mtime(root + "/usr/bin/tool", 0);
  EXPECT_EQ(differ(), Told{});
  set_mtime(root + "/usr/bin/tool", time(nullptr) + 1);  // newer than its ctime, not in the future
  EXPECT_EQ(differ(), (Told{{Drift::Hidden, "/usr/bin/tool"}}));
  set_mtime(root + "/usr/bin/tool", time(nullptr) + 3600);
  EXPECT_EQ(differ(), (Told{{Drift::Future, "/usr/bin/tool"}}));
}

// SOURCE_DATE_EPOCH may lie ahead of a clock that is wrong.
TEST_F(DifferencesTest, TheTimeOfAllIsNoLie) {
  std::filesystem::remove_all(root);
  WriteOptions options;
  options.epoch = time(nullptr) + 86'400;
  manifest = written(options).manifest;
  EXPECT_EQ(differ(), Told{});
}

TEST_F(DifferencesTest, LinksThatLeadElsewhere) {
  unlink((root + "/bin").c_str());
  std::filesystem::create_symlink("/etc", root + "/bin");
  EXPECT_EQ(differ(), (Told{{Drift::Changed, "/bin"}}));
}

TEST_F(DifferencesTest, WhatCameAndWhatWent) {
  unlink((root + "/usr/bin/tool").c_str());
  put_text(root + "/usr/lib/mine", "x");
  std::filesystem::create_directories(root + "/opt/a/b/c");
  std::filesystem::remove_all(root + "/etc");
  EXPECT_EQ(differ(), (Told{{Drift::Missing, "/etc"},
                            {Drift::Added, "/opt"},
                            {Drift::Missing, "/usr/bin/tool"},
                            {Drift::Added, "/usr/lib/mine"}}));
}

TEST_F(DifferencesTest, ModesOwnersAndKinds) {
  chmod((root + "/usr/bin/tool").c_str(), 04755);
  unlink((root + "/usr/lib/part").c_str());
  mkfifo((root + "/usr/lib/part").c_str(), 0644);
  alarm(10);
  auto found = differences(manifest, root);
  alarm(0);
  EXPECT_EQ(told(found), (Told{{Drift::Mode, "/usr/bin/tool"}, {Drift::Mode, "/usr/lib/part"}}));
  EXPECT_EQ(found->at(0).detail, "mode 0755 → 04755");
  EXPECT_EQ(found->at(1).detail, "a file → a FIFO");
  if (geteuid() != 0) return;
  ASSERT_EQ(lchown((root + "/etc").c_str(), 4711, 0), 0);
  EXPECT_EQ(differ()[0], (Told::value_type{Drift::Mode, "/etc"}));
}

TEST_F(DifferencesTest, ADeviceThatBecameAnother) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: makes device nodes";
  unlink((root + "/dev/null").c_str());
  ASSERT_EQ(mknod((root + "/dev/null").c_str(), S_IFCHR | 0666, makedev(1, 1)), 0);
  EXPECT_EQ(differ(), (Told{{Drift::Mode, "/dev/null"}}));
}

TEST_F(DifferencesTest, WhatAProgramKeepsIsItsOwn) {
  put_text(root + "/var/lib/service/data", "x");
  std::filesystem::create_directories(root + "/var/lib/service/a/b");
  EXPECT_EQ(differ(), Told{});
}

// But what whoever reaches it on the host could use is told of.
TEST_F(DifferencesTest, WhatIsDangerousIsToldOfWhereverItLies) {
  const std::string state = root + "/var/lib/service";
  std::filesystem::create_directories(state + "/a/b");
  put_text(state + "/a/b/shell", "x");
  ASSERT_EQ(chmod((state + "/a/b/shell").c_str(), 04755), 0);
  Told wanted = {{Drift::Added, "/var/lib/service/a/b/shell"}};
  if (geteuid() == 0) {
    ASSERT_EQ(mknod((state + "/disk").c_str(), S_IFBLK | 0600, makedev(7, 0)), 0);
    wanted.emplace_back(Drift::Added, "/var/lib/service/disk");
  }
  EXPECT_EQ(differ(), wanted);
}

// Both names inside are no reason to tell (S48).
TEST_F(DifferencesTest, NamesOutsideAreCounted) {
  const std::string state = root + "/var/lib/service";
  put_text(state + "/one", "x");
  std::filesystem::create_hard_link(state + "/one", state + "/two");
  EXPECT_EQ(differ(), Told{});
  std::filesystem::create_hard_link(state + "/one", at + "/outside");
  auto found = differences(manifest, root);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0).drift, Drift::HardLink);
  EXPECT_TRUE(found->at(0).detail.starts_with("1 name ")) << found->at(0).detail;
  std::filesystem::create_hard_link(root + "/usr/bin/tool", at + "/other");
  EXPECT_EQ(differ().size(), 2U);
}

TEST_F(DifferencesTest, ALinkInPlaceOfAFolderIsNotFollowed) {
  std::filesystem::rename(root + "/usr", at + "/usr");
  std::filesystem::create_symlink(at + "/usr", root + "/usr");
  EXPECT_EQ(differ(),
            (Told{{Drift::Mode, "/usr"}, {Drift::Missing, "/usr/bin"}, {Drift::Missing, "/usr/lib"}}));
  std::filesystem::rename(root, at + "/moved");
  std::filesystem::create_symlink("moved", root);
  EXPECT_FALSE(differences(manifest, root));
}

TEST_F(DifferencesTest, AMountIsToldOfAndNotEntered) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: mounts";
  with_own_mounts([&] {
    ASSERT_EQ(mount("none", (root + "/usr").c_str(), "tmpfs", 0, nullptr), 0);
    put_text(root + "/usr/x", "x");
    EXPECT_EQ(differ(), (Told{{Drift::Added, "/usr"}}));
  });
}

// A chain of folders one in the other, longer than any path may be. By descriptor: no path leads to its end.
void nest(const std::string& folder, int levels) {
  int at = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int level = 0; level < levels; ++level) {
    ASSERT_EQ(mkdirat(at, "d", 0755), 0);
    const int next = openat(at, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
    close(at);
    at = next;
  }
  const int file = openat(at, "end", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  EXPECT_GE(file, 0);
  close(file);
  close(at);
}

struct DeepTest : UpkeepTest {
  std::string folder() const override { return in_memory(); }
};

TEST_F(DeepTest, LookingHasAnEnd) {
  nest(root + "/usr", 10'000);
  const Told found = differ();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], (Told::value_type{Drift::Added, "/usr/d"}));
  EXPECT_EQ(found[1].first, Drift::Added);  // where looking ended
}

// 80 MB of paths, were each of them kept.
TEST_F(DeepTest, WhatIsToldHasABound) {
  const std::string name(250, 'd');
  int at = open((root + "/usr").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int level = 0; level < 150; ++level) {
    ASSERT_EQ(mkdirat(at, name.c_str(), 0755), 0);
    const int next = openat(at, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    close(at);
    at = next;
  }
  const timespec future[2] = {{int64_t{1} << 33, 0}, {int64_t{1} << 33, 0}};
  for (int file = 0; file < 2'000; ++file) {
    const int fd = openat(at, ("f" + std::to_string(file)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_EQ(futimens(fd, future), 0);
    close(fd);
  }
  close(at);
  const Told found = differ();
  size_t text = 0;
  for (const auto& [drift, path] : found) text += path.size();
  EXPECT_LT(text, 70'000'000U);
  EXPECT_GT(found.size(), 1'000U);
  EXPECT_EQ(found.front(), (Told::value_type{Drift::Added, "/"}));  // how many more there are
}

TEST_F(DifferencesTest, FilesThatAreReplacedMeanwhileAreNoTrap) {
  std::atomic<bool> stop = false;
  std::thread hostile([&] {
    const std::string tool = root + "/usr/bin/tool";
    const std::string other = root + "/usr/bin/other";
    while (!stop) {
      unlink(other.c_str());
      symlink("/dev/zero", other.c_str());
      rename(other.c_str(), tool.c_str());
      mkfifo(other.c_str(), 0666);
      rename(other.c_str(), tool.c_str());
      put_text(other, "the tool");
      rename(other.c_str(), tool.c_str());
    }
  });
  alarm(60);
  for (int round = 0; round < 300; ++round) {
    auto found = differences(manifest, root);
    EXPECT_TRUE(found || found.error().code == Code::kBadRoot) << format(found.error());
  }
  alarm(0);
  stop = true;
  hostile.join();
}

// ---- removing
// ---------------------------------------------------------------------------------------------------

struct RemoveTest : UpkeepTest {
  std::string folder() const override { return in_memory(); }
  // Everything that is not the root is untouched.
  void SetUp() override {
    UpkeepTest::SetUp();
    std::filesystem::create_directory(at + "/precious");
    put_text(at + "/precious/file", "mine");
  }
  void TearDown() override {
    EXPECT_EQ(text_of(at + "/precious/file"), "mine");
    EXPECT_EQ(names_in(at + "/precious"), Names{"file"});
    RootTest::TearDown();
  }
  void gone() const { EXPECT_EQ(names_in(at), Names{"precious"}); }
  void there() const {
    EXPECT_EQ(names_in(at), (Names{"precious", "root", "root.immure.json"}));
    EXPECT_EQ(text_of(root + "/usr/lib/part"), std::string(300'000, 'p'));
  }
};

TEST_F(RemoveTest, ARootGoesWithItsManifest) {
  auto removed = remove_root(root, false);
  EXPECT_TRUE(removed) << format(removed.error());
  gone();
}

TEST_F(RemoveTest, WhatWasAddedOrChangedIsKept) {
  const std::function<void()> changes[] = {
      [&] { put_text(root + "/mine", "x"); },
      [&] { put_text(root + "/usr/bin/tool", "mine"); },
      [&] { put_text(root + "/var/lib/service/data", "x"); },
  };
  for (const auto& change : changes) {
    change();
    auto removed = remove_root(root, false);
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().code, Code::kBadRoot);
    there();
    std::filesystem::remove_all(root);
    written();
  }
  put_text(root + "/mine", "x");
  put_text(root + "/var/lib/service/data", "x");
  EXPECT_TRUE(remove_root(root, true));
  gone();
}

TEST_F(RemoveTest, WhatIsNoRootOfOursStays) {
  EXPECT_FALSE(remove_root(at + "/precious", true));
  std::filesystem::rename(root, at + "/elsewhere");
  std::filesystem::create_symlink("precious", root);
  EXPECT_FALSE(remove_root(root, true));
  unlink(root.c_str());
  std::filesystem::rename(at + "/elsewhere", root);
  there();
  unlink(manifest_path(root).c_str());
  EXPECT_FALSE(remove_root(root, true));
  EXPECT_TRUE(std::filesystem::exists(root));
}

TEST_F(RemoveTest, AMountIsNeverCrossed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: mounts";
  with_own_mounts([&] {
    ASSERT_EQ(mount((at + "/precious").c_str(), (root + "/var/lib").c_str(), nullptr, MS_BIND, nullptr), 0);
    auto removed = remove_root(root, true);
    ASSERT_FALSE(removed);
    EXPECT_NE(removed.error().why.find("mounted"), std::string::npos) << format(removed.error());
    there();
    // Also by who did not look before.
    const int folder = open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT_FALSE(remove_tree(folder, "root"));
    close(folder);
  });
  EXPECT_TRUE(std::filesystem::exists(root + "/var/lib"));
}

TEST_F(RemoveTest, TreesThatWereMadeToBeHard) {
  nest(root, 10'000);
  nest(root + "/var/lib/service", 3'000);
  std::filesystem::create_directory(root + "/many");
  const int many = open((root + "/many").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (uint64_t at_file = 0; at_file < 20'000; ++at_file)
    ASSERT_EQ(mknodat(many, num(at_file).c_str(), S_IFIFO | 0600, 0), 0);
  close(many);
  std::filesystem::create_directory_symlink(at + "/precious", root + "/out");
  std::filesystem::create_hard_link(at + "/precious/file", root + "/shared");
  std::filesystem::create_directories(root + "/closed/below");
  put_text(root + "/closed/below/file", "x");
  chmod((root + "/closed/below").c_str(), 0);
  chmod((root + "/closed").c_str(), 0);
  const rlimit few = {200, 200};
  apart([&] {
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const int folder = open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto removed = remove_tree(folder, "root");
    EXPECT_TRUE(removed) << format(removed.error());
  });
  EXPECT_FALSE(std::filesystem::exists(root));
}

TEST_F(RemoveTest, AUsersTreeWithFoldersThatAreClosed) {
  std::filesystem::create_directories(root + "/closed/below");
  put_text(root + "/closed/below/file", "x");
  as_user(top, [&] {
    nest(root + "/closed", 200);
    chmod((root + "/closed/below").c_str(), 0);
    chmod((root + "/closed/d").c_str(), 0500);
    chmod((root + "/closed").c_str(), 0100);
    const int folder = open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto removed = remove_tree(folder, "root");
    EXPECT_TRUE(removed) << format(removed.error());
    EXPECT_FALSE(std::filesystem::exists(root));
  });
}

TEST_F(RemoveTest, FoldersThatBecomeLinksMeanwhile) {
  std::atomic<bool> stop = false;
  std::thread hostile([&] {
    const std::string folder = root + "/usr";
    while (!stop) {
      // Not through a link of its own that is still there.
      if (mkdir(folder.c_str(), 0755) == 0) put_text(folder + "/file", "x");
      rename(folder.c_str(), (root + "/aside").c_str());
      symlink((at + "/precious").c_str(), folder.c_str());
      rename(folder.c_str(), (root + "/other").c_str());
    }
  });
  const int folder = open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  alarm(60);
  for (int round = 0; round < 200; ++round) {
    (void)remove_tree(folder, "root");  // may be said to be in use
    mkdir(root.c_str(), 0755);
  }
  alarm(0);
  stop = true;
  hostile.join();
  close(folder);
}

// ---- replacing
// ----------------------------------------------------------------------------------------------------

struct ReplaceTest : UpkeepTest {
  WriteOptions again(bool discard = false) const {
    WriteOptions options;
    options.replace = true;
    options.discard_changes = discard;
    return options;
  }
  void done() const { EXPECT_EQ(names_in(at), (Names{"root", "root.immure.json"})); }
};

TEST_F(ReplaceTest, ANewRootTakesTheNameAndTheManifest) {
  put_text(from + "/usr/bin/tool", "a better tool");
  EXPECT_FALSE(write(collection()));  // not without a word
  auto replaced = write(collection(), again());
  ASSERT_TRUE(replaced) << format(replaced.error());
  EXPECT_EQ(replaced->note, geteuid() == 0 ? "" : replaced->note);
  EXPECT_EQ(text_of(root + "/usr/bin/tool"), "a better tool");
  EXPECT_EQ(read_manifest(root)->tree_digest, replaced->manifest.tree_digest);
  done();
}

TEST_F(ReplaceTest, StateIsCarriedOver) {
  put_text(root + "/var/lib/service/data", "precious");
  const struct stat before = stat_at(root + "/var/lib/service");
  auto replaced = write(collection(), again());
  ASSERT_TRUE(replaced) << format(replaced.error());
  EXPECT_EQ(text_of(root + "/var/lib/service/data"), "precious");
  EXPECT_EQ(stat_at(root + "/var/lib/service").st_ino, before.st_ino);
  EXPECT_EQ(told(differences(replaced->manifest, root)), Told{});
  EXPECT_EQ(stat_at(root + "/var/lib").st_mtime, 0);
  done();
}

TEST_F(ReplaceTest, StateWithoutAPlaceIsNotThrownAway) {
  put_text(root + "/var/lib/service/data", "precious");
  Collection other;
  other.put(file("/usr/bin/tool"));
  auto replaced = write(other, again());
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, Code::kBadRoot);
  EXPECT_EQ(text_of(root + "/var/lib/service/data"), "precious");
  EXPECT_TRUE(write(other, again(true)));
  done();
}

TEST_F(ReplaceTest, WhatOthersChangedIsNotThrownAway) {
  put_text(root + "/mine", "x");
  auto replaced = write(collection(), again());
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, Code::kBadRoot);
  EXPECT_NE(replaced.error().why.find("'/mine'"), std::string::npos) << format(replaced.error());
  EXPECT_EQ(text_of(root + "/mine"), "x");
  done();
  EXPECT_TRUE(write(collection(), again(true)));
  EXPECT_FALSE(std::filesystem::exists(root + "/mine"));
  done();
}

TEST_F(ReplaceTest, ALinkInPlaceOfStateIsNotCarried) {
  std::filesystem::create_directory(at + "/outside");
  put_text(at + "/outside/file", "not of the root");
  std::filesystem::remove_all(root + "/var/lib/service");
  std::filesystem::create_symlink(at + "/outside", root + "/var/lib/service");
  auto replaced = write(collection(), again(true));
  ASSERT_TRUE(replaced) << format(replaced.error());
  EXPECT_TRUE(S_ISDIR(stat_at(root + "/var/lib/service").st_mode));
  EXPECT_EQ(names_in(root + "/var/lib/service"), Names{});
  EXPECT_EQ(names_in(at + "/outside"), Names{"file"});
  EXPECT_NE(replaced->note.find("/var/lib/service"), std::string::npos);
}

TEST_F(ReplaceTest, ALinkOnTheWayToStateIsNotFollowed) {
  std::filesystem::create_directories(at + "/outside/service");
  put_text(at + "/outside/service/file", "not of the root");
  std::filesystem::remove_all(root + "/var/lib");
  std::filesystem::create_symlink(at + "/outside", root + "/var/lib");
  auto replaced = write(collection(), again(true));
  ASSERT_TRUE(replaced) << format(replaced.error());
  EXPECT_EQ(names_in(root + "/var/lib/service"), Names{});
  EXPECT_EQ(names_in(at + "/outside/service"), Names{"file"});
}

TEST_F(ReplaceTest, WhoUsesTheOldOneKeepsItsFiles) {
  const int file = open((root + "/usr/lib/part").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_TRUE(write(collection(), again()));
  char byte = 0;
  EXPECT_EQ(pread(file, &byte, 1, 299'999), 1);
  EXPECT_EQ(byte, 'p');
  close(file);
}

TEST_F(ReplaceTest, AFailureLeavesTheOldOne) {
  put_text(root + "/var/lib/service/data", "precious");
  const uint64_t before = stat_at(root).st_ino;
  const Collection all = collection();
  unlink((from + "/usr/bin/tool").c_str());
  EXPECT_FALSE(write(all, again()));
  EXPECT_EQ(stat_at(root).st_ino, before);
  EXPECT_EQ(text_of(root + "/var/lib/service/data"), "precious");
  EXPECT_TRUE(read_manifest(root));
  done();
}

// The last steps: each one that fails takes back those before it.
TEST_F(ReplaceTest, AnExchangeIsDoneInFullOrNotAtAll) {
  put_text(root + "/var/lib/service/data", "precious");
  auto place = Place::open(root);
  ASSERT_TRUE(place);
  const Finished finished{".root.immure-abcdef", ".root.immure-abcdef.json", 0, false};
  std::filesystem::create_directories(at + "/" + finished.tree + "/var/lib/service");
  const uint64_t old_inode = stat_at(root).st_ino;
  const uint64_t new_inode = stat_at(at + "/" + finished.tree).st_ino;
  const int old_root = open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::vector<State> states = {{"/var/lib/service", 0755, {geteuid(), getegid()}},
                                     {"/var/lib/other", 0755, {geteuid(), getegid()}}};
  const auto as_before = [&] {
    EXPECT_EQ(stat_at(root).st_ino, old_inode);
    EXPECT_EQ(stat_at(at + "/" + finished.tree).st_ino, new_inode);
    EXPECT_EQ(text_of(root + "/var/lib/service/data"), "precious");
    EXPECT_EQ(names_in(at + "/" + finished.tree + "/var/lib/service"), Names{});
  };
  std::string notes;
  // A second state for which the new tree has no place.
  std::filesystem::create_directory(root + "/var/lib/other");
  EXPECT_FALSE(exchange(*place, finished, old_root, states, notes));
  as_before();
  // No manifest to be renamed.
  std::filesystem::create_directory(at + "/" + finished.tree + "/var/lib/other");
  EXPECT_FALSE(exchange(*place, finished, old_root, states, notes));
  as_before();
  // Another folder has the name by now.
  const int other = open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  EXPECT_FALSE(exchange(*place, finished, other, states, notes));
  close(other);
  as_before();
  put_text(at + "/" + finished.manifest, "{}");
  EXPECT_TRUE(exchange(*place, finished, old_root, states, notes));
  EXPECT_EQ(stat_at(root).st_ino, new_inode);
  EXPECT_EQ(text_of(root + "/var/lib/service/data"), "precious");
  EXPECT_EQ(text_of(manifest_path(root)), "{}");
  EXPECT_EQ(notes, "");
  close(old_root);
  done();
}

// State that nobody has carried over yet is not cleared away.
TEST_F(ReplaceTest, AnExchangeThatWasKilledIsToldOf) {
  std::filesystem::create_directory(at + "/.root.immure-abcdef.old");
  put_text(at + "/.root.immure-abcdef.old/data", "precious");
  auto replaced = write(collection(), again(true));
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, Code::kBadRoot);
  EXPECT_NE(replaced.error().why.find(".root.immure-abcdef.old"), std::string::npos);
  EXPECT_EQ(text_of(at + "/.root.immure-abcdef.old/data"), "precious");
}

TEST_F(ReplaceTest, AMountInTheOldOneIsARefusal) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: mounts";
  with_own_mounts([&] {
    ASSERT_EQ(mount("none", (root + "/var/lib/service").c_str(), "tmpfs", 0, nullptr), 0);
    put_text(root + "/var/lib/service/data", "precious");
    for (bool discard : {false, true}) {
      auto replaced = write(collection(), again(discard));
      ASSERT_FALSE(replaced);
      EXPECT_NE(replaced.error().why.find("mounted"), std::string::npos) << format(replaced.error());
    }
    EXPECT_EQ(text_of(root + "/var/lib/service/data"), "precious");
  });
  done();
}

// Whoever looks by the name finds a whole root at any time.
TEST_F(ReplaceTest, TheNameIsNeverWithoutARoot) {
  std::atomic<bool> stop = false;
  std::atomic<int> missed = 0;
  std::thread looking([&] {
    while (!stop) missed += access((root + "/usr/lib/part").c_str(), R_OK) == 0 ? 0 : 1;
  });
  for (int round = 0; round < 20; ++round) EXPECT_TRUE(write(collection(), again()));
  stop = true;
  looking.join();
  EXPECT_EQ(missed, 0);
  done();
}

}  // namespace
}  // namespace immure::rootfs

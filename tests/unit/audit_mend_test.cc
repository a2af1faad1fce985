// A tree is mended and put back, by hand and by a kill at every call; and nothing else is touched.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "audit/mend/apply.h"
#include "base/text.h"

namespace immure::audit::mend {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Rule rule_of(const char* id, Mend mend) {
  Rule rule;
  rule.id = id;
  rule.mend = mend;
  return rule;
}
const Rule kStrip = rule_of("tree-set-id", Mend::StripBits),
           kClose = rule_of("tree-writable", Mend::CloseWrite), kOwn = rule_of("tree-owner", Mend::TakeOwner),
           kBreak = rule_of("tree-hard-link", Mend::BreakLink), kOut = rule_of("tree-node", Mend::Quarantine);

void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}
std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string attributes_of(const std::string& path) {
  char names[4096], value[4096];
  std::map<std::string, std::string> all;
  ssize_t size = llistxattr(path.c_str(), names, sizeof names);
  for (const char* name = names; name < names + size; name += strlen(name) + 1) {
    ssize_t length = lgetxattr(path.c_str(), name, value, sizeof value);
    all[name] = length < 0 ? "?" : std::string(value, static_cast<size_t>(length));
  }
  std::string text;
  for (const auto& [name, bytes] : all) text += " " + name + "=" + printable(bytes);
  return text;
}

// All that a tree is, but for ctime; to read it changes nothing of it.
std::map<std::string, std::string> snapshot(const std::string& top) {
  std::map<std::string, std::string> all;
  auto add = [&](const std::string& path) {
    struct stat st {};
    if (lstat(path.c_str(), &st) != 0) return;
    std::string text = "inode " + num(st.st_ino) + " mode " + hex(st.st_mode) + " owner " + num(st.st_uid) +
                       ":" + num(st.st_gid) + " links " + num(st.st_nlink) + " rdev " + num(st.st_rdev) +
                       " size " + num(static_cast<uint64_t>(st.st_size)) + " mtime " +
                       num_signed(st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec) +
                       attributes_of(path);
    if (!S_ISDIR(st.st_mode))
      text += " atime " + num_signed(st.st_atim.tv_sec * 1'000'000'000 + st.st_atim.tv_nsec);
    if (S_ISREG(st.st_mode)) {
      const int fd = open(path.c_str(), O_RDONLY | O_NOATIME | O_CLOEXEC);
      char bytes[4096];
      ssize_t n = read(fd, bytes, sizeof bytes);
      close(fd);
      text += " content " + std::string(bytes, n > 0 ? static_cast<size_t>(n) : 0);
    }
    all[path] = text;
  };
  add(top);
  for (const auto& entry : fs::recursive_directory_iterator(top)) add(entry.path());
  return all;
}

void set_capability(const std::string& path) {
  vfs_cap_data data{};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = 1u << CAP_NET_RAW;
  ASSERT_EQ(setxattr(path.c_str(), "security.capability", &data, XATTR_CAPS_SZ_2, 0), 0);
}

struct MendTest : testing::Test {
  std::string top, root, outside;

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root: owners, capabilities and device nodes";
    // In memory where that is to be had: what is written is written through, hundreds of times.
    char name[] = "/dev/shm/immure-mend-XXXXXX";
    if (access("/dev/shm", W_OK) != 0) memcpy(name, "/var/tmp", 8);
    ASSERT_NE(mkdtemp(name), nullptr);
    top = name;
    make();
  }
  void TearDown() override {
    std::error_code ignored;
    if (!top.empty()) fs::remove_all(top, ignored);
  }

  void make() {
    root = top + "/root";
    outside = top + "/outside";
    fs::remove_all(root);
    fs::remove_all(outside);
    for (const char* folder : {"", "/bin", "/etc", "/dev", "/run", "/lib"})
      mkdir((root + folder).c_str(), 0755);
    mkdir(outside.c_str(), 0755);
    put(root + "/bin/su", "su");
    chmod((root + "/bin/su").c_str(), 06755);
    put(root + "/bin/ping", "ping");
    chmod((root + "/bin/ping").c_str(), 0755);
    set_capability(root + "/bin/ping");
    put(root + "/etc/profile", "x");
    chown((root + "/etc/profile").c_str(), 1000, 1000);
    chmod((root + "/etc/profile").c_str(), 04666);
    setxattr((root + "/etc/profile").c_str(), "user.note", "kept", 4, 0);
    chmod((root + "/lib").c_str(), 0777);
    put(outside + "/shared", "shared content");
    chmod((outside + "/shared").c_str(), 04755);
    set_capability(outside + "/shared");
    setxattr((outside + "/shared").c_str(), "user.note", "of both", 7, 0);
    link((outside + "/shared").c_str(), (root + "/bin/one").c_str());
    link((outside + "/shared").c_str(), (root + "/lib/two\n\xff").c_str());
    put(root + "/bin/inner", "inner");
    chmod((root + "/bin/inner").c_str(), 02755);
    link((root + "/bin/inner").c_str(), (root + "/bin/inner2").c_str());
    mknod((root + "/dev/mem").c_str(), S_IFCHR | 0660, makedev(1, 1));
    mkfifo((root + "/run/fifo").c_str(), 0666);
    set_all_times();
  }

  void set_all_times() const {
    long i = 0;
    auto set = [&](const std::string& path) {
      const timespec times[2] = {{1500000000 + i, 123456789}, {1400000000 + i, 987654321}};
      ++i;
      utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
    };
    std::vector<std::string> all = {root, outside};
    for (const char* part : {"/root", "/outside"})
      for (const auto& entry : fs::recursive_directory_iterator(top + part)) all.push_back(entry.path());
    for (const std::string& path : all) set(path);
  }

  static Finding at(const Rule& rule, const std::string& where) {
    Finding made;
    made.rule = &rule;
    made.where = where;
    return made;
  }
  static std::vector<Finding> everything() {
    return {at(kStrip, "/bin/su"),      at(kStrip, "/bin/ping"),  at(kOwn, "/etc/profile"),
            at(kClose, "/etc/profile"), at(kClose, "/lib"),       at(kBreak, "/bin/one"),
            at(kStrip, "/bin/one"),     at(kStrip, "/bin/inner"), at(kOut, "/dev/mem"),
            at(kOut, "/run/fifo"),      at(kStrip, "/bin/gone")};
  }

  std::vector<Step> surveyed(const std::vector<Finding>& findings) const {
    auto opened = Root::open(root);
    EXPECT_TRUE(opened);
    auto steps = survey(*opened, plan_mending(findings));
    EXPECT_TRUE(steps);
    return *steps;
  }
  Outcome mend(const std::vector<Finding>& findings, const std::string& journal = {}) const {
    auto opened = Root::open(root);
    EXPECT_TRUE(opened);
    auto out = carry_out(*opened, surveyed(findings), journal);
    EXPECT_TRUE(out) << format(out.error());
    return out ? *out : Outcome{};
  }
  Outcome put_back(const std::string& journal) const {
    auto out = undo(journal, false);
    EXPECT_TRUE(out) << format(out.error());
    return out ? *out : Outcome{};
  }
  std::map<std::string, std::string> now() const {
    auto all = snapshot(root);
    all.merge(snapshot(outside));
    return all;
  }
  static std::string words(const Outcome& out) {
    std::string text;
    for (const Said& said : out.steps) text += said.path + (said.done ? ": " : " NOT: ") + said.text + "\n";
    return text;
  }
};

uint32_t bits_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(lstat(path.c_str(), &st), 0) << path;
  return st.st_mode & 07777;
}
bool is_there(const std::string& path) { return fs::exists(fs::symlink_status(path)); }

TEST_F(MendTest, MendsAndPutsBackBitByBit) {
  const auto before = now();
  const auto partner = snapshot(outside);
  const Outcome out = mend(everything());
  EXPECT_EQ(out.refused(), 1u) << words(out);  // what is gone
  EXPECT_EQ(bits_of(root + "/bin/su"), 0755u);
  EXPECT_EQ(bits_of(root + "/etc/profile"), 0644u);
  EXPECT_EQ(bits_of(root + "/lib"), 0775u);
  EXPECT_EQ(bits_of(root + "/bin/one"), 0755u);
  EXPECT_EQ(bits_of(root + "/bin/inner"), 0755u);
  EXPECT_EQ(getxattr((root + "/bin/ping").c_str(), "security.capability", nullptr, 0), -1);
  EXPECT_EQ(text_of(root + "/bin/one"), "shared content");
  EXPECT_THAT(attributes_of(root + "/bin/one"), HasSubstr("of both"));
  EXPECT_FALSE(is_there(root + "/dev/mem"));
  EXPECT_FALSE(is_there(root + "/run/fifo"));
  struct stat one {
  }, two{}, shared{};
  stat((root + "/bin/one").c_str(), &one);
  stat((root + "/lib/two\n\xff").c_str(), &two);
  stat((outside + "/shared").c_str(), &shared);
  EXPECT_EQ(one.st_ino, two.st_ino);  // the names inside stay one file
  EXPECT_EQ(one.st_nlink, 2u);
  EXPECT_NE(one.st_ino, shared.st_ino);
  EXPECT_EQ(one.st_mtim.tv_nsec, 987654321);
  EXPECT_EQ(snapshot(outside), partner);  // the partner has lost nothing

  const Outcome back = put_back(out.journal);
  EXPECT_EQ(back.refused(), 0u) << words(back);
  EXPECT_EQ(now(), before);
  EXPECT_FALSE(is_there(out.quarantine));
  auto twice = undo(out.journal, false);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().what, HasSubstr("was undone already"));
  EXPECT_EQ(now(), before);
}

TEST_F(MendTest, WhatIsSharedWithTheOutsideKeepsItsModeThere) {
  const auto before = now();
  const Outcome out = mend({at(kStrip, "/bin/one"), at(kStrip, "/bin/su")});
  EXPECT_EQ(out.refused(), 0u);
  EXPECT_EQ(bits_of(outside + "/shared"), 04755u);
  EXPECT_EQ(bits_of(root + "/bin/one"), 0755u);
  EXPECT_EQ(bits_of(root + "/bin/su"), 0755u);
  put_back(out.journal);
  EXPECT_EQ(now(), before);
}

TEST_F(MendTest, AllThatAnOwnerHasIsTaken) {
  for (const char* name : {"/bin/su", "/dev/mem", "/lib"}) lchown((root + name).c_str(), 4711, 4711);
  symlink("su", (root + "/bin/link").c_str());
  lchown((root + "/bin/link").c_str(), 4711, 4711);
  const auto before = now();
  Rule all = kOwn;
  all.fix = "find {path} -uid {value}";
  Finding one = at(all, "/lib");
  one.value = "4711";
  const Outcome out = mend({one});
  EXPECT_EQ(out.steps.size(), 4u) << words(out);
  EXPECT_EQ(out.refused(), 0u) << words(out);
  for (const char* name : {"/bin/su", "/dev/mem", "/lib", "/bin/link"}) {
    struct stat st {};
    lstat((root + name).c_str(), &st);
    EXPECT_EQ(st.st_uid, 0u) << name;
  }
  put_back(out.journal);
  EXPECT_EQ(now(), before);
}

TEST_F(MendTest, WhatChangedSinceItWasSeenIsRefusedAndTheRestGoesOn) {
  auto opened = Root::open(root);
  const auto steps = surveyed(everything());
  chmod((root + "/bin/su").c_str(), 04711);
  unlink((root + "/dev/mem").c_str());
  put(root + "/dev/mem", "a file now");
  rename((root + "/run").c_str(), (top + "/run").c_str());
  symlink(outside.c_str(), (root + "/run").c_str());
  mkfifo((outside + "/fifo").c_str(), 0666);
  put(outside + "/shared", "other content");
  const auto partner = snapshot(outside);
  auto out = carry_out(*opened, steps);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->refused(), 5u) << words(*out);
  EXPECT_EQ(bits_of(root + "/bin/su"), 04711u);
  EXPECT_EQ(text_of(root + "/dev/mem"), "a file now");
  EXPECT_EQ(snapshot(outside), partner);
  EXPECT_EQ(bits_of(root + "/lib"), 0775u);
}

TEST_F(MendTest, UndoRefusesWhatWasChangedSinceAndTellsIt) {
  const Outcome out = mend(everything());
  put(root + "/bin/su", "something else");  // would get its set-id bits back
  put(outside + "/shared", "the partner has changed");
  mkfifo((root + "/run/fifo").c_str(), 0600);  // the name is taken
  chmod((root + "/lib").c_str(), 0700);
  const Outcome back = put_back(out.journal);
  EXPECT_EQ(back.refused(), 5u) << words(back);
  EXPECT_EQ(bits_of(root + "/bin/su"), 0755u);
  EXPECT_EQ(bits_of(root + "/bin/one"), 0755u);
  EXPECT_EQ(bits_of(root + "/run/fifo"), 0600u);
  EXPECT_EQ(bits_of(root + "/lib"), 0700u);
  EXPECT_TRUE(is_there(root + "/dev/mem"));
  EXPECT_TRUE(is_there(out.quarantine));
  // What was refused can be tried again, and what was done is not done twice.
  unlink((root + "/run/fifo").c_str());
  const Outcome again = put_back(out.journal);
  EXPECT_EQ(again.refused(), 4u) << words(again);
  EXPECT_TRUE(is_there(root + "/run/fifo"));
}

TEST_F(MendTest, APartnerThatHidesItsChangeIsNotLinkedAgain) {
  const Outcome out = mend({at(kBreak, "/bin/one")});
  struct stat st {};
  stat((outside + "/shared").c_str(), &st);
  put(outside + "/shared", "shareD content");
  chmod((outside + "/shared").c_str(), 04755);
  const timespec times[2] = {st.st_atim, st.st_mtim};
  utimensat(AT_FDCWD, (outside + "/shared").c_str(), times, 0);
  const Outcome back = put_back(out.journal);
  EXPECT_EQ(back.refused(), 2u) << words(back);
  EXPECT_EQ(text_of(root + "/bin/one"), "shared content");
}

TEST_F(MendTest, AFileOpenForWritingGetsNoPowersBack) {
  const Outcome out = mend({at(kStrip, "/bin/su")});
  const int fd = open((root + "/bin/su").c_str(), O_WRONLY | O_CLOEXEC);
  const Outcome back = put_back(out.journal);
  EXPECT_EQ(back.refused(), 1u);
  EXPECT_EQ(bits_of(root + "/bin/su"), 0755u);
  close(fd);
  EXPECT_EQ(put_back(out.journal).refused(), 0u);
  EXPECT_EQ(bits_of(root + "/bin/su"), 06755u);
}

TEST_F(MendTest, AFoldersTimeIsLeftWhenSomethingElseHappenedThere) {
  const Outcome out = mend({at(kOut, "/run/fifo")});
  put(root + "/run/new", "");
  const auto changed = fs::last_write_time(root + "/run");
  put_back(out.journal);
  EXPECT_GE(fs::last_write_time(root + "/run"), changed);
}

TEST_F(MendTest, JournalsOfOthersAreNotBelieved) {
  const Outcome out = mend(everything());
  const auto mended = now();
  const std::string copy = top + "/copy";
  auto refused = [&](const char* why) {
    auto undone = undo(copy, false);
    ASSERT_FALSE(undone) << why;
    EXPECT_EQ(now(), mended) << why;
  };
  fs::copy_file(out.journal, copy);
  chmod(copy.c_str(), 0644);
  refused("others may read it");
  chmod(copy.c_str(), 0600);
  chown(copy.c_str(), 1000, 1000);
  refused("it is another user's");
  chown(copy.c_str(), 0, 0);
  fs::rename(copy, copy + "2");
  symlink((copy + "2").c_str(), copy.c_str());
  refused("it is a link");
  unlink(copy.c_str());
  mkfifo(copy.c_str(), 0600);
  refused("it is a fifo");
}

TEST_F(MendTest, NoJournalInTheTree) {
  auto opened = Root::open(root);
  symlink((root + "/etc").c_str(), (top + "/way").c_str());
  for (const std::string& journal : {root + "/journal", root + "/etc/journal", top + "/way/journal"}) {
    auto out = carry_out(*opened, surveyed(everything()), journal);
    ASSERT_FALSE(out) << journal;
    EXPECT_EQ(out.error().code, Code::kBadValue);
    EXPECT_EQ(bits_of(root + "/bin/su"), 06755u);
  }
}

TEST_F(MendTest, AnotherFolderOfThatNameIsNotPutBack) {
  const Outcome out = mend(everything());
  rename(root.c_str(), (top + "/away").c_str());
  mkdir(root.c_str(), 0755);
  EXPECT_FALSE(undo(out.journal, false));
  rmdir(root.c_str());
  rename((top + "/away").c_str(), root.c_str());
  EXPECT_EQ(put_back(out.journal).refused(), 0u);
}

TEST_F(MendTest, TheHostIsNeverMended) { EXPECT_FALSE(Root::open("/")); }

TEST_F(MendTest, WhoRunsInItIsSeen) {
  for (const char* below : {"", "/lib"}) {
    auto opened = Root::open(root);
    EXPECT_TRUE(nobody_inside(*opened));
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
      char byte = 0;
      if (chroot((root + below).c_str()) != 0) _exit(1);
      (void)!write(pipes[1], &byte, 1);
      pause();
      _exit(0);
    }
    char byte = 0;
    ASSERT_EQ(read(pipes[0], &byte, 1), 1);
    auto inside = nobody_inside(*opened);
    ASSERT_FALSE(inside);
    EXPECT_THAT(inside.error().why, HasSubstr(num(static_cast<uint64_t>(child))));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(pipes[0]);
    close(pipes[1]);
  }
}

// ---- kills

// Runs `body` in a process and calls `at_entry` with the number of each call that it enters, until that says
// that the process is to be killed. True: it was.
bool traced(const std::function<void()>& body, const std::function<bool(uint64_t)>& at_entry) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    body();
    _exit(0);
  }
  int status = 0;
  bool entering = true;
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  for (;;) {
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) return false;
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
    user_regs_struct regs{};
    if (entering && ptrace(PTRACE_GETREGS, child, nullptr, &regs) == 0 && at_entry(regs.orig_rax)) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return true;
    }
    entering = !entering;
  }
}

bool may_change_something(uint64_t call) {
  switch (call) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_ftruncate:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_openat:
    case SYS_mkdirat:
    case SYS_linkat:
    case SYS_unlinkat:
    case SYS_renameat2:
    case SYS_chmod:
    case SYS_fchmod:
    case SYS_fchown:
    case SYS_fchownat:
    case SYS_utimensat:
    case SYS_setxattr:
    case SYS_fsetxattr:
    case SYS_removexattr: return true;
    default: return false;
  }
}

// Kills `body` when it enters its nth call that may change something. False: it came to its end.
bool killed_at(int nth, const std::function<void()>& body) {
  int seen = 0;
  return traced(body, [&](uint64_t call) { return may_change_something(call) && ++seen == nth; });
}

// What is put in the way after the last look at a name, and before it is moved or exchanged.
TEST_F(MendTest, WhatIsPutInTheWayAtTheLastMomentIsPutBack) {
  for (const char* name : {"/run/fifo", "/bin/one"}) {
    make();
    const std::string path = root + name, journal = top + "/journal";
    bool meddled = false;
    const std::vector<Finding> findings = {at(name == std::string("/run/fifo") ? kOut : kBreak, name)};
    traced([&] { (void)mend(findings, journal); },
           [&](uint64_t call) {
             if (call == SYS_renameat2 && !meddled) {
               meddled = true;
               rename(path.c_str(), (path + ".away").c_str());
               put(path, "somebody's");
               set_all_times();
             }
             return false;
           });
    EXPECT_TRUE(meddled);
    EXPECT_EQ(text_of(path), "somebody's") << name;
    EXPECT_TRUE(is_there(path + ".away"));
    EXPECT_EQ(text_of(outside + "/shared"), "shared content");
    EXPECT_EQ(put_back(journal).refused(), 0u);
    EXPECT_EQ(text_of(path), "somebody's") << name;
    unlink(journal.c_str());
  }
}

TEST_F(MendTest, AKillAtAnyCallLeavesAJournalThatPutsEverythingBack) {
  const std::string journal = top + "/journal";
  int kills = 0;
  for (int nth = 1; nth < 500; ++nth) {
    make();
    const auto before = now();
    const auto findings = everything();
    if (!killed_at(nth, [&] { (void)mend(findings, journal); })) break;
    ++kills;
    // Without a line nothing had begun.
    if (is_there(journal) && fs::file_size(journal) > 0) {
      auto back = undo(journal, false);
      if (back) {
        EXPECT_EQ(back->refused(), 0u) << "killed at " << nth << "\n" << words(*back);
      } else {
        EXPECT_THAT(back.error().what, HasSubstr("is empty")) << nth;
      }
    }
    EXPECT_EQ(now(), before) << "killed at " << nth;
    unlink(journal.c_str());
    for (const auto& entry : fs::directory_iterator(top))
      if (entry.path().filename().string().starts_with("root.immure-fix")) {
        EXPECT_TRUE(fs::is_empty(entry.path())) << nth;
      }
    if (HasFailure()) return;
  }
  EXPECT_GT(kills, 50);
}

TEST_F(MendTest, AKillWhilePuttingBackIsPutBackByTheNext) {
  const std::string journal = top + "/journal";
  int kills = 0;
  for (int nth = 1; nth < 500; ++nth) {
    make();
    const auto before = now();
    mend(everything(), journal);
    const bool killed = killed_at(nth, [&] { (void)undo(journal, false); });
    if (killed) {
      ++kills;
      auto back = undo(journal, false);
      // The very last word of it may have been written.
      if (back) {
        EXPECT_EQ(back->refused(), 0u) << "killed at " << nth << "\n" << words(*back);
      }
    }
    EXPECT_EQ(now(), before) << "killed at " << nth;
    unlink(journal.c_str());
    if (!killed || HasFailure()) break;
  }
  EXPECT_GT(kills, 20);
}

// ---- races

TEST_F(MendTest, NamesThatAreExchangedForLinksLeadNowhere) {
  mkdir((outside + "/bin").c_str(), 0755);
  for (const char* name : {"/bin/su", "/bin/one", "/bin/ping"}) {
    put(outside + name, "outside");
    chmod((outside + name).c_str(), 06755);
  }
  mknod((outside + "/bin/mem").c_str(), S_IFCHR | 0600, makedev(1, 1));
  symlink((outside + "/bin").c_str(), (root + "/evil").c_str());
  symlink((outside + "/bin/su").c_str(), (root + "/evil-su").c_str());
  const auto before = snapshot(outside);
  std::atomic<bool> stop = false;
  std::thread hostile([&] {
    const int at = open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (!stop) {
      for (int i = 0; i < 2; ++i) renameat2(at, "bin", at, "evil", RENAME_EXCHANGE);
      for (int i = 0; i < 2; ++i) renameat2(at, "bin/su", at, "evil-su", RENAME_EXCHANGE);
    }
    close(at);
  });
  auto opened = Root::open(root);
  std::vector<std::string> journals;
  int done = 0;
  for (int i = 0; i < 60; ++i) {
    auto out = carry_out(*opened, surveyed(everything()));
    ASSERT_TRUE(out) << format(out.error());
    for (const Said& said : out->steps) done += said.done ? 1 : 0;
    auto back = undo(out->journal, false);
    ASSERT_TRUE(back) << format(back.error());
    journals.push_back(out->journal);
  }
  stop = true;
  hostile.join();
  EXPECT_GT(done, 0);
  // Not even the hard link's partner: all names inside were put back, or are in a quarantine.
  auto after = snapshot(outside);
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace immure::audit::mend

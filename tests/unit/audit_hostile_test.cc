// What a jail puts in the way of who looks at it and of who does what the look says.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "audit/facts.h"
#include "audit/facts/live.h"
#include "audit/facts/tree.h"
#include "audit/facts/tree_walk.h"
#include "audit/mend/journal.h"
#include "audit/mend/survey.h"
#include "audit/report.h"
#include "base/text.h"
#include "unit/audit_child.h"

namespace immure::audit {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class HostileTree : public testing::Test {
 protected:
  void SetUp() override {
    // In memory lists of rights may be longer than a block.
    std::string name = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : fs::temp_directory_path().string();
    name += "/immure-hostile-XXXXXX";
    home_ = mkdtemp(name.data());
    top_ = home_ + "/top";
    fs::create_directory(top_);
  }
  void TearDown() override {
    if (fork() == 0) execlp("rm", "rm", "-rf", home_.c_str(), nullptr), _exit(1);
    wait(nullptr);
  }
  void put(const std::string& name, const std::string& text = "x", mode_t mode = 0644) const {
    fs::create_directories(fs::path(top_ + "/" + name).parent_path());
    std::ofstream(top_ + "/" + name) << text;
    chmod((top_ + "/" + name).c_str(), mode);
  }
  Tree look() const {
    auto tree = look_at_tree(top_, {.threads = 1});
    EXPECT_TRUE(tree.has_value());
    return tree ? std::move(*tree) : Tree{};
  }
  static Answers ask_of(const Tree& tree, const char* id) {
    Facts facts;
    facts.tree = &tree;
    const Rule* rule[] = {find_rule(id)};
    EXPECT_NE(rule[0], nullptr);
    return ask(facts, rule);
  }
  // The last word of a rule, empty: it could look.
  static std::string why_not(const Tree& tree, const char* id) {
    std::string why;
    const Answers answers = ask_of(tree, id);
    for (const auto& answer : answers.answers())
      if (answer.state == Answers::State::Unknown) why = answer.why;
    return why;
  }
  bool is_marked(const Tree& tree, const char* path, uint32_t mark) const {
    for (const Note& note : tree.notes)
      if (note.path == path && (note.marks & mark) != 0) return true;
    return false;
  }
  std::string home_, top_;
};

std::string output_of(const std::string& shell, const std::string& command) {
  const std::string file = fs::temp_directory_path() / ("immure-hostile-" + num_signed(getpid()));
  std::ofstream(file) << command;
  std::string said;
  if (FILE* pipe = popen((shell + " " + file + " 2>&1").c_str(), "r"); pipe != nullptr) {
    char part[256];
    while (fgets(part, sizeof part, pipe) != nullptr) said += part;
    pclose(pipe);
  }
  unlink(file.c_str());
  return said;
}

TEST(HostileFix, ANameThatATerminalMustNotSeeGivesNoShellACommand) {
  for (const char* name :
       {"/srv/x\x01';echo GOT IT;'", "/srv/x\x01\\';echo GOT IT;#", "/srv/\xff'\n echo GOT IT\n"})
    for (const char* shell : {"dash", "bash", "sh"})
      EXPECT_THAT(output_of(shell, "true " + shell_word(name) + "\n"), testing::Not(HasSubstr("GOT IT")))
          << printable(name) << " in " << shell;
}

// The command of a rule has the user's name between quotes of its own, and sed executes what it reads.
TEST(HostileFix, AUsersNameIsNoPartOfACommandUnlessItIsAName) {
  for (const char* id : {"tree-second-root", "tree-empty-password"}) {
    Finding finding;
    finding.rule = find_rule(id);
    ASSERT_NE(finding.rule, nullptr);
    finding.path = "/srv/jail/etc/passwd";
    finding.value = "toor";
    EXPECT_THAT(fix_command(finding, {}), HasSubstr("^toor:"));
    for (const char* name :
         {"x;reboot;#", "x'$(reboot)'", "x y", "r/s/^/id/w/etc/cron.d/x", ".*", "", "x\ny"}) {
      finding.value = name;
      EXPECT_EQ(fix_command(finding, {}), "") << printable(name);
    }
  }
}

TEST_F(HostileTree, WhatFillsTheStoreHidesNothingUnsaid) {
  std::string deep;
  for (int level = 0; level < 15; ++level) deep += "/" + std::string(250, 'd');
  const int at = open(top_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  fs::create_directories(top_ + deep);
  const int folder = openat(at, deep.substr(1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(folder, 0);
  // Fewer than are kept of a mark, and longer than all that is kept. 48 MiB by 12,000 of 4,000 bytes.
  for (int i = 0; i < 13000; ++i) {
    const std::string name = num(static_cast<uint64_t>(i)) + std::string(200, 'n');
    mknodat(folder, name.c_str(), S_IFREG | 0644, 0);
    fchmodat(folder, name.c_str(), i % 2 == 0 ? 0666 : 04755, 0);
  }
  close(folder);
  close(at);
  const Tree tree = look();
  EXPECT_LT(tree.marked[0], kMostOfAMark);
  EXPECT_LT(tree.notes.size(), 13000U);
  EXPECT_GT(tree.untold, 0U);
  EXPECT_THAT(why_not(tree, "tree-device-memory"), HasSubstr("more than are kept"));
}

TEST_F(HostileTree, FilesThatAreReadAreBounded) {
  for (int i = 0; i < 60; ++i) {
    const std::string name = "etc/sudoers.d/" + num(static_cast<uint64_t>(i));
    put(name);
    ASSERT_EQ(truncate((top_ + "/" + name).c_str(), 1 << 20), 0);
  }
  const Tree tree = look();
  size_t bytes = 0;
  for (const KnownFile& file : tree.files) bytes += file.text.size();
  EXPECT_LT(bytes, 40U << 20);
  EXPECT_GT(tree.untold, 0U);
}

TEST_F(HostileTree, AListOfRightsIsReadHoweverLong) {
  put("etc/passwd", "root:x:0:0::/:/bin/sh\n", 0664);
  // Version, owner, 600 users who may write, group, mask, others.
  std::string list("\2\0\0\0", 4);
  auto row = [&list](uint16_t tag, uint16_t rights, uint32_t id) {
    for (uint16_t half : {tag, rights}) list += {static_cast<char>(half), static_cast<char>(half >> 8)};
    for (int byte = 0; byte < 4; ++byte) list += static_cast<char>(id >> (8 * byte));
  };
  row(1, 6, ~uint32_t{0});
  for (uint32_t user = 0; user < 600; ++user) row(2, 6, 2000 + user);
  for (auto tag : std::initializer_list<uint16_t>{4, 16, 32}) row(tag, tag == 32 ? 4 : 6, ~uint32_t{0});
  if (setxattr((top_ + "/etc/passwd").c_str(), "system.posix_acl_access", list.data(), list.size(), 0) != 0)
    GTEST_SKIP() << "no such lists here: " << errno_text(errno);
  const Tree tree = look();
  EXPECT_TRUE(is_marked(tree, "/etc/passwd", kAclOpens));
  EXPECT_EQ(tree.unasked, 0U);
}

TEST_F(HostileTree, AttributesThatCannotBeReadEarnNothing) {
  Tree tree;
  tree.unasked = 1;
  EXPECT_NE(why_not(tree, "tree-capabilities-root"), "");
  EXPECT_EQ(why_not(tree, "tree-device-memory"), "");
}

TEST_F(HostileTree, ALinkThatSeemsToStayInsideByAnotherLinkIsSeen) {
  put("etc/passwd");
  fs::create_directories(top_ + "/d/e");
  auto link = [&](const char* target, const char* name) {
    ASSERT_EQ(symlink(target, (top_ + name).c_str()), 0);
  };
  link(".", "/s");
  link("s/s/../../etc/shadow", "/out");
  link("..", "/d/up");
  link("up/../etc/shadow", "/d/out");
  link("d/../etc/passwd", "/stays");
  link("e/../../etc/passwd", "/d/stays");
  link("nothing/../etc/passwd", "/dangles");
  const Tree tree = look();
  for (const char* out : {"/out", "/d/out"}) EXPECT_TRUE(is_marked(tree, out, kLeadsUp)) << out;
  for (const char* in : {"/stays", "/d/stays", "/dangles", "/s", "/d/up"})
    EXPECT_FALSE(is_marked(tree, in, kLeadsUp)) << in;
}

TEST_F(HostileTree, AFolderThatLetsNobodyLookAtItsNamesIsSaid) {
  put("opt/x");
  chmod((top_ + "/opt").c_str(), 0744);
  chmod(home_.c_str(), 0755);
  chmod(top_.c_str(), 0755);
  if (geteuid() != 0) GTEST_SKIP() << "root alone can become another user";
  const pid_t child = fork();
  if (child == 0) {
    if (setresgid(1, 1, 1) != 0 || setresuid(1, 1, 1) != 0) _exit(9);
    auto tree = look_at_tree(top_, {.threads = 1});
    _exit(tree && tree->unreadable == 1 && tree->vanished == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// Two folders that are moved into each other whenever one of them is entered.
class Mover : public Visitor {
 public:
  explicit Mover(std::string top) : top_(std::move(top) + "/") {}
  bool enter(WalkFolder& folder, int, const struct statx&) override {
    if (folder.depth == 0) return true;
    const std::string here = folder.name, other = here == "x" ? "y" : "x";
    ++entered;
    rename((top_ + other + "/" + here).c_str(), (top_ + here).c_str());
    rename((top_ + other).c_str(), (top_ + here + "/" + other).c_str());
    return entered < 1000;
  }
  void meet(WalkFolder&, int, const char*, size_t, uint64_t, unsigned char) override {}
  void missed(WalkFolder&, std::string_view, int) override { ++missed_; }
  int entered = 0, missed_ = 0;

 private:
  std::string top_;
};

TEST_F(HostileTree, FoldersThatAreMovedIntoEachOtherHaveAnEnd) {
  fs::create_directory(top_ + "/x");
  fs::create_directory(top_ + "/y");
  std::vector<std::unique_ptr<Visitor>> visitors;
  visitors.push_back(std::make_unique<Mover>(top_));
  const auto* mover = static_cast<const Mover*>(visitors.front().get());
  const int top = open(top_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  walk_tree(top, visitors);
  close(top);
  EXPECT_GE(mover->entered, 2);
  EXPECT_LT(mover->entered, 1000);
  EXPECT_GE(mover->missed_, 1);
}

// Whoever names a wrong file loses nothing of it.
TEST_F(HostileTree, AFileThatIsNoJournalStaysWhole) {
  for (const char* text : {"first\nand a last line without its end", "no line at all", "", "{}\n{\"cut"}) {
    put("notes", text, 0600);
    EXPECT_FALSE(mend::open_journal(top_ + "/notes").has_value());
    std::ifstream file(top_ + "/notes", std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
}

bool is_jailed(int pid) {
  for (const JailedGroup& group : jailed_groups(*look_around())) {
    if (group.pid == pid) return true;
    for (int other : group.others)
      if (other == pid) return true;
  }
  return false;
}

TEST(HostileProcess, AJailWhoseFirstThreadHasEndedIsNotHidden) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root";
  int numbers[2];
  ASSERT_EQ(pipe2(numbers, O_CLOEXEC), 0);
  const pid_t first = fork();
  if (first == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chroot("/usr") != 0 || chdir("/") != 0) _exit(1);
    std::thread([&numbers] {
      usleep(100'000);
      const auto tid = static_cast<int>(syscall(SYS_gettid));
      if (write(numbers[1], &tid, sizeof tid) != sizeof tid) _exit(1);
      for (;;) pause();
    }).detach();
    syscall(SYS_exit, 0);
  }
  close(numbers[1]);
  int tid = 0;
  const bool told = read(numbers[0], &tid, sizeof tid) == static_cast<ssize_t>(sizeof tid);
  close(numbers[0]);
  const bool seen = told && is_jailed(tid);
  auto live = look_at_live(tid);
  kill(first, SIGKILL);
  waitpid(first, nullptr, 0);
  EXPECT_TRUE(told);
  EXPECT_TRUE(seen);
  ASSERT_TRUE(live.has_value());
  EXPECT_EQ((*live)->root, RootKind::Chroot);
}

TEST(HostileProcess, AFileThatIsNamedLikeMemoryIsAFile) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root";
  Child child([] {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", "/mnt", "tmpfs", 0, nullptr) != 0 ||
        open("/mnt/memfd:x (deleted)", O_RDWR | O_CREAT, 0600) < 0 || umount2("/mnt", MNT_DETACH) != 0 ||
        syscall(SYS_memfd_create, "y", 0) < 0)
      _exit(1);
  });
  ASSERT_TRUE(child.ready());
  auto process = look_at_process(child.pid());
  ASSERT_TRUE(process.has_value() && process->fds);
  int files = 0, memory = 0;
  for (const FdView& fd : *process->fds) {
    if (fd.target.starts_with("/memfd:x")) files += fd.kind == FdKind::File ? 1 : 0;
    if (fd.target.starts_with("/memfd:y")) memory += fd.kind == FdKind::Memfd ? 1 : 0;
  }
  EXPECT_EQ(files, 1);
  EXPECT_EQ(memory, 1);
}

// A file system whose server answers what is needed to be mounted and entered, and then nothing any more.
void mount_silent(const char* target) {
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0 || unshare(CLONE_NEWNS) != 0) _exit(1);
  const std::string options = "fd=" + num_signed(fuse) + ",rootmode=40000,user_id=0,group_id=0";
  if (mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", target, "fuse", 0, options.c_str()) != 0)
    _exit(1);
  std::thread([fuse] {
    alignas(8) static char ask[1 << 18];
    for (;;) {
      if (read(fuse, ask, sizeof ask) <= 0) continue;
      fuse_in_header in{};
      memcpy(&in, ask, sizeof in);
      struct {
        fuse_out_header head;
        fuse_init_out init;
      } out{};
      out.head.unique = in.unique;
      out.head.len = sizeof out.head;
      if (in.opcode == FUSE_INIT) {
        out.head.len = sizeof out;
        out.init.major = FUSE_KERNEL_VERSION;
        out.init.minor = FUSE_KERNEL_MINOR_VERSION;
        out.init.max_write = 4096;
      } else if (in.opcode == FUSE_ACCESS) {
        out.head.error = -ENOSYS;
      } else {
        continue;
      }
      if (write(fuse, &out, out.head.len) < 0) _exit(1);
    }
  }).detach();
}

void root_that_never_answers() {
  mount_silent("/mnt");
  if (chroot("/mnt") != 0) _exit(1);
}

// On the way to what is looked for in every jail: the socket of a service in /var/lib.
void var_that_never_answers() { mount_silent("/var"); }

bool silent_file_systems_can_be_made() { return geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0; }

// However many make who reads them wait: all together they are waited for as long as it is said, who is not
// looked at is told, and who answers is looked at.
TEST(HostileProcess, ManyThatNeverAnswerMakeNobodyWaitForEach) {
  if (!silent_file_systems_can_be_made()) GTEST_SKIP() << "takes root and /dev/fuse";
  using std::chrono::milliseconds;
  std::vector<std::unique_ptr<Child>> children;
  std::vector<int> pids;
  Child answers([] {});
  for (int i = 0; i < 8; i++) {
    children.push_back(std::make_unique<Child>(var_that_never_answers));
    ASSERT_TRUE(children.back()->ready()) << "a file system of its own";
    pids.push_back(children.back()->pid());
    if (i == 2) pids.push_back(answers.pid());
  }
  const auto passed = [&](const Patience& patience, std::vector<std::string>& told) {
    const auto begin = std::chrono::steady_clock::now();
    for (auto& one : look_at_many(pids, look_around(), patience))
      told.push_back(one ? "seen" : one.error().what + ": " + one.error().why);
    return std::chrono::steady_clock::now() - begin;
  };
  std::vector<std::string> told;
  // Each of them alone would be waited for 2 s.
  EXPECT_LT(passed({milliseconds(200), milliseconds(2000), 64}, told), milliseconds(6000));
  ASSERT_EQ(told.size(), 9u);
  for (size_t i = 0; i < told.size(); i++)
    EXPECT_THAT(told[i], testing::HasSubstr(i == 3 ? "seen" : "longer than 2 s")) << i;
  told.clear();
  EXPECT_LT(passed({milliseconds(200), milliseconds(500), 4}, told), milliseconds(3000));
  for (size_t i = 0; i < told.size(); i++)
    EXPECT_THAT(told[i], testing::HasSubstr(i == 3  ? "seen"
                                            : i < 5 ? "longer than"
                                                    : "was not looked at: 4 others"))
        << i;
}

TEST(HostileProcess, AJailWhoseRootNeverAnswersIsSeenAndMakesNobodyWait) {
  if (!silent_file_systems_can_be_made()) GTEST_SKIP() << "takes root and /dev/fuse";
  Child child(root_that_never_answers);
  ASSERT_TRUE(child.ready()) << "a file system of its own";
  const time_t begin = time(nullptr);
  EXPECT_TRUE(is_jailed(child.pid()));
  auto live = look_at_live(child.pid());
  ASSERT_TRUE(live.has_value()) << live.error().why;
  EXPECT_EQ((*live)->root, RootKind::Chroot);
  std::string folder = fs::temp_directory_path() / "immure-silent-XXXXXX";
  auto root = mend::Root::open(mkdtemp(folder.data()));
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(mend::processes_in(*root), std::vector<int>());
  fs::remove(folder);
  EXPECT_LT(time(nullptr) - begin, 4);
}

}  // namespace
}  // namespace immure::audit

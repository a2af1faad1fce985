// The rows of the default jail, one by one: memory, processes, processors, files, and the end of it all.
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "support/rows.h"

namespace immure::test {
namespace {

// Either the kernel ends the process that wants too much, or the supervisor the whole jail.
bool is_ended(const Sights& seen, const Scene&) {
  return seen.outcome.status == 128 + SIGKILL || seen[0].verdict == "SIGKILL";
}
bool not_all_get_it(const Sights& seen, const Scene&) {
  return seen.outcome.status == 128 + SIGKILL || !seen[0].ok();
}
bool told_to_try_again(const Sights& seen, const Scene&) { return seen[0].verdict == "EAGAIN"; }
bool takes_its_time(const Sights& seen, const Scene&) { return seen[0].ok() && seen.outcome.seconds > 0.9; }
bool too_large(const Sights& seen, const Scene&) { return seen[0].verdict == "EFBIG"; }
bool too_many_files(const Sights& seen, const Scene&) { return seen[0].verdict == "EMFILE"; }

bool no_more_watches(const Sights& seen, const Scene&) { return seen[0].verdict == "ENOSPC"; }
bool no_more_buffers(const Sights& seen, const Scene&) { return seen[0].verdict == "ENOBUFS"; }

Can may_watch_thousands() {
  const long most = std::atol(read_file("/proc/sys/fs/inotify/max_user_watches").c_str());
  return {most >= 40000, "the caller may not have 40000 inotify watches itself"};
}
Can can_limit_tcp() {
  if (Can v1 = can_have_cgroup_v1(); !v1.yes) return v1;
  if (access("/sys/fs/cgroup/memory/memory.kmem.tcp.usage_in_bytes", F_OK) != 0) return {false, "groups do not count buffers of TCP here"};
  return can_use_controller("memory");
}
Can can_limit_processors() { return can_use_controller("cpu"); }
Can may_open_thousands() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return {limit.rlim_max >= 4096, "the caller may not open 4096 files itself"};
}

Can may_have_thousands_wait() {
  rlimit limit{};
  getrlimit(RLIMIT_SIGPENDING, &limit);
  return {limit.rlim_cur >= 8192, "the caller may not have 8192 signals wait itself"};
}

std::vector<Row> rows() {
  return {
      {.name = "memory (S87)",
       .on = {"--memory", "48M"},
       .off = {"--memory", "none"},
       .look = {{"alloc", "96"}},
       .holds = is_ended},
      {.name = "memory of several processes together (S87)",
       .on = {"--memory", "48M"},
       .off = {"--memory", "none"},
       .look = {{"hog", "4", "24", "0.3"}},
       .holds = not_all_get_it},
      {.name = "memory of a process whose first thread has ended (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "48M"},
       .off = {"--memory", "none"},
       .look = {{"headless", "96", "0.3"}},
       .holds = is_ended},
      {.name = "memory in page tables (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "48M"},
       .off = {"--memory", "none"},
       .look = {{"tables", "96", "0.3"}},
       .holds = is_ended},
      {.name = "memory in sockets (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "48M"},
       .off = {"--memory", "none"},
       .look = {{"sockets", "96", "0.3"}},
       .holds = is_ended},
      {.name = "memory in sockets whose senders have gone (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "48M"},
       .off = {"--memory", "none"},
       .look = {{"sockets", "96", "0.3", "closed"}},
       .holds = is_ended},
      {.name = "memory in pipes (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "24M"},
       .off = {"--memory", "none"},
       .look = {{"pipes", "40", "0.3"}},
       .holds = is_ended},
      {.name = "memory in pipes, a byte in each page (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "24M"},
       .off = {"--memory", "none"},
       .look = {{"pipes", "40", "0.3", "bytes"}},
       .holds = is_ended},
      {.name = "memory in pipes that one thread alone has open (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "24M"},
       .off = {"--memory", "none"},
       .look = {{"pipes", "40", "0.3", "thread"}},
       .holds = is_ended},
      {.name = "memory in pipes of a program that cannot be looked into (S87)",
       .with = {"--need", "cgroup=off"},
       .on = {"--memory", "24M"},
       .off = {"--memory", "none"},
       .look = {{"pipes", "40", "0.3", "hidden"}},
       .holds = is_ended},
      {.name = "processes, without an option (S87)",
       .off = {"--pids", "none"},
       .look = {{"fork", "600"}},
       .holds = told_to_try_again},
      {.name = "processes, as many as are said (S87)",
       .on = {"--pids", "20"},
       .look = {{"fork", "40"}},
       .holds = told_to_try_again},
      {.name = "processors (S87)",
       .on = {"--cpus", "0.1"},
       .look = {{"burn", "0.15"}},
       .holds = takes_its_time,
       .needs = {can_limit_processors}},
      {.name = "processor time (S86)",
       .on = {"--cpu-time", "200ms"},
       .look = {{"burn", "0.6"}},
       .holds = is_ended},
      {.name = "processor time of children that have ended (S86)",
       .on = {"--cpu-time", "200ms"},
       .look = {{"litter", "12", "0.05"}},
       .holds = is_ended},
      {.name = "processor time of children that have ended, without a group (S86)",
       .on = {"--cpu-time", "200ms", "--need", "cgroup=off"},
       .look = {{"litter", "12", "0.05"}},
       .holds = is_ended},
      {.name = "processor time of children that nobody waits for (S86)",
       .on = {"--cpu-time", "200ms"},
       .look = {{"litter", "60", "0.01", "unwaited"}},
       .holds = is_ended,
       .needs = {can_limit_processors}},
      {.name = "the size of a file, without an option (S86)",
       .off = {"--file-size", "none"},
       .look = {{"file-size", "/tmp/large", "17000"}},
       .holds = too_large},
      // Both are counted for the caller as well: one jail must not take what root, or a user, has of them.
      {.name = "inotify instances (S87)",
       .off = {"--need", "rlimits=off"},
       .look = {{"inotify", "40"}},
       .holds = too_many_files},
      {.name = "inotify watches (S87)",
       .off = {"--need", "rlimits=off"},
       .look = {{"watches", "18000", "{tmp}"}},
       .holds = no_more_watches,
       .needs = {may_watch_thousands}},
      {.name = "buffers of TCP, by a group of version 1 (S87)",
       .on = {"--memory", "256M"},
       .off = {"--memory", "256M", "--need", "cgroup=off"},
       .look = {{"tcp-buffers", "48"}},
       .holds = no_more_buffers,
       .needs = {can_limit_tcp}},
      {.name = "timers and waiting signals (S87)",
       .off = {"--need", "rlimits=off"},
       .look = {{"timers", "5000"}},
       .holds = told_to_try_again,
       .needs = {may_have_thousands_wait}},
      {.name = "open files, without an option (S39, S86)",
       .off = {"--open-files", "4096"},
       .look = {{"open-files", "1100"}},
       .holds = too_many_files,
       .needs = {may_open_thousands}},
  };
}

class LimitRows : public RowTest {};
TEST_P(LimitRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, LimitRows, testing::ValuesIn(rows()), row_name);

// What the caller may not read he may not look into either; the supervisor counts it all the same.
TEST_F(JailTest, CountsAProgramThatTheCallerCannotRead_S87) {
  SKIP_UNLESS(can_be_root());
  constexpr uid_t kSomebody = 54321;
  const std::string own = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  setenv("TMPDIR", "/tmp", 1);   // where anybody can go
  TempDir dir;
  setenv("TMPDIR", own.c_str(), 1);
  const std::string program = dir.file("unreadable", read_file(payload("probe")), 0711);
  mkdir((dir / "run").c_str(), 0700);
  ASSERT_EQ(chown((dir / "run").c_str(), kSomebody, kSomebody), 0);
  for (const bool limited : {true, false}) {
    Jail jail;
    jail.options({"--ro-bind", program + ":/opt/unreadable", "--memory", limited ? "48M" : "none"});
    // A fast machine has 96 MiB for less long than the time between two looks.
    std::vector<std::string> words = {"/opt/unreadable"};
    for (int n = 0; n < 8; n++) words.insert(words.end(), {"alloc", "96", ","});
    words.insert(words.end(), {"sleep", "0.1"});
    Command command = jail.command(words);
    command.env("XDG_RUNTIME_DIR", dir / "run").env("HOME", dir / "run").before_exec([] {
      if (setgroups(0, nullptr) != 0 || setresgid(kSomebody, kSomebody, kSomebody) != 0 ||
          setresuid(kSomebody, kSomebody, kSomebody) != 0)
        _exit(99);
    });
    Sights seen = sights_of(command.run());
    if (limited) {
      EXPECT_EQ(seen.outcome.status, 128 + SIGKILL) << seen;
    } else {
      EXPECT_EQ(seen.outcome.status, 0) << seen;
    }
  }
}

// The probes that have this word among theirs, as the host's /proc shows them; forked ones count, too.
std::vector<pid_t> probes_with(const std::string& word) {
  std::vector<pid_t> found;
  for (const std::string& pid : list_dir("/proc")) {
    const std::string line = read_file("/proc/" + pid + "/cmdline"), program = line.c_str();
    const bool is_probe = program.size() > 6 && program.compare(program.size() - 6, 6, "/probe") == 0;
    if (is_probe && line.find(word) != std::string::npos) found.push_back(std::atoi(pid.c_str()));
  }
  return found;
}

// A program may get along, or hide it: who reads the end has to know why less was done. Held long enough to
// be summed.
TEST_F(JailTest, TellsThatTheLimitOfProcessesWasReached) {
  auto told = [](size_t wanted) {
    Actions actions(wanted, {"daemon", "9"});
    actions.push_back({"burn", "0.15"});   // by the one more that there may be
    return Jail().options({"--pids", "12"}).probe(actions).outcome;
  };
  Outcome many = told(20), few = told(4);
  EXPECT_NE(many.err.find("--pids 24"), std::string::npos) << many.out << many.err;
  EXPECT_EQ(few.err, "") << few.out;
}

// (S76, S30) killed from outside, the supervisor takes the whole jail with it: a program that has taken its
// parent-death signal off, and one that hides in a session of its own. Without a jail both go on.
TEST_F(JailTest, CannotOutliveItsSupervisor) {
  const std::string mark = name_mark() + "outlives";
  const Actions actions = {{"pdeathsig", "0"}, {"daemon", "60"}, {"echo", mark}, {"sleep", "60"}};
  Running jailed = Jail().probe_command(actions).start();
  ASSERT_TRUE(jailed.wait_for("echo: ok")) << jailed.out();
  EXPECT_GE(probes_with(mark).size(), 2u) << "the control: both are seen from outside";
  jailed.signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return probes_with(mark).empty(); }));

  Command shell({"/bin/sh", "-c", "\"$0\" \"$@\" & wait", payload("probe")});
  Running unjailed = shell.args(probe_words(actions)).start();
  ASSERT_TRUE(unjailed.wait_for("echo: ok")) << unjailed.out();
  unjailed.signal(SIGKILL);
  EXPECT_FALSE(eventually([&] { return probes_with(mark).empty(); }, 0.3))
      << "nobody ends them, so the test can see it";
  for (pid_t pid : probes_with(mark)) kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return probes_with(mark).empty(); }));
}

// What is open and holds little is not taken for much.
TEST_F(JailTest, ManyPipesAreNotMuchMemory) {
  Sights seen = Jail().options({"--need", "cgroup=off", "--memory", "48M"}).probe({{"idle-pipes", "300", "0.3"}});
  ASSERT_FALSE(seen.all.empty()) << seen;
  EXPECT_TRUE(seen[0].ok()) << seen;
}

TEST_F(JailTest, ManySocketsAreNotMuchMemory) {
  Sights seen = Jail().options({"--need", "cgroup=off", "--memory", "48M"}).probe({{"idle-sockets", "300", "0.3"}});
  ASSERT_FALSE(seen.all.empty()) << seen;
  EXPECT_TRUE(seen[0].ok()) << seen;
}

}  // namespace
}  // namespace immure::test

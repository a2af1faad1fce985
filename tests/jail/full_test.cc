// Runs that immure-full reads first: profiles in files, filters in JSON, plans that are only shown.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/living_jail.h"

namespace immure::test {
namespace {

class Full : public JailTest {};

// Without the line breaks of a page.
std::string in_one_line(const std::string& page) {
  std::string out;
  for (char c : page) {
    bool blank = c == ' ' || c == '\n';
    if (!blank) out += c;
    if (blank && !out.empty() && out.back() != ' ') out += ' ';
  }
  return out;
}

constexpr const char* kNoMkdir =
    R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]})";

// A probe with run's options.
Sights probe_with(const std::vector<std::string>& options, const Actions& actions, const std::string& cwd = "/") {
  return sights_of(Jail().options(options).probe_command(actions).cwd(cwd).run());
}

// Filters that were compiled are kept in the user's folder of state; here it is one that goes.
class FullWithCache : public Full {
 protected:
  void SetUp() override { setenv("XDG_RUNTIME_DIR", runtime_.path().c_str(), 1); }
  void TearDown() override {
    setenv("XDG_RUNTIME_DIR", before_.c_str(), 1);
    Full::TearDown();
  }
  TempDir runtime_;
  const std::string before_ = getenv("XDG_RUNTIME_DIR") != nullptr ? getenv("XDG_RUNTIME_DIR") : "";
};

TEST_F(Full, ADryRunRunsNothing) {
  TempDir dir;
  Outcome dry = immure({"run", "--dry-run", "--bind", dir.path(), "--", "/usr/bin/touch", dir / "touched"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_FALSE(exists(dir / "touched"));
  EXPECT_NE(dry.out.find("pivot_root"), std::string::npos) << dry.out;
  EXPECT_NE(dry.out.find("execve"), std::string::npos);
  // A long path leaves the origin for the next line.
  EXPECT_NE(in_one_line(dry.out).find("argument 3 (--bind)"), std::string::npos)
      << "every value says where it came from\n"
      << dry.out;
  Outcome json = immure({"explain", "--json", "--", "true"});
  EXPECT_EQ(json.out.find("{\"schema\":\"immure.explain/1\""), 0u) << json.out << json.err;
  EXPECT_EQ(immure({"run", "--dry-run", "--bind", "/no/such", "--", "true"}).status, 125);
}

// So that no mapping of ids is needed, which not every file system has.
void open_to_all(const std::string& folder) { EXPECT_EQ(chmod(folder.c_str(), 0777), 0); }

// What git outside would run is git's whole folder, not its hooks alone: a file "commondir" in it names other
// settings.
TEST_F(Full, AProjectsProfileKeepsGitsFolder) {
  TempDir dir;
  const std::string git = dir / "p/.git";
  for (const char* name : {"p", "p/.git"}) open_to_all(dir.dir(name, 0777));
  dir.file("p/.git/HEAD", "ref: refs/heads/main\n");
  Jail jail;
  jail.options({"--profile", "project"});
  auto run = [&](const Actions& actions) {
    return sights_of(jail.probe_command(actions).cwd(dir / "p").run());
  };
  Sights seen = run({{"open", git + "/commondir", "create"},
                     {"mkdir", git + "/hooks"},
                     {"open", git + "/HEAD", "r"},
                     {"rename", git, dir / "p/g"},
                     {"open", dir / "p/made", "create"}});
  EXPECT_EQ(seen[0].verdict, "EROFS") << seen;
  EXPECT_EQ(seen[1].verdict, "EROFS") << seen;
  EXPECT_TRUE(seen[2].ok()) << seen;
  EXPECT_FALSE(seen[3].ok()) << seen;
  EXPECT_TRUE(seen[4].ok()) << seen;
  EXPECT_EQ(seen.outcome.err.find("made during the run"), std::string::npos) << seen;
  jail.options({"--bind", git});
  EXPECT_TRUE(run({{"open", git + "/HEAD.lock", "create"}})[0].ok()) << "by a word it can be written";
}

// Nothing can be mounted over what is not there, and nothing is made on the host: it is told.
TEST_F(Full, WhatAProjectsProfileCouldNotKeepIsTold) {
  TempDir dir;
  open_to_all(dir.dir("p", 0777));
  const std::string rc = dir / "p/.envrc";
  Jail jail;
  jail.options({"--profile", "project"});
  Sights seen = sights_of(jail.probe_command({{"open", rc, "create"}}).cwd(dir / "p").run());
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_NE(seen.outcome.err.find("made during the run"), std::string::npos) << seen;
  EXPECT_NE(seen.outcome.err.find("'" + rc + "'"), std::string::npos) << seen;
  EXPECT_EQ(seen.outcome.err.find(".npmrc"), std::string::npos) << seen;
  Command explain = immure_command({"explain", "--profile", "project", "--", "true"});
  Outcome told = explain.cwd(dir / "p").run();
  EXPECT_NE(told.out.find("it is not there"), std::string::npos) << told.out;
  EXPECT_NE(told.out.find("/.npmrc\n"), std::string::npos) << told.out;
}

// As an editor does that saves a file: the kernel takes the mount over the former one away.
TEST_F(Full, WhatSomebodyOutsideExchangesIsTold) {
  TempDir dir;
  open_to_all(dir.dir("p", 0777));
  const std::string rc = dir / "p/.envrc";
  dir.file("p/.envrc", "one", 0666);
  dir.file("p/.npmrc", "one", 0666);
  Jail jail;
  jail.options({"--profile", "project"});
  Running running = jail.command({"/bin/sh", "-c", "echo in; until [ -e go ]; do sleep 0.05; done"}).cwd(dir / "p").start();
  ASSERT_TRUE(running.wait_for("in"));
  dir.file("p/new", "two", 0666);
  ASSERT_EQ(rename((dir / "p/new").c_str(), rc.c_str()), 0);
  dir.file("p/go", "", 0666);
  Outcome told = running.wait();
  EXPECT_EQ(told.status, 0) << told.err;
  EXPECT_NE(told.err.find("exchanged"), std::string::npos) << told.err;
  EXPECT_NE(told.err.find("'" + rc + "'"), std::string::npos) << told.err;
  EXPECT_EQ(told.err.find(".npmrc"), std::string::npos) << told.err;
}

TEST_F(Full, ExplainTakesAWordForAProgramOnlyWhenThereIsOne) {
  Outcome term = immure({"explain", "capability"});
  EXPECT_EQ(term.status, 125);
  EXPECT_NE(term.err.find("did you mean capabilities?"), std::string::npos) << term.err;
  EXPECT_EQ(immure({"explain", "sh"}).status, 0);
  EXPECT_EQ(immure({"explain", "--", "no-such-program"}).status, 0) << "said to be a command";
  EXPECT_NE(immure({"explain", "limits.memory"}).out.find("--memory SIZE"), std::string::npos);
}

TEST_F(Full, AWordTooManyIsAnError) {
  for (const char* verb : {"version", "ps", "doctor"}) EXPECT_EQ(immure({verb, "word"}).status, 125) << verb;
}

TEST_F(Full, ExplainTellsWhatHoldsEachLimit) {
  Outcome told = immure({"explain", "--memory", "96M", "--", "true"});
  bool group = told.out.find("memory.limit_in_bytes = 100663296") != std::string::npos ||
               told.out.find("memory.max = 100663296") != std::string::npos;
  bool summed = told.out.find("96 MiB, summed by the supervisor") != std::string::npos;
  EXPECT_NE(group, summed) << told.out;
}

TEST_F(FullWithCache, AFilterInJsonHolds) {
  TempDir dir;
  const std::string filter = dir.file("filter.json", kNoMkdir);
  for (int i = 0; i < 2; i++) {   // compiled, then from the cache
    Sights seen = probe_with({"--seccomp", filter}, {{"mkdir", "/tmp/x"}, {"open", "/tmp/y", "create"}, {"status", "Seccomp"}});
    EXPECT_EQ(seen[0].verdict, "EACCES") << seen;
    EXPECT_TRUE(seen[1].ok()) << seen;
    EXPECT_EQ(value_of(seen[2].text, "Seccomp"), "2") << seen;
  }
  Outcome missing = immure({"run", "--seccomp", dir / "none.json", "--", "true"});
  EXPECT_EQ(missing.status, 125);
  EXPECT_NE(missing.err.find("IMM-E010"), std::string::npos) << missing.err;
  EXPECT_EQ(immure({"run", "--seccomp", dir.file("broken.json", "{"), "--", "true"}).status, 125);
}

// Whoever can write there chooses the filters of later jails: a jail cannot, even if it has its caller's home.
TEST_F(FullWithCache, CompiledFiltersAreOutOfReachOfJails) {
  TempDir home;
  home.dir("work");
  const std::string filter = home.file("work/filter.json", kNoMkdir);
  Command command = Jail().option("--seccomp").option(filter).probe_command({{"mkdir", "/tmp/x"}});
  EXPECT_EQ(command.env("HOME", home.path()).unset("XDG_CACHE_HOME").run().status, 0);
  EXPECT_FALSE(exists(home / ".cache"));
  EXPECT_FALSE(list_dir(state_dir() + "/filters").empty());
  EXPECT_EQ(immure({"run", "--bind", state_dir() + "/filters:/mnt", "--", "true"}).status, 125);
}

// The jail can be entered only under the very filter that it was started with.
TEST_F(FullWithCache, AnEnteredJailHasTheFilterOfItsStart) {
  TempDir dir;
  const std::string filter = dir.file("filter.json", kNoMkdir);
  LivingJail jail({"--seccomp", filter});
  EXPECT_EQ(jail.probe({{"mkdir", "/tmp/x"}})[0].verdict, "EACCES");
  std::string wider = kNoMkdir;
  wider.replace(wider.find("\"mkdirat\""), 9, "\"rmdir\"");
  ASSERT_TRUE(write_file(filter, wider));
  Outcome refused = jail.exec({"true"}).run();
  EXPECT_EQ(refused.status, 125);
  EXPECT_NE(refused.err.find("cannot be made again"), std::string::npos) << refused.err;
}

TEST_F(Full, ProfilesInFilesCountAndProjectsOnlyTighten) {
  TempDir dir;
  dir.dir("open");
  const std::string profile = dir.file("p.toml", "hostname = \"fromfile\"\n[env]\nGIVEN = \"yes\"\n");
  Sights seen = probe_with({"--profile", profile}, {{"hostname"}, {"env"}});
  EXPECT_EQ(seen[0].text, "fromfile") << seen;
  EXPECT_NE(seen[1].text.find("GIVEN=yes"), std::string::npos) << seen;
  dir.file("project/immure.toml", "hostname = \"tight\"\nnet = \"host\"\n");
  Outcome loosened = Jail().probe_command({{"hostname"}}).cwd(dir / "project").run();
  EXPECT_EQ(loosened.status, 125) << loosened.out;
  EXPECT_NE(loosened.err.find("IMM-E004"), std::string::npos) << loosened.err;
  dir.file("project/immure.toml", "[limits]\nopen-files = \"44\"\n");
  Sights tight = probe_with({}, {{"rlimits"}}, dir / "project");
  EXPECT_NE(tight[0].text.find("nofile=44"), std::string::npos) << tight;
}

// What is handed from one program to the other meets neither the program's descriptors nor its arguments. (S34)
TEST_F(Full, NothingOfTheHandOverIsSeenInside) {
  TempDir dir;
  const std::string profile = dir.file("p.toml", "[env]\nTOKEN = \"hunter2\"\n");
  int file = open(profile.c_str(), O_RDONLY | O_CLOEXEC);
  Command command = Jail().options({"--profile", profile, "--pass-fd", "9"}).probe_command({{"fds"}, {"fd-read", "9"}, {"sleep", "1"}});
  Running running = command.pass(9, file).start();
  ASSERT_TRUE(running.wait_for("fds: ok"));
  for (const std::string& pid : list_dir("/proc"))
    EXPECT_EQ(read_file("/proc/" + pid + "/cmdline").find("hunter2"), std::string::npos) << pid;
  Sights seen = sights_of(running.wait());
  EXPECT_EQ(seen[0].text, "0 1 2 9") << seen;
  EXPECT_NE(seen[1].text.find("hunter2"), std::string::npos) << "the file that was passed, and not a memory file: " << seen;
  close(file);
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--profile", profile, "--pass-fd", "3"}, {"--pass-fd", "3"}}) {
    Outcome unopened = Jail().options(options).command({"true"}).closed(3).run();
    EXPECT_EQ(unopened.status, 125) << "descriptor 3 must not be one of immure's own: " << options.size();
  }
}

TEST_F(Full, TellsUnknownVerbsAndOptionsApart) {
  Outcome verb = immure({"rnu"});
  EXPECT_EQ(verb.status, 125);
  EXPECT_NE(verb.err.find("did you mean immure run?"), std::string::npos) << verb.err;
  EXPECT_NE(immure({}).err.find("usage: immure VERB"), std::string::npos);
  EXPECT_EQ(immure({"--version"}).out.find("immure "), 0u);
  EXPECT_EQ(immure({"run", "--help"}).out.find("usage: immure run"), 0u);
  EXPECT_EQ(immure({"policy", "list", "--names"}).out.find("build\n"), 0u);
  Outcome policy = immure({"policy", "show", "shell", "--why"});
  EXPECT_NE(policy.out.find("# shell.toml:"), std::string::npos) << policy.out;
  for (const char* shell : {"bash", "zsh", "fish"}) EXPECT_NE(immure({"completion", shell}).out.find("immure"), std::string::npos);
}

}  // namespace
}  // namespace immure::test

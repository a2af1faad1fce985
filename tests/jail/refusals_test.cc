// Bad input: one clear error that says what, why or how, and cites its place; a status of immure's own;
// nothing runs and nothing is left.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ostream>

#include "support/rows.h"

namespace immure::test {
namespace {

struct Refusal {
  const char* name;
  std::vector<std::string> words;  // behind `immure run`; {dir} is the scene's folder
  int status = 125;
  std::vector<std::string> says = {};  // all of it stands in the error
  const char* at = nullptr;            // the place that is cited
};
std::ostream& operator<<(std::ostream& out, const Refusal& refusal) { return out << refusal.name; }

const std::vector<Refusal> kRefusals = {
    {"unknown option",
     {"--bnd", "/tmp", "--", "true"},
     125,
     {"'--bnd'", "did you mean --bind?"},
     "argument 2"},
    {"unknown name of a layer",
     {"--need", "lanlock=off", "--", "true"},
     125,
     {"did you mean landlock?"},
     "argument 2 (--need)"},
    {"unknown loosening",
     {"--weaken", "everything", "--", "true"},
     125,
     {"'everything'", "nested-userns"},
     "argument 2 (--weaken)"},
    {"unknown capability",
     {"--cap-add", "net_bind", "--", "true"},
     125,
     {"'net_bind'"},
     "argument 2 (--cap-add)"},
    {"unknown call",
     {"--allow-syscall", "mkdri", "--", "true"},
     125,
     {"did you mean mkdir?"},
     "argument 2 (--allow-syscall)"},
    {"unknown profile", {"--profile", "shel", "--", "true"}, 125, {"'shel'", "shell"}, "--profile shel"},
    {"option without its value", {"--bind"}, 125, {"--bind needs a value"}, "argument 2"},
    {"no command", {}, 125, {"no command"}, nullptr},
    {"empty command", {"--", ""}, 125, {"empty"}, nullptr},

    {"two terminals",
     {"--tty", "--no-tty", "--", "true"},
     125,
     {"--tty and --no-tty"},
     "argument 2 (--tty) and argument 3 (--no-tty)"},
    {"two identities",
     {"--as-root", "--user", "5", "--", "true"},
     125,
     {"--as-root and --user 5"},
     "argument 2 (--as-root) and argument 3 (--user)"},
    {"two filters",
     {"--seccomp", "none", "--allow-syscall", "mount", "--", "true"},
     125,
     {"--seccomp none and --allow-syscall"},
     "argument 2 (--seccomp) and argument 4 (--allow-syscall)"},
    {"a call allowed and denied",
     {"--allow-syscall", "mount", "--deny-syscall", "mount", "--", "true"},
     125,
     {"'mount'"},
     "argument 2 (--allow-syscall) and argument 4 (--deny-syscall)"},
    {"two networks",
     {"--need", "net-ns=require", "--net", "host", "--", "true"},
     125,
     {"--net host"},
     "argument 2 (--need) and argument 4 (--net)"},
    {"two grants for a path",
     {"--bind", "{dir}:/mnt", "--tmpfs", "/mnt", "--", "true"},
     125,
     {"'/mnt'"},
     "(--tmpfs)"},
    {"one descriptor twice",
     {"--fd", "9=/etc/passwd:ro", "--fd", "9=/etc/group:ro", "--", "true"},
     125,
     {"descriptor 9"},
     "(--fd)"},
    {"a layer that every jail has",
     {"--need", "root=off", "--", "true"},
     125,
     {"root"},
     "argument 2 (--need)"},

    {"a bind over proc", {"--bind", "{dir}:/proc", "--", "true"}, 125, {"/proc"}, "argument 2 (--bind)"},
    {"a bind below proc", {"--bind", "{dir}:/proc/sys", "--", "true"}, 125, {"/proc"}, "argument 2 (--bind)"},
    {"a bind below dev", {"--dir", "/dev/x", "--", "true"}, 125, {"/dev"}, "argument 2 (--dir)"},
    {"a relative target", {"--bind", "{dir}:rel", "--", "true"}, 125, {"'rel'"}, "argument 2 (--bind)"},
    {"a target with dots",
     {"--bind", "{dir}:/mnt/../proc", "--", "true"},
     125,
     {".."},
     "argument 2 (--bind)"},
    {"a relative working directory", {"--cwd", "rel", "--", "true"}, 125, {"relative"}, "argument 2 (--cwd)"},
    {"a source that is missing",
     {"--bind", "{dir}/none", "--", "true"},
     125,
     {"does not exist", ":try"},
     "argument 2 (--bind)"},
    {"a source over a link",
     {"--bind", "{dir}/link:/mnt:nofollow", "--", "true"},
     125,
     {"symbolic link"},
     "argument 2 (--bind)"},
    {"a directory as descriptor",
     {"--fd", "9={dir}:ro", "--", "true"},
     125,
     {"directory"},
     "argument 2 (--fd)"},
    {"a descriptor that is not open",
     {"--pass-fd", "77", "--", "true"},
     125,
     {"not open"},
     "argument 2 (--pass-fd)"},
    {"a standard descriptor",
     {"--fd", "1=/etc/passwd:ro", "--", "true"},
     125,
     {"0, 1 and 2"},
     "argument 2 (--fd)"},

    {"a root that leads elsewhere",
     {"--root", "{dir}/link", "--", "true"},
     125,
     {"symbolic link"},
     "argument 2 (--root)"},
    {"a root that leads out",
     {"--root", "{dir}/out", "--", "true"},
     125,
     {"symbolic link", "'/'"},
     "argument 2 (--root)"},
    {"the root of the host",
     {"--root", "/", "--", "true"},
     125,
     {"the host's own root"},
     "argument 2 (--root)"},
    {"the root of the host by another name",
     {"--root", "/proc/self/root/..", "--", "true"},
     125,
     {"root"},
     "argument 2 (--root)"},
    {"a root that is missing",
     {"--root", "{dir}/none", "--", "true"},
     125,
     {"does not exist"},
     "argument 2 (--root)"},
    {"a root that is a file",
     {"--root", "{dir}/file", "--", "true"},
     125,
     {"not a directory"},
     "argument 2 (--root)"},
    {"an empty root",
     {"--root", "{dir}/empty", "--", "/bin/true"},
     127,
     {"'/bin/true'", "does not exist in the jail"},
     nullptr},

    {"a filter that is no JSON", {"--seccomp", "{dir}/file", "--", "true"}, 125, {"no JSON"}, "{dir}/file#"},
    {"a filter of unknown calls",
     {"--seccomp", "{dir}/filter.json", "--", "true"},
     125,
     {"did you mean mkdir?"},
     "{dir}/filter.json#/syscalls/0/names/0"},
    {"a filter that is missing",
     {"--seccomp", "{dir}/none", "--", "true"},
     125,
     {"{dir}/none"},
     "(--seccomp)"},
    {"a profile that is no TOML",
     {"--profile", "{dir}/broken.toml", "--", "true"},
     125,
     {"broken.toml"},
     "broken.toml:2"},
    {"a profile with an unknown key",
     {"--profile", "{dir}/unknown.toml", "--", "true"},
     125,
     {"did you mean hostname?"},
     "unknown.toml:1"},

    {"a limit that is no size",
     {"--memory", "lots", "--", "true"},
     125,
     {"'lots' is no size"},
     "argument 2 (--memory)"},
    {"a limit that is too small",
     {"--memory", "1", "--", "true"},
     125,
     {"too small"},
     "argument 2 (--memory)"},
    {"a limit that is no time",
     {"--wall-time", "soon", "--", "true"},
     125,
     {"'soon'"},
     "argument 2 (--wall-time)"},
    {"a limit that is no number", {"--pids", "-3", "--", "true"}, 125, {"'-3'"}, "argument 2 (--pids)"},
    {"a limit beyond all numbers",
     {"--memory", "99999999999999999999G", "--", "true"},
     125,
     {"--memory"},
     "argument 2 (--memory)"},
    {"a name with a slash", {"--name", "a/../b", "--", "true"}, 125, {"'a/../b'"}, "argument 2 (--name)"},
    {"a host name that is none",
     {"--hostname", "a b", "--", "true"},
     125,
     {"'a b'"},
     "argument 2 (--hostname)"},
    {"a variable without a name", {"--env", "=x", "--", "true"}, 125, {"--env"}, "argument 2 (--env)"},
    {"an id that is none",
     {"--user", "4294967295", "--", "true"},
     125,
     {"4294967295"},
     "argument 2 (--user)"},
    {"an id beyond the range",
     {"--uid-range", "10", "--user", "10", "--", "true"},
     125,
     {"--uid-range 10"},
     "argument 2 (--uid-range) and argument 4 (--user)"},

    {"a command that is a directory", {"--", "/usr"}, 126, {"'/usr'", "directory"}, nullptr},
    {"a command that is no program", {"--", "/etc/passwd"}, 126, {"not marked executable"}, nullptr},
    {"a command that is missing", {"--", "no-such-program"}, 127, {"'no-such-program'"}, nullptr},
    {"a working directory that is missing",
     {"--cwd", "/no/such", "--", "true"},
     125,
     {"/no/such"},
     "argument 2 (--cwd)"},
};

class Refusals : public JailTest, public testing::WithParamInterface<Refusal> {
 protected:
  // What was said is one error of the usual shape.
  static void expect_one_error(const Outcome& outcome, int status) {
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_EQ(outcome.out, "") << "something ran";
    int errors = 0, codes = 0;
    for (const std::string& line : lines_of(outcome.err)) {
      errors += line.rfind("immure: ", 0) == 0;
      codes += line.rfind("  code: IMM-E", 0) == 0;
      EXPECT_TRUE(line.rfind("immure: ", 0) == 0 || line.rfind("  ", 0) == 0) << line;
    }
    EXPECT_EQ(errors, 1) << outcome.err;
    EXPECT_EQ(codes, 1) << outcome.err;
  }
};

TEST_P(Refusals, SayOneThingClearly) {
  const Refusal& refusal = GetParam();
  Scene scene;
  scene.dir().file("file", "no JSON");
  scene.dir().file(
      "filter.json",
      R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdri"],"action":"SCMP_ACT_ERRNO"}]})");
  scene.dir().file("broken.toml", "hostname = \"x\"\n[env\n");
  scene.dir().file("unknown.toml", "hostnam = \"x\"\n");
  scene.dir().dir("empty");
  ASSERT_EQ(symlink("empty", (scene.dir() / "link").c_str()), 0);
  ASSERT_EQ(symlink("/", (scene.dir() / "out").c_str()), 0);
  std::vector<std::string> words = {"run"};
  for (const std::string& word : refusal.words) words.push_back(scene.filled(word, true));
  // Filters that were compiled are kept for the next time, in a folder that stays.
  TempDir runtime;
  Outcome outcome = immure_command(words).env("XDG_RUNTIME_DIR", runtime.path()).run();
  expect_one_error(outcome, refusal.status);
  for (const std::string& part : refusal.says) {
    EXPECT_NE(outcome.err.find(scene.filled(part, true)), std::string::npos) << part << "\n" << outcome.err;
  }
  if (refusal.at == nullptr) return;
  const size_t at = outcome.err.find("  at: ");
  ASSERT_NE(at, std::string::npos) << "no place is cited\n" << outcome.err;
  EXPECT_NE(outcome.err.find(scene.filled(refusal.at, true), at), std::string::npos) << refusal.at << "\n"
                                                                                     << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(BadInput, Refusals, testing::ValuesIn(kRefusals),
                         [](const testing::TestParamInfo<Refusal>& info) {
                           return row_name({Row{.name = info.param.name}, info.index});
                         });

// Without root a range is what /etc/subuid grants, and no more.
// A program of the current folder is the first thing that somebody new tries.
TEST_F(Refusals, AProgramOfTheCurrentFolderNamesTheGrant) {
  TempDir dir;
  dir.file("check", "#!/bin/sh\nexit 3\n", 0755);
  Outcome refused = Command({immure_path(), "run", "./check"}).cwd(dir.path()).run();
  EXPECT_EQ(refused.status, 127);
  EXPECT_NE(refused.err.find("--ro-bind ."), std::string::npos) << refused.err;
  EXPECT_EQ(Command({immure_path(), "run", "--ro-bind", ".", "./check"}).cwd(dir.path()).run().status, 3);
}

TEST_F(Refusals, ARangeThatIsNotGranted) {
  SKIP_UNLESS(can_be_user());
  Outcome outcome = immure_command({"run", "--uid-range", "200000", "--", "true"}).run();
  expect_one_error(outcome, 125);
  EXPECT_NE(outcome.err.find("is not granted here"), std::string::npos) << outcome.err;
}

// Standard descriptors that are closed are /dev/null for the program: no file of immure's takes their
// numbers.
TEST_F(Refusals, ClosedStreamsAreDevNull) {
  for (int fd : {0, 1, 2}) {
    Command command = Jail().probe_command({{"fds"}, {"fd", std::to_string(fd)}, {"exit", "3"}});
    Outcome outcome = command.closed(fd).run();
    EXPECT_EQ(outcome.status, 3) << fd << outcome.err;
    if (fd == 1) continue;
    Sights seen = sights_of(outcome);
    EXPECT_EQ(seen[0].text, "0 1 2") << seen;
    EXPECT_EQ(seen[1].text, "device rw") << seen;
  }
}

// A directory as standard input would be a way out.
TEST_F(Refusals, ADirectoryAsStandardInput) {
  TempDir dir;
  const int folder = open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Outcome outcome = Jail().command({"true"}).pass(0, folder).run();
  close(folder);
  expect_one_error(outcome, 125);
  EXPECT_NE(outcome.err.find("descriptor 0"), std::string::npos) << outcome.err;
}

// Where the state of runs is kept there is no room: the jail is ended, and nothing is left there.
TEST_F(Refusals, AFullDisk) {
  SKIP_UNLESS(can_be_root());
  mkdir(state_dir().c_str(), 0700);
  Command command = Jail().probe_command({{"sleep", "2"}, {"echo", "ran"}});
  command.before_exec([] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      _exit(98);
    if (mount("none", state_dir().c_str(), "tmpfs", 0, "size=4k,mode=700") != 0) _exit(98);
    write_file(state_dir() + "/full", std::string(4096, 'x'));
  });
  Outcome outcome = command.run();
  expect_one_error(outcome, 125);
  EXPECT_NE(outcome.err.find("ENOSPC"), std::string::npos) << outcome.err;
}

// No process can be made any more. Root is not held by the first limit, and not asked to be by the second.
TEST_F(Refusals, OutOfProcessesOfTheGroup) {
  SKIP_UNLESS(can_have_cgroup_v1());
  SKIP_UNLESS(can_use_controller("pids"));
  const std::string group = "/sys/fs/cgroup/pids/" + name_mark() + "full";
  ASSERT_EQ(mkdir(group.c_str(), 0755), 0);
  ASSERT_TRUE(write_file(group + "/pids.max", "1"));
  Command command = Jail().command({"true"});
  command.before_exec([group] { write_file(group + "/cgroup.procs", "0"); });
  Outcome outcome = command.run();
  EXPECT_TRUE(eventually([&] { return rmdir(group.c_str()) == 0; }));
  expect_one_error(outcome, 125);
  EXPECT_NE(outcome.err.find("processes"), std::string::npos) << outcome.err;
}

TEST_F(Refusals, OutOfProcesses) {
  SKIP_UNLESS(can_be_user());
  Command command = Jail().command({"true"});
  command.before_exec([] {
    rlimit none{1, 1};
    setrlimit(RLIMIT_NPROC, &none);
  });
  Outcome outcome = command.run();
  expect_one_error(outcome, 125);
  EXPECT_NE(outcome.err.find("processes"), std::string::npos) << outcome.err;
}

// A program is started in the background and its caller is gone: nobody reads what is said, and nothing is
// left.
TEST_F(Refusals, NobodyListening) {
  Command command = immure_command({"run", "--bnd", "--", "true"});
  EXPECT_EQ(command.closed(2).run().status, 125);
}

}  // namespace
}  // namespace immure::test

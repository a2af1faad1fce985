// State files: what is read from them, and whether it is still true.
#include <gtest/gtest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/text.h"
#include "cli/exec.h"
#include "cli/jail_state.h"
#include "cli/jails.h"
#include "run/state.h"

namespace immure::cli {
namespace {

namespace fs = std::filesystem;

std::string this_boot() {
  std::string id = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  return id.substr(0, id.find('\n'));
}

std::string process(int pid, uint64_t ticks) {
  return "{\"pid\":" + num_signed(pid) + ",\"start_ticks\":" + num(ticks) + "}";
}

std::string state_text(int supervisor, uint64_t ticks, int init, uint64_t init_ticks, const std::string& boot, const std::string& more = {}) {
  return "{\"schema\":\"immure.state/1\",\"name\":\"x\",\"boot_id\":\"" + boot + "\",\"created\":5,\"supervisor\":" +
         process(supervisor, ticks) + ",\"init\":" + process(init, init_ticks) + more + "}\n";
}

class JailStates : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-states-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    chmod(folder_.c_str(), 0700);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  JailState parsed(const std::string& text) {
    auto state = parse_jail_state(text, folder_ + "/x.json");
    EXPECT_TRUE(state) << text;
    return state ? *state : JailState{};
  }
  std::string folder_;
};

// A name that is taken and not yet written, and a file not yet renamed, of somebody who is gone.
TEST_F(JailStates, RemainsOfTheKilledAreCleared) {
  auto old = [&](const std::string& path) {
    const timespec times[2] = {{1000, 0}, {1000, 0}};
    EXPECT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    return path;
  };
  pid_t gone = fork();
  if (gone == 0) _exit(0);
  waitpid(gone, nullptr, 0);
  const std::string dead = "b.json.new." + num(static_cast<uint64_t>(gone)), living = "b.json.new." + num(static_cast<uint64_t>(getpid()));
  const std::string claim = old(write("a.json", "")), half = old(write(dead, "{"));
  const std::string kept[] = {write("young.json", ""), old(write("full.json", "{}")), old(write(living, "{")), write("c" + dead, "{"),
                              old(write("root-1.looked", "")), old(write("x.json.new.word", "{"))};
  clear_remains(folder_);
  EXPECT_FALSE(fs::exists(claim));
  EXPECT_FALSE(fs::exists(half));
  for (const std::string& path : kept) EXPECT_TRUE(fs::exists(path)) << path;
}

TEST_F(JailStates, TellsAllThatIsWritten) {
  JailState state = parsed(state_text(
      10, 20, 30, 40, "boot",
      ",\"command\":[\"sh\",\"-c\",\"x\"],\"groups\":[\"/g\"],\"namespaces\":{\"user\":7,\"time\":9},\"filter\":\"ab\","
      "\"landlock\":{\"files\":65535,\"network\":1,\"scopes\":3,\"rules\":[{\"path\":\"/tmp\",\"rights\":5},{\"port\":80,\"rights\":2}]},"
      "\"words\":[\"memory\",\"1G\",\"argument 2\"]"));
  EXPECT_EQ(state.name, "x");
  EXPECT_EQ(state.supervisor.pid, 10);
  EXPECT_EQ(state.init.start_ticks, 40u);
  EXPECT_EQ(state.command.size(), 3u);
  EXPECT_EQ(state.groups, std::vector<std::string>{"/g"});
  EXPECT_EQ(state.namespaces[0], 7u);
  EXPECT_EQ(state.namespaces[7], 9u);
  EXPECT_EQ(state.landlock.files, 65535u);
  ASSERT_EQ(state.landlock.paths.size(), 1u);
  EXPECT_EQ(state.landlock.paths[0].path, "/tmp");
  ASSERT_EQ(state.landlock.ports.size(), 1u);
  EXPECT_EQ(state.landlock.ports[0].port, 80u);
  EXPECT_EQ(state.words, std::string("memory\0" "1G\0" "argument 2\0", 21));
}

TEST_F(JailStates, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "[]", "{}", "{\"schema\":\"immure.state/2\",\"name\":\"x\"}", "{\"schema\":\"immure.state/1\"}",
                           "{\"schema\":\"immure.state/1\",\"name\":\"x\",\"supervisor\":{\"pid\":-4}}",
                           "{\"schema\":5,\"name\":\"x\"}"})
    EXPECT_FALSE(parse_jail_state(text, "f")) << text;
  // Members of a wrong kind are as if they were not there.
  JailState odd = parsed(state_text(1, 2, 3, 4, "b", ",\"groups\":7,\"command\":[1,\"a\"],\"namespaces\":[],\"landlock\":\"x\""));
  EXPECT_TRUE(odd.groups.empty());
  EXPECT_EQ(odd.command, std::vector<std::string>{"a"});
}

TEST_F(JailStates, ReadsOnlyFilesOfItsUserAlone) {
  std::string good = state_text(1, 2, 3, 4, "b");
  write("a.json", good);
  write("b.json", good, 0644);
  write("c.txt", good);
  write("d.json", "rubbish");
  ASSERT_EQ(symlink((folder_ + "/a.json").c_str(), (folder_ + "/e.json").c_str()), 0);
  ASSERT_EQ(mkfifo((folder_ + "/f.json").c_str(), 0600), 0);
  auto states = read_jail_states(folder_);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].path, folder_ + "/a.json");
}

TEST_F(JailStates, KnowsTheLivingByStartTime) {
  uint64_t ticks = run::start_ticks(getpid());
  EXPECT_TRUE(alive({getpid(), ticks}));
  EXPECT_FALSE(alive({getpid(), ticks + 1})) << "the number was used again";
  EXPECT_FALSE(alive({0, 0}));
  pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_FALSE(alive({child, run::start_ticks(child)})) << "a zombie is dead";
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(open_process({getpid(), ticks + 1}, "x"));
  EXPECT_TRUE(open_process({getpid(), ticks}, "x"));
}

TEST_F(JailStates, TellsTheTruthAfterACrash) {
  uint64_t ticks = run::start_ticks(getpid());
  EXPECT_EQ(life_of(parsed(state_text(getpid(), ticks, getpid(), ticks, this_boot()))), Life::Running);
  EXPECT_EQ(life_of(parsed(state_text(getpid(), ticks + 1, getpid(), ticks, this_boot()))), Life::Abandoned);
  EXPECT_EQ(life_of(parsed(state_text(getpid(), ticks, getpid(), ticks + 1, this_boot()))), Life::Dead);
  EXPECT_EQ(life_of(parsed(state_text(getpid(), ticks, getpid(), ticks, "another boot"))), Life::Dead);
}

// What a dead supervisor left: its pid 1 is ended, its file goes; the file of a jail that took the name stays.
TEST_F(JailStates, CollectsWhatIsLeft) {
  pid_t init = fork();
  if (init == 0) {
    for (;;) pause();
  }
  std::string text = state_text(getpid(), 1, init, run::start_ticks(init), this_boot());
  JailState state = parsed(text);
  write("x.json", text);
  EXPECT_EQ(life_of(state), Life::Abandoned);
  EXPECT_EQ(collect(state), "");
  int status = 0;
  EXPECT_EQ(waitpid(init, &status, 0), init);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_FALSE(fs::exists(folder_ + "/x.json"));

  write("x.json", state_text(getpid(), 2, getpid(), 2, this_boot()));
  EXPECT_EQ(collect(state), "");
  EXPECT_TRUE(fs::exists(folder_ + "/x.json")) << "this is another jail's";
}

TEST_F(JailStates, NeverSignalsANumberThatWasUsedAgain) {
  pid_t other = fork();
  if (other == 0) {
    for (;;) pause();
  }
  JailState state = parsed(state_text(getpid(), 1, other, run::start_ticks(other) + 1, this_boot()));
  collect(state);
  EXPECT_EQ(waitpid(other, nullptr, WNOHANG), 0) << "it lives";
  ::kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
}

// ---- what of a command line belongs to whom

Result<ExecRequest> request(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  return parse_exec(pointers, 2);
}

TEST(ExecWords, FindsNameOptionsAndCommand) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"j", "--env", "A=1", "--", "ls", "-l"},
                                                std::vector<std::string>{"--env", "A=1", "j", "ls", "-l"},
                                                std::vector<std::string>{"--env=A=1", "j", "--", "ls", "-l"},
                                                std::vector<std::string>{"j", "--env", "A=1", "ls", "-l"}}) {
    auto got = request(words);
    ASSERT_TRUE(got) << format(got.error());
    EXPECT_EQ(got->name, "j");
    EXPECT_EQ(got->command, (std::vector<std::string>{"ls", "-l"}));
    ASSERT_EQ(got->words.size(), 1u);
    EXPECT_EQ(got->words[0].value, "A=1");
  }
}

// (S77) nothing that a jail is made of can be said when it is entered.
TEST(ExecWords, RefusesWhatWouldChangeTheJail) {
  for (const char* option : {"--bind=/", "--memory=1G", "--weaken=ptrace", "--seccomp=none", "--as-root", "--net=host", "--cap-add=all",
                             "--pass-fd=5", "--fd=3=/etc/shadow:ro", "--need=landlock=off", "--keep-env", "--name=y", "--profile=shell",
                             "--dry-run"})
    EXPECT_FALSE(request({"j", option, "--", "ls"})) << option;
  EXPECT_FALSE(request({}));
  EXPECT_FALSE(request({"j"}));
  EXPECT_FALSE(request({"--", "j"}));
}

TEST(ExecWords, TakesTheJailsWordsAndNotItsProgramsDescriptors) {
  Jail jail;
  std::vector<Word> words;
  for (auto [name, value] : {std::pair("fd", "5=/etc/hostname:ro"), {"cwd", "/usr"}, {"tty", "true"}, {"pass-env", "A"}, {"memory", "1G"}})
    words.push_back({find_option(name), value, "here"});
  JailState state;
  state.name = "j";
  state.words = encode(words);
  auto got = request({"j", "--env", "A=mine", "ls"});
  ASSERT_TRUE(got);
  auto spec = spec_of(state, *got);
  ASSERT_TRUE(spec) << format(spec.error());
  EXPECT_TRUE(spec->fds.empty());
  EXPECT_EQ(spec->cwd, "");
  EXPECT_EQ(spec->tty, Tty::Auto);
  EXPECT_EQ(spec->limits.memory, uint64_t{1} << 30);
  ASSERT_EQ(spec->env.size(), 1u);
  EXPECT_EQ(spec->env[0].value, "mine");
}

}  // namespace
}  // namespace immure::cli

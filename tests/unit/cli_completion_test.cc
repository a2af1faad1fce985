// The scripts for shells: whole, in the shell's own eyes where it is installed, and never behind the tables.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "cli/completion.h"
#include "cli/explain.h"
#include "input/options.h"
#include "probes/probe.h"

namespace immure::cli {
namespace {

// The last line that the shell prints when it has read the script and runs `then`.
std::string in_shell(const std::string& shell, const std::string& script, const std::string& then) {
  char folder[] = "/tmp/immure-completion-XXXXXX";
  if (mkdtemp(folder) == nullptr) return "no folder";
  std::string file = std::string(folder) + "/script", out = std::string(folder) + "/out";
  std::ofstream(file) << script << "\n" << then << "\n";
  std::string command = shell + " " + file + " >" + out + " 2>&1 </dev/null";
  int status = system(command.c_str());
  std::ifstream text(out);
  std::string all((std::istreambuf_iterator<char>(text)), std::istreambuf_iterator<char>());
  unlink(file.c_str());
  unlink(out.c_str());
  rmdir(folder);
  return status == 0 ? all : "status " + std::to_string(status) + "\n" + all;
}

TEST(Completion, KnowsEveryVerbAndOption) {
  for (const std::string& script : {bash_completion(), zsh_completion(), fish_completion()}) {
    for (const Verb& verb : verbs()) EXPECT_NE(script.find(verb.name), std::string::npos) << verb.name;
    for (const Option& option : options()) EXPECT_NE(script.find(option.name), std::string::npos) << option.name;
  }
}

TEST(Completion, BashReadsItAndCompletes) {
  auto words = [](const std::string& line, const std::string& last) {
    return in_shell("bash --norc", bash_completion(),
                    "compopt() { :; }\nCOMP_WORDS=(" + line + " '" + last + "')\n"
                    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_immure\nprintf '%s ' \"${COMPREPLY[@]}\"");
  };
  EXPECT_EQ(words("immure", "ex"), "exec explain ");
  EXPECT_EQ(words("immure run", "--ro"), "--root --ro-bind ");
  EXPECT_EQ(words("immure run --net", ""), "none host ");
  EXPECT_EQ(words("immure run --weaken", "core"), "core-dumps ");
  EXPECT_EQ(words("immure run --bind . --need", "user-ns=o"), "user-ns=off ");
  EXPECT_EQ(words("immure completion", "f"), "fish ");
  EXPECT_EQ(words("immure kill", "--s"), "--signal ");
  EXPECT_EQ(words("immure explain", "--sys"), "--syscall ");
  // A verb's own flags with a value do not begin the command.
  EXPECT_EQ(words("immure prove", "--sar"), "--sarif ");
  EXPECT_EQ(words("immure prove --html", "/proc/self/statu"), "/proc/self/status ");
  EXPECT_EQ(words("immure prove --only root --html a.html", "--base"), "--baseline ");
  EXPECT_EQ(words("immure prove --only", "--ro"), " ");
  // Their values: attacks and categories, one after the other, and what is known by name.
  EXPECT_EQ(words("immure prove --only", "chroot-w"), "chroot-walk ");
  EXPECT_EQ(words("immure prove --skip", "chroot-walk,resou"), "chroot-walk,resources ");
  EXPECT_EQ(words("immure prove --explain", "chroot-w"), "chroot-walk ");
  EXPECT_EQ(words("immure prove --explain", "resou"), " ");
  EXPECT_EQ(words("immure prove --against", "p"), "pid podman ");
  EXPECT_EQ(words("immure prove --only root --need", "user-ns=o"), "user-ns=off ");
  EXPECT_EQ(words("immure demo", "--a"), "--all ");
  EXPECT_EQ(words("immure audit", "--fin"), "--find-links ");
  EXPECT_EQ(words("immure audit --fail-on", "h"), "high ");
  EXPECT_EQ(words("immure audit --html", "/proc/self/statu"), "/proc/self/status ");
  EXPECT_EQ(words("immure audit --pid", "--"), " ");
  EXPECT_EQ(words("immure audit --host", "/proc/self/tas"), "/proc/self/task ");
  // Behind the command nothing is immure's.
  EXPECT_EQ(words("immure run -- ls", "--ro"), " ");
}

TEST(Completion, KnowsEveryAttackForEveryShell) {
  for (const std::string& script : {bash_completion(), zsh_completion(), fish_completion()})
    for (int c = 0; c < probes::kCategoryCount; ++c) {
      EXPECT_NE(script.find(probes::key(static_cast<probes::Category>(c))), std::string::npos);
      for (auto rows : probes::groups(static_cast<probes::Category>(c)))
        for (const probes::Probe& probe : rows) ASSERT_NE(script.find(probe.id), std::string::npos) << probe.id;
    }
}

TEST(Completion, FishCompletes) {
  if (system("command -v fish >/dev/null 2>&1") != 0) GTEST_SKIP() << "needs fish";
  auto words = [](const std::string& line) {
    return in_shell("fish --no-config", fish_completion(), "complete -C '" + line + "' | string replace -r '\\t.*' ''\ntrue");
  };
  EXPECT_EQ(words("immure prove --only chroot-w"), "chroot-walk\n");
  EXPECT_EQ(words("immure prove --skip chroot-walk,resou"), "chroot-walk,resources\n");
  EXPECT_EQ(words("immure prove --explain chroot-w"), "chroot-walk\n");
  EXPECT_EQ(words("immure prove --against po"), "podman\n");
  EXPECT_EQ(words("immure prove --need user-ns=o"), "user-ns=off\n");
}

TEST(Completion, OtherShellsReadIt) {
  if (system("command -v zsh >/dev/null 2>&1") == 0) {
    EXPECT_EQ(in_shell("zsh -f -n", zsh_completion(), ""), "");
  }
  if (system("command -v fish >/dev/null 2>&1") == 0) {
    EXPECT_EQ(in_shell("fish -n", fish_completion(), ""), "");
  }
  // Whether they are there or not: quotes come in pairs on every line of zsh's specifications.
  std::string script = zsh_completion();
  EXPECT_EQ(std::count(script.begin(), script.end(), '\'') % 2, 0);
}

}  // namespace
}  // namespace immure::cli

// Every system call of a launch fails in turn, and the launcher and the launched are killed at every one of them, in the
// program as it is released. A launch either refuses, with a sentence, or ends up as the very jail that was asked for;
// nothing is left on the host either way.
#include <cstdlib>

#include "support/jail.h"

namespace immure::test {
namespace {

// What the program sees of its jail; the same in every run of the same jail.
Actions look_around() {
  return {{"status", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid", "Gid", "Groups"},
          {"securebits"}, {"fds"}, {"umask"}, {"hostname"}, {"env"}, {"pids"}, {"list", "/"}, {"list", "/dev"},
          {"list", "/proc/sys"}, {"interfaces"}, {"open", "/usr/x", "create"}, {"unshare", "user"}, {"tiocsti", "0"}};
}

constexpr int kMostCalls = 5000;     // no launch has so many; ends a loop that would not
constexpr size_t kProcesses = 4;     // the command, its children in the order of their birth

// Under emulation each launch takes a second: then only every n-th call is made to fail.
int stride() {
  const char* text = std::getenv("IMMURE_FAULT_STRIDE");
  return text != nullptr ? std::max(1, std::atoi(text)) : 1;
}

class EachCall : public JailTest {
 protected:
  // One launch with the n-th call of the process `who` sabotaged; `hit` is the call's name, "" when there is none.
  Outcome sabotaged(const Jail& jail, size_t who, int nth, const std::string& how, std::string* hit) {
    const std::string report = folder_ / "report";
    std::vector<std::string> words = {payload("saboteur"), report, std::to_string(who), std::to_string(nth), how,
                                      immure_path(), "run"};
    Command whole(words);
    whole.args({"--ro-bind", payload("") + ":" + kPayloadsInside});
    whole.args(jail.words()).args({"--", std::string(kPayloadsInside) + "/probe"}).args(probe_words(look_around()));
    Outcome outcome = whole.timeout(30).run();
    const std::string line = read_file(report);
    *hit = line.rfind("hit ", 0) == 0 ? line.substr(4, line.size() - 5) : "";
    return outcome;
  }

  // Calls `judge` for every call of every process.
  template <class Judge>
  void for_each_call(const Jail& jail, const std::string& how, Judge judge) {
    int total = 0;
    for (size_t who = 0; who < kProcesses; ++who) {
      for (int nth = 1; nth < kMostCalls; nth += stride()) {
        std::string hit;
        Leftovers before;
        Outcome outcome = sabotaged(jail, who, nth, how, &hit);
        if (hit.empty()) break;
        ++total;
        const std::string where =
            how + " in process " + std::to_string(who) + ", call " + std::to_string(nth) + " (" + hit + ")";
        EXPECT_FALSE(outcome.timed_out) << where;
        judge(where, hit, outcome);
        EXPECT_EQ(before.since(), "") << where;
        if (HasFailure() && ++failures_ > 10) FAIL() << "enough is known";
      }
    }
    EXPECT_GT(total, 100 / stride()) << "the launch was hardly touched";
  }

  void expect_refused_or_whole(const std::string& how) {
    Jail jail;
    Sights whole = jail.probe(look_around());
    ASSERT_EQ(whole.outcome.status, 0) << whole;
    for_each_call(jail, how, [&](const std::string& where, const std::string& hit, const Outcome& outcome) {
      if (outcome.status == 0) {
        EXPECT_EQ(outcome.out, whole.outcome.out) << where << ": it started, and is another jail\n" << outcome.err;
        return;
      }
      // Without memory there is nobody left to say a sentence.
      const bool memory = hit == "brk" || hit == "mmap" || hit == "mremap" || hit == "munmap";
      if (memory && outcome.signal != 0) return;
      EXPECT_TRUE(outcome.status >= 125 && outcome.status <= 127) << where << ": status " << outcome.status << "\n" << outcome.err;
      EXPECT_NE(outcome.err.find("immure"), std::string::npos) << where << ": not a word";
      EXPECT_EQ(outcome.out, "") << where << ": refused, but something ran";
    });
  }

 private:
  TempDir folder_;
  int failures_ = 0;
};

TEST_F(EachCall, ThatIsForbiddenRefusesOrChangesNothing) { expect_refused_or_whole("EPERM"); }
TEST_F(EachCall, ThatHasNoMemoryRefusesOrChangesNothing) { expect_refused_or_whole("ENOMEM"); }

// (S76) killed at any moment, it leaves no process, mount, control group, terminal or file.
TEST_F(EachCall, WhereOneIsKilledLeavesNothing) {
  const std::string whole = Jail().probe(look_around()).outcome.out;
  for_each_call(Jail(), "kill", [&](const std::string& where, const std::string&, const Outcome& outcome) {
    // One that is not needed for the program (what cleans up after the launcher) may die without harm.
    if (outcome.status == 0) {
      EXPECT_EQ(outcome.out, whole) << where;
    }
  });
}

}  // namespace
}  // namespace immure::test

// Every system call of a launch fails in turn, and the launcher and the launched are killed at every one of them, in the
// program as it is released. A launch either refuses, with a sentence, or ends up as the very jail that was asked for;
// nothing is left on the host either way.
#include <unistd.h>

#include <algorithm>
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

// Every third call, each kind of fault at another one: together they meet all. IMMURE_FAULT_STRIDE=1 is the long run of
// every fault at every call; under emulation, where each launch takes a second, it is larger.
int stride() {
  const char* text = std::getenv("IMMURE_FAULT_STRIDE");
  return text != nullptr ? std::max(1, std::atoi(text)) : 3;
}

// Calls that are not made to fail: libc's own start, without which there is no program yet; what cannot fail; and the
// cleaning up itself, which has nothing behind it.
bool is_exempt(const std::string& call) {
  for (const char* name : {"arch_prctl", "set_tid_address", "umask", "rmdir", "unlink", "unlinkat", "kill", "exit_group"}) {
    if (call == name) return true;
  }
  return false;
}

// The first line in which the second text is not the first; "" when they are the same.
std::string first_difference(const std::string& expected, const std::string& seen) {
  std::vector<std::string> left = lines_of(expected), right = lines_of(seen);
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const std::string is = i < right.size() ? right[i] : "nothing", should = i < left.size() ? left[i] : "nothing";
    if (is != should) return "'" + is + "' instead of '" + should + "'";
  }
  return "";
}

class EachCall : public JailTest {
 protected:
  // One launch with the n-th call of the process `who` sabotaged; `hit` is the call's name, "" when there is none.
  Outcome sabotaged(const Jail& jail, size_t who, int nth, const std::string& how, std::string* hit) {
    const std::string report = folder_ / "report";
    unlink(record().c_str());
    Command launch({payload("saboteur"), report, std::to_string(who), std::to_string(nth), how, immure_path()});
    launch.args(jail.run_words()).arg(std::string(kPayloadsInside) + "/probe").args(probe_words(look_around()));
    Outcome outcome = launch.timeout(20).run();
    const std::string line = read_file(report);
    *hit = line.rfind("hit ", 0) == 0 ? line.substr(4, line.size() - 5) : "";
    return outcome;
  }

  // Calls `judge` for every call of every process.
  template <class Judge>
  void for_each_call(const Jail& jail, const std::string& how, int first, Judge judge, int step = stride()) {
    int total = 0, bad = 0;
    for (size_t who = 0; who < kProcesses; ++who) {
      for (int nth = 1 + first % step; nth < kMostCalls; nth += step) {
        std::string hit;
        Leftovers before;
        Outcome outcome = sabotaged(jail, who, nth, how, &hit);
        if (hit.empty()) break;
        ++total;
        if (how != "kill" && is_exempt(hit)) {
          before.clear();
          continue;
        }
        const std::string where =
            how + " in process " + std::to_string(who) + ", call " + std::to_string(nth) + " (" + hit + ")";
        const int parts = result_parts();
        EXPECT_FALSE(outcome.timed_out) << where;
        judge(where, hit, outcome);
        EXPECT_EQ(before.since(), "") << where;
        before.end_processes();
        if (result_parts() > parts && ++bad >= 20) FAIL() << "enough is known";
      }
    }
    EXPECT_GT(total, 100 / step) << "the launch was hardly touched";
  }

  void expect_refused_or_whole(const Jail& jail, const std::string& how, int first, int step = stride()) {
    Sights whole = jail.probe(look_around());
    ASSERT_EQ(whole.outcome.status, 0) << whole;
    for_each_call(jail, how, first, [&](const std::string& where, const std::string& hit, const Outcome& outcome) {
      if (outcome.status == 0) {
        EXPECT_EQ(first_difference(whole.outcome.out, outcome.out), "") << where << ": it started, and is another jail";
        return;
      }
      // Without memory there is nobody left to say a sentence.
      const bool memory = hit == "brk" || hit == "mmap" || hit == "mremap" || hit == "munmap";
      constexpr int kAborted = 134;
      if (memory && (outcome.signal != 0 || outcome.status == kAborted)) return;
      EXPECT_NE(outcome.err.find("immure: "), std::string::npos) << where << ": not a word, status " << outcome.status;
      // Before the program runs there are three statuses; afterwards, what runs must be the jail that was asked for.
      if (outcome.out.empty()) {
        EXPECT_TRUE(outcome.status >= 125 && outcome.status <= 127) << where << ": status " << outcome.status << "\n"
                                                                    << outcome.err;
      } else {
        EXPECT_EQ(whole.outcome.out.substr(0, outcome.out.size()), outcome.out) << where;
      }
    }, step);
  }

  std::string record() const { return folder_ / "record"; }
  Jail recorded() const { return Jail().option("--record-files").option(record()); }

 private:
  static int result_parts() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
  }

  TempDir folder_;
};

TEST_F(EachCall, ThatIsForbiddenRefusesOrChangesNothing) { expect_refused_or_whole(Jail(), "EPERM", 0); }
TEST_F(EachCall, ThatHasNoMemoryRefusesOrChangesNothing) { expect_refused_or_whole(Jail(), "ENOMEM", 1); }

// (S76) killed at any moment, it leaves no process, mount, control group, terminal or file.
TEST_F(EachCall, WhereOneIsKilledLeavesNothing) {
  const std::string whole = Jail().probe(look_around()).outcome.out;
  for_each_call(Jail(), "kill", 2, [&](const std::string& where, const std::string&, const Outcome& outcome) {
    // One that is not needed for the program (what cleans up after the launcher) may die without harm.
    if (outcome.status == 0) {
      EXPECT_EQ(first_difference(whole, outcome.out), "") << where;
    }
  });
}

// The start of a jail whose files are recorded waits for answers of its own supervisor. What is denied to it is fewer
// calls each time: most of them are those of any launch.
TEST_F(EachCall, OfALaunchThatRecordsRefusesOrChangesNothing) {
  EXPECT_EQ(first_difference(Jail().probe(look_around()).outcome.out, recorded().probe(look_around()).outcome.out), "");
  unlink(record().c_str());
  expect_refused_or_whole(recorded(), "EPERM", 3, 4 * stride());
}

TEST_F(EachCall, OfALaunchThatRecordsWhereOneIsKilledLeavesNothing) {
  const std::string whole = recorded().probe(look_around()).outcome.out;
  for_each_call(
      recorded(), "kill", 7,
      [&](const std::string& where, const std::string&, const Outcome& outcome) {
        if (outcome.status == 0) {
          EXPECT_EQ(first_difference(whole, outcome.out), "") << where;
        }
        const std::string text = read_file(record());
        const auto lines = std::count(text.begin(), text.end(), '\n');
        const std::string head = "\"files\":" + std::to_string(lines - 1) + ",";
        EXPECT_TRUE(text.empty() || text.find(head) != std::string::npos) << where << ": a part of a record\n" << text;
      },
      4 * stride());
}

}  // namespace
}  // namespace immure::test

// What is done about alerts: what was asked, to whom it was asked, and no more often than said. (S123 S125)
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "respond/react.h"
#include "watch/clock.h"

namespace immure::respond {
namespace {

using watch::Alert;
using watch::Severity;

constexpr watch::Detector kMadeUp{"made-up", Severity::High, "", "", "", "", 0, nullptr};

// Raised so many seconds from now.
Alert alert(Severity severity, uint64_t seconds, int pid = 0) {
  Alert made;
  made.detector = &kMadeUp;
  made.severity = severity;
  made.time = watch::monotonic_now() + seconds * 1'000'000'000;
  made.pid = pid;
  made.why = "it \x1b[2J did";
  return made;
}

class Sleeper {
 public:
  Sleeper() : pid_(fork()) {
    if (pid_ == 0) {
      for (;;) pause();
    }
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  int pid() const { return pid_; }
  // 'T': stopped.
  char state() const {
    auto text = read_file("/proc/" + std::to_string(pid_) + "/stat");
    return text ? text->at(text->rfind(')') + 2) : '?';
  }
  bool becomes(char wanted) const {
    for (int round = 0; round < 500 && state() != wanted; ++round) usleep(10'000);
    return state() == wanted;
  }

 private:
  pid_t pid_;
};

TEST(Reactions, AreReadFromWords) {
  auto high = parse_reaction("high=freeze");
  ASSERT_TRUE(high);
  EXPECT_EQ(high->least, Severity::High);
  EXPECT_EQ(high->act, Act::Freeze);
  auto any = parse_reaction("any=command:logger -t x = y");
  ASSERT_TRUE(any);
  EXPECT_EQ(any->least, Severity::Notice);
  EXPECT_EQ(any->command, "logger -t x = y");
  ASSERT_FALSE(watch::detectors().empty());
  auto one = parse_reaction(std::string(watch::detectors().front()->id) + "=kill");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->detector, watch::detectors().front()->id);
}

TEST(Reactions, ThatAreNoneAreToldWithTheNearest) {
  for (const char* text : {"", "high", "=kill", "high=", "high=command", "high=command:"}) {
    EXPECT_FALSE(parse_reaction(text)) << text;
  }
  EXPECT_NE(parse_reaction("hihg=kill").error().why.find("did you mean high?"), std::string::npos);
  EXPECT_NE(parse_reaction("high=frezee").error().why.find("did you mean freeze?"), std::string::npos);
}

TEST(Reacting, ActsOnItsTargetAlone) {
  const Sleeper target, bystander;
  auto held = Target::of_process(target.pid(), "made-up");
  ASSERT_TRUE(held);
  React react({{"", Severity::High, Act::Freeze, ""}}, *held);
  const watch::World world;
  ASSERT_TRUE(react.alert(alert(Severity::Medium, 1, bystander.pid()), world));
  usleep(50'000);
  EXPECT_NE(target.state(), 'T') << "a medium alert is less than was said";
  ASSERT_TRUE(react.alert(alert(Severity::Critical, 2, bystander.pid()), world));
  EXPECT_TRUE(target.becomes('T'));
  EXPECT_NE(bystander.state(), 'T');
}

TEST(Reacting, WithoutATargetActsOnWhoRaisedIt) {
  const Sleeper raiser, bystander;
  React react({{"made-up", Severity::Notice, Act::Kill, ""}}, {});
  const watch::World world;
  ASSERT_TRUE(react.alert(alert(Severity::Low, 1, raiser.pid()), world));
  EXPECT_TRUE(raiser.becomes('Z'));
  EXPECT_NE(bystander.state(), 'Z');
}

TEST(Reacting, SparesWhoHasTheNumberLater) {
  Alert early = alert(Severity::Critical, 0);
  early.time -= 3'000'000'000;
  const Sleeper later;
  early.pid = later.pid();
  React react({{"", Severity::Notice, Act::Kill, ""}}, {});
  const watch::World world;
  ASSERT_TRUE(react.alert(early, world));
  usleep(50'000);
  EXPECT_NE(later.state(), 'Z');
}

TEST(Reacting, NamesOneDetector) {
  const Sleeper raiser;
  React react({{"another", Severity::Notice, Act::Kill, ""}}, {});
  const watch::World world;
  ASSERT_TRUE(react.alert(alert(Severity::Critical, 1, raiser.pid()), world));
  usleep(50'000);
  EXPECT_NE(raiser.state(), 'Z');
}

TEST(Reacting, NeverTurnsAgainstTheWatcher) {
  React react({{"", Severity::Notice, Act::Kill, ""}}, {});
  const watch::World world;
  ASSERT_TRUE(react.alert(alert(Severity::Critical, 1, getpid()), world));
  ASSERT_TRUE(react.alert(alert(Severity::Critical, 100, getppid()), world));
  ASSERT_TRUE(react.alert(alert(Severity::Critical, 200, 1), world));
}

TEST(Reacting, ThrottlesToIdleTime) {
  const Sleeper target;
  React react({{"", Severity::Notice, Act::Throttle, ""}}, {});
  const watch::World world;
  ASSERT_TRUE(react.alert(alert(Severity::Low, 1, target.pid()), world));
  EXPECT_EQ(sched_getscheduler(target.pid()), SCHED_IDLE);
}

TEST(Reacting, GivesACommandTheAlertAndIsNotFlooded) {
  const std::string file = testing::TempDir() + "immure-react-" + std::to_string(getpid());
  std::filesystem::remove(file);
  {
    React react({{"", Severity::Notice, Act::Command, "cat >> " + file}}, {});
    const watch::World world;
    const Alert flood = alert(Severity::Low, 5, 7);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(react.alert(flood, world));
    }
    EXPECT_EQ(react.kept_back(), 999U);
    std::string text;
    for (int round = 0; round < 500 && !text.ends_with("\n"); ++round) {
      usleep(10'000);
      if (auto read = read_file(file)) text = *read;
    }
    EXPECT_NE(text.find("\"detector\":\"made-up\""), std::string::npos) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    ASSERT_TRUE(react.flush());
  }
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace immure::respond

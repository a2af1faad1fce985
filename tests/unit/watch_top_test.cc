// The screen of what happens now: fits, counts, and lets no text of a process act.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "watch/sinks/top.h"

namespace immure::watch {
namespace {

Event made(int32_t pid, Kind kind, Verdict verdict = Verdict::Done) {
  Event event;
  event.pid = event.tid = pid;
  event.kind = kind;
  event.verdict = verdict;
  event.arch = 0xc000003e;
  event.nr = 257;
  return event;
}

class Top : public testing::Test {
 protected:
  void see(const Event& event) { ASSERT_TRUE(sink_.event(event, {}, world_)); }
  TopSink sink_{{.fd = -1, .target = "jail web", .source = "ptrace"}};
  World world_;
};

TEST_F(Top, ShowsRates) {
  for (int i = 0; i < 30; ++i) see(made(7, Kind::File));
  for (int i = 0; i < 50; ++i) see(made(8, Kind::File, Verdict::Failed));
  Alert alert;
  alert.severity = Severity::High;
  alert.pid = 8;
  alert.why = "it did";
  ASSERT_TRUE(sink_.alert(alert, world_));
  const std::string shown = sink_.screen(40, 100, 2'000'000'000);
  EXPECT_NE(shown.find("40 events/s"), std::string::npos) << shown;
  EXPECT_NE(shown.find("file 80"), std::string::npos);
  EXPECT_NE(shown.find("      8        25       25"), std::string::npos)
      << "the busiest, and what was refused";
  EXPECT_LT(shown.find("      8        25"), shown.find("      7        15"));
  EXPECT_NE(shown.find("openat"), std::string::npos);
  EXPECT_NE(shown.find("it did"), std::string::npos);
}

TEST_F(Top, FitsEveryScreen) {
  for (int pid = 1; pid < 9000; ++pid) see(made(pid, Kind::Network));
  Alert alert;
  alert.why = std::string(500, 'x') + "\xe2\x82\xac\xe2\x82\xac";
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(sink_.alert(alert, world_));
  }
  for (unsigned rows : {1U, 2U, 5U, 24U, 200U})
    for (unsigned columns : {1U, 20U, 80U, 513U}) {
      const std::string shown = sink_.screen(rows, columns, 1'000'000'000);
      const auto lines = split(shown, '\n');
      EXPECT_LE(lines.size(), rows);
      for (std::string_view line : lines) EXPECT_LE(line.size(), columns);
    }
  EXPECT_NE(sink_.screen(100, 80, 1'000'000'000).find("others"), std::string::npos)
      << "of more processes than are kept";
}

TEST_F(Top, LetsNoTextAct) {
  Process process;
  process.pid = 7;
  process.program = "/tmp/\x1b[2J\nx";
  world_.add(process);
  see(made(7, Kind::File));
  Alert alert;
  alert.why = "\x1b]0;x\x07\n";
  ASSERT_TRUE(sink_.alert(alert, world_));
  const std::string shown = sink_.screen(24, 80, 1'000'000'000);
  EXPECT_TRUE(std::none_of(shown.begin(), shown.end(),
                           [](char c) { return c != '\n' && static_cast<unsigned char>(c) < 32; }));
}

}  // namespace
}  // namespace immure::watch

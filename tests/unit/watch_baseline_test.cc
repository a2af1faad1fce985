// Baselines: the file is read as it was written, and nothing else; names fit as they are told to; a sequence
// that ordinary work does not have is told, with its window and its events, and ordinary ones are not.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <random>

#include "base/digest.h"
#include "watch/detect/call_sequence.h"
#include "watch/detect/expected.h"
#include "watch/model/baseline.h"
#include "watch/model/learn.h"
#include "watch_made_up.h"

namespace immure::watch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Process running(const char* program) {
  Process process;
  process.pid = 7;
  process.program = program;
  return process;
}

// What a program does again and again: a procedure with some choice.
CallTrace ordinary_calls(unsigned seed, size_t count) {
  constexpr std::array<uint16_t, 6> kOne = {257, 5, 0, 0, 3, 1}, kOther = {257, 262, 9, 3, 1, 1};
  std::mt19937 chance(seed);
  CallTrace calls;
  while (calls.size() < count)
    for (uint16_t call : chance() % 3 != 0 ? kOne : kOther) calls.push_back(call);
  calls.resize(count);
  return calls;
}

ExpectedSequence learned_sequence() {
  std::vector<CallTrace> traces;
  for (unsigned seed = 0; seed < 20; ++seed) traces.push_back(ordinary_calls(seed, 1024));
  std::vector<float> windows;
  auto model = learn(traces, 0.1, &windows);
  EXPECT_TRUE(model);
  EXPECT_THAT(windows, SizeIs(20 * 4));
  return {std::move(*model), static_cast<double>(*std::max_element(windows.begin(), windows.end())) + 0.5};
}

Baseline made_up() {
  Baseline baseline;
  baseline.traces = 3;
  baseline.events = 1000;
  baseline.beyond = 1;
  Expected& expected = baseline.expected;
  expected.level = Level::Files;
  expected.reads = {{"/etc/passwd", "/usr/"}, {"/proc/#/stat"}};
  expected.writes = {{"/var/log/"}, {"/tmp/x-*/log"}};
  expected.executables.names = {"/usr/bin/cc"};
  expected.hosts = {"*:53", "10.0.0.1:443", "unix:/run/"};
  expected.most_events_a_second = 500;
  expected.rates = {{"/usr/bin/cc", 500}, {"/usr/bin/sh", 2.5}};
  expected.sequences.emplace("/usr/bin/cc", learned_sequence());
  return baseline;
}

std::string sealed(std::string body) {
  std::string out(kBaselineMagic);
  const auto put = [&](uint64_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  };
  put(kBaselineVersion, 4);
  put(body.size(), 8);
  const Digest digest = sha256(body);
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return out + body;
}
constexpr size_t kHead = 16 + 4 + 8 + 32;

// ---- the file

TEST(BaselineFile, IsReadAsItWasWritten) {
  const std::string bytes = *baseline_bytes(made_up());
  auto read = read_baseline(bytes, "x");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->traces, 3U);
  EXPECT_EQ(read->expected.level, Level::Files);
  EXPECT_TRUE(read->expected.writes.covers("/tmp/x-17/log"));
  EXPECT_EQ(read->expected.rates.at("/usr/bin/sh"), 2.5);
  EXPECT_EQ(read->expected.sequences.size(), 1U);
  EXPECT_EQ(*baseline_bytes(*read), bytes);
}

TEST(BaselineFile, DamageIsSeenWhereverItIs) {
  const std::string bytes = *baseline_bytes(made_up());
  for (size_t at = 0; at < bytes.size(); at += at < 400 ? 1 : 997) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    auto read = read_baseline(damaged, "x");
    ASSERT_FALSE(read) << at;
    EXPECT_EQ(read.error().code, Code::kBadValue);
  }
  for (size_t size = 0; size < bytes.size(); size += size < 400 ? 1 : 997)
    EXPECT_FALSE(read_baseline(std::string_view(bytes).substr(0, size), "x")) << size;
  EXPECT_FALSE(read_baseline(bytes + "x", "x"));
}

TEST(BaselineFile, SaysWhatIsWrongWithAForeignOne) {
  EXPECT_THAT(read_baseline("immure model\nabc", "x").error().why, HasSubstr("does not begin"));
  std::string later = *baseline_bytes(made_up());
  later[kBaselineMagic.size()] = 9;
  EXPECT_THAT(read_baseline(later, "x").error().why, HasSubstr("version 9"));
}

// Its digest fits, and its parts do not.
TEST(BaselineFile, PartsThatContradictEachOtherAreRefused) {
  const std::string body = baseline_bytes(made_up())->substr(kHead);
  ASSERT_TRUE(read_baseline(sealed(body), "x"));
  const auto refused = [&](std::string changed) {
    auto read = read_baseline(sealed(std::move(changed)), "x");
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().what + read.error().why, HasSubstr("contradict"));
  };
  const auto with = [&](size_t at, std::string_view bytes) {
    std::string changed = body;
    return changed.replace(at, bytes.size(), bytes);
  };
  refused(with(0, "\x09"));                          // a level that there is not
  refused(with(25, "\xff\xff\xff\xff"));             // more names than there are bytes for
  refused(with(body.find("/usr/"), "/aaa/"));        // names out of order
  refused(with(body.find("/usr/"), {"/us\0/", 5}));  // a zero byte
  refused(with(body.find("/usr/") - 2, {"\0\0", 2}));
  refused(body + "x");
  refused(body.substr(0, body.size() - 1));
  const double endless = std::numeric_limits<double>::infinity(), below = -1;
  for (double rate : {endless, below, std::numeric_limits<double>::quiet_NaN()}) {
    Baseline baseline = made_up();
    baseline.expected.most_events_a_second = rate;
    refused(baseline_bytes(baseline)->substr(kHead));
    baseline = made_up();
    baseline.expected.rates["/usr/bin/cc"] = rate;
    refused(baseline_bytes(baseline)->substr(kHead));
  }
  // What is in it is looked at as if it came alone.
  std::string model = body;
  model[body.size() - 1] = static_cast<char>(model[body.size() - 1] ^ 1);
  EXPECT_THAT(read_baseline(sealed(model), "x").error().what, HasSubstr("damaged"));
}

TEST(BaselineFile, OneThatIsTooLargeIsNotWritten) {
  Baseline baseline;
  for (unsigned i = 0; i < 20'000; ++i)
    baseline.expected.reads.names.insert("/" + std::to_string(i) + std::string(4000, 'x'));
  EXPECT_FALSE(baseline_bytes(baseline));
}

// ---- names

TEST(ExpectedNames, PatternsFitNameByName) {
  EXPECT_TRUE(path_fits("/tmp/x-1/log", "/tmp/x-*/log"));
  EXPECT_TRUE(path_fits("/tmp/x-/log", "/tmp/x-*/log"));
  EXPECT_FALSE(path_fits("/tmp/x-1/y/log", "/tmp/x-*/log"));
  EXPECT_FALSE(path_fits("/tmp/x-1/log/y", "/tmp/x-*/log"));
  EXPECT_FALSE(path_fits("/tmp/x-1", "/tmp/x-*/log"));
  EXPECT_TRUE(path_fits("/proc/17/stat", "/proc/#/stat"));
  EXPECT_FALSE(path_fits("/proc/self/stat", "/proc/#/stat"));
  EXPECT_TRUE(path_fits("/a/xbyb", "/a/*b"));
  EXPECT_FALSE(path_fits("/a/xbyc", "/a/*b"));
  EXPECT_TRUE(path_fits("/a/a-12-b", "/a/a-#-*"));
  // Whoever makes patterns and paths cannot make it take long.
  std::string stars = "/", letters = "/" + std::string(2000, 'a');
  for (int i = 0; i < 500; ++i) stars += "a*";
  EXPECT_FALSE(path_fits(letters, stars + "b"));
}

TEST(ExpectedNames, HostsByPortAddressAndFolder) {
  Expected expected;
  expected.hosts = {"10.0.0.1:*", "*:53", "unix:/run/", "unix:@x", "unix:/tmp/one"};
  EXPECT_TRUE(expected.covers_host("10.0.0.1:80"));
  EXPECT_TRUE(expected.covers_host("10.0.0.9:53"));
  EXPECT_TRUE(expected.covers_host("[::1]:53"));
  EXPECT_FALSE(expected.covers_host("10.0.0.9:80"));
  EXPECT_TRUE(expected.covers_host("unix:/run/a/b"));
  EXPECT_TRUE(expected.covers_host("unix:/tmp/one"));
  EXPECT_FALSE(expected.covers_host("unix:/tmp/two:53"));
  EXPECT_TRUE(expected.covers_host("unix:@x"));
  EXPECT_FALSE(expected.covers_host("unix:@y"));
  expected.hosts.insert("unix:@*");
  EXPECT_TRUE(expected.covers_host("unix:@y"));
}

TEST(ExpectedNames, WhatWasNotWatchedIsNewToNobody) {
  Expected expected;
  expected.level = Level::Security;
  Trial of_rights("new-path", &expected);
  EXPECT_THAT(of_rights.see(made("openat").path("/etc/shadow").arg(2, O_WRONLY)), IsEmpty());
  expected.level = Level::Files;
  Trial of_files("new-path", &expected);
  EXPECT_THAT(of_files.see(made("openat").path("/etc/shadow").arg(2, O_WRONLY)), SizeIs(1));
}

TEST(ExpectedNames, EitherOfTwoIsEnough) {
  Expected one, other;
  one.level = Level::Security;
  one.reads.names = {"/a"};
  one.rates = {{"/x", 5}, {"/y", 1}};
  other.reads.patterns = {"/b-*"};
  other.hosts = {"*:1"};
  other.rates = {{"/x", 3}, {"/z", 2}};
  one.join(std::move(other));
  EXPECT_TRUE(one.reads.covers("/a") && one.reads.covers("/b-1") && one.covers_host("10.0.0.1:1"));
  EXPECT_EQ(one.level, Level::Security);
  EXPECT_EQ(one.rates.at("/x"), 5);
  EXPECT_EQ(one.rates.at("/z"), 2);
}

// A program is weighed against its own rate: twice that of another one is a burst of its.
TEST(ExpectedNames, RatesAreThoseOfTheProgram) {
  Expected expected;
  expected.rates = {{"/usr/bin/slow", 1000}, {"/usr/bin/fast", 100'000}};
  for (const char* program : {"/usr/bin/slow", "/usr/bin/fast"}) {
    Trial trial("rate", &expected);
    trial.world.add(running(program));
    size_t alerts = 0;
    for (int i = 0; i < 6000; ++i) alerts += trial.see(made("getpid").at(1000)).size();
    for (int i = 0; i < 2; ++i) alerts += trial.see(made("getpid").at(3000)).size();
    EXPECT_EQ(alerts, std::string_view(program) == "/usr/bin/slow" ? 1U : 0U) << program;
  }
}

// ---- sequences

struct Sequences : testing::Test {
  Expected expected;
  uint64_t time = 0;
  void SetUp() override { expected.sequences.emplace("/usr/bin/cc", learned_sequence()); }
  std::vector<Alert> feed(Trial& trial, const CallTrace& calls, int32_t tid = 7) {
    std::vector<Alert> all;
    for (uint16_t call : calls) {
      MadeEvent one = made("getpid").at(++time);
      one.event.nr = call;
      one.event.tid = tid;
      for (Alert& alert : trial.see(one)) all.push_back(std::move(alert));
    }
    return all;
  }
  static CallTrace strange(size_t count) {
    std::mt19937 chance(1);
    CallTrace calls;
    for (size_t i = 0; i < count; ++i) calls.push_back(static_cast<uint16_t>(chance() % 300));
    return calls;
  }
};

TEST_F(Sequences, OrdinaryOnesAreNotTold) {
  Trial trial("rare-sequence", &expected);
  trial.world.add(running("/usr/bin/cc"));
  for (unsigned seed = 100; seed < 140; ++seed)
    EXPECT_THAT(feed(trial, ordinary_calls(seed, 1000)), IsEmpty());
}

TEST_F(Sequences, AStrangeWindowIsToldOnceWithItsEvents) {
  Trial trial("rare-sequence", &expected);
  trial.world.add(running("/usr/bin/cc"));
  EXPECT_THAT(feed(trial, ordinary_calls(50, 512)), IsEmpty());
  const std::vector<Alert> alerts = feed(trial, strange(512));
  ASSERT_THAT(alerts, SizeIs(1));
  EXPECT_EQ(alerts[0].severity, Severity::Medium);
  EXPECT_THAT(alerts[0].why, HasSubstr("calls 512 to 767 "));
  EXPECT_THAT(alerts[0].why, HasSubstr("/usr/bin/cc"));
  ASSERT_THAT(alerts[0].events, testing::SizeIs(testing::Le(Alert::kMostEvents)));
  EXPECT_GE(alerts[0].events.front(), 513U);
  EXPECT_LE(alerts[0].events.back(), 768U);
  EXPECT_TRUE(std::is_sorted(alerts[0].events.begin(), alerts[0].events.end()));
}

TEST_F(Sequences, AreThoseOfAThreadAndOfAProgram) {
  Trial trial("rare-sequence", &expected);
  trial.world.add(running("/usr/bin/cc"));
  // Two threads by turns are each ordinary.
  const CallTrace one = ordinary_calls(60, 600), other = ordinary_calls(61, 600);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_THAT(feed(trial, {one[i]}, 7), IsEmpty());
    EXPECT_THAT(feed(trial, {other[i]}, 8), IsEmpty());
  }
  // Of a program that was not learned nothing is known.
  Trial unknown("rare-sequence", &expected);
  unknown.world.add(running("/usr/bin/other"));
  EXPECT_THAT(feed(unknown, strange(2000)), IsEmpty());
  Trial nothing("rare-sequence");
  EXPECT_THAT(feed(nothing, strange(2000)), IsEmpty());
}

TEST_F(Sequences, WhatEndsEarlyIsWeighedWhenItEnds) {
  Trial trial("rare-sequence", &expected);
  trial.world.add(running("/usr/bin/cc"));
  EXPECT_THAT(feed(trial, strange(200)), IsEmpty());
  EXPECT_THAT(trial.see(made(Action::End, Kind::Process)), SizeIs(1));
  EXPECT_THAT(feed(trial, strange(100)), IsEmpty());
  EXPECT_THAT(trial.see(made(Action::End, Kind::Process)), IsEmpty());
}

TEST_F(Sequences, BehindAGapItBeginsAnew) {
  Trial trial("rare-sequence", &expected);
  trial.world.add(running("/usr/bin/cc"));
  EXPECT_THAT(feed(trial, strange(200)), IsEmpty());
  EXPECT_THAT(trial.see(made(Action::Lost, Kind::Other)), IsEmpty());
  EXPECT_THAT(feed(trial, ordinary_calls(70, 512)), IsEmpty());
}

TEST(SequenceCalls, AreThoseOfTheTableAndOneForTheRest) {
  EXPECT_EQ(sequence_call(made("openat").event), 257);
  MadeEvent i386 = made("openat");
  i386.event.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(sequence_call(i386.event), kOtherCall);
  EXPECT_EQ(sequence_call(made("openat").x32().event), kOtherCall);
  EXPECT_FALSE(sequence_call(made(Action::Born, Kind::Process).event));
  MadeEvent counted = made("openat");
  counted.event.action = Action::Counted;
  EXPECT_FALSE(sequence_call(counted.event));
}

RC_GTEST_PROP(BaselineFile, NoBytesAreTooMuch, (const std::string& bytes)) {
  auto read = read_baseline(sealed(bytes), "x");
  if (read) RC_ASSERT(*baseline_bytes(*read) == sealed(bytes));
}

}  // namespace
}  // namespace immure::watch

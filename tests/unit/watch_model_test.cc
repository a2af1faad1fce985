// The model of ordinary runs: what it learns, what it says of others, and what it takes from a file.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "base/digest.h"
#include "watch/model/learn.h"
#include "watch/model/model.h"

namespace immure::watch {
namespace {

using testing::HasSubstr;

// Runs of a program: a start, then rounds of work in one of three orders.
CallTrace ordinary(std::mt19937& dice, size_t length = 600) {
  static const std::vector<std::vector<uint16_t>> kRounds = {
      {3, 4, 3, 4, 5, 6}, {5, 108, 3, 6}, {20, 21, 3, 22, 4}};
  CallTrace trace = {11, 45, 33, 192, 5, 197, 6};
  size_t kind = dice() % kRounds.size();
  while (trace.size() < length) {
    if (dice() % 8 == 0) kind = dice() % kRounds.size();
    trace.insert(trace.end(), kRounds[kind].begin(), kRounds[kind].end());
    if (dice() % 10 == 0) trace.push_back(13);
  }
  trace.resize(length);
  return trace;
}

std::vector<CallTrace> many(unsigned seed, size_t count, size_t shortest = 300) {
  std::mt19937 dice(seed);
  std::vector<CallTrace> traces;
  for (size_t i = 0; i < count; ++i) traces.push_back(ordinary(dice, shortest + dice() % (3 * shortest)));
  return traces;
}

Model model_of(const std::vector<CallTrace>& traces, double share = 0.1) {
  auto model = learn(traces, share);
  EXPECT_TRUE(model) << (model ? "" : format(model.error()));
  return model ? *model : Model{};
}

double score_of(const Model& model, const CallTrace& trace) {
  Gauge gauge(model);
  for (uint16_t call : trace) gauge.see(call);
  gauge.end();
  return gauge.score();
}

// The chance of a call behind others as the definition has it, by counting in the traces each time.
double chance(const std::vector<CallTrace>& traces, std::span<const uint16_t> before, uint16_t call) {
  double shorter = 1.0 / kModelCalls;
  for (size_t order = 0; order <= std::min<size_t>(before.size(), kOrder); ++order) {
    std::map<uint16_t, double> behind;
    double all = 0;
    auto context = before.last(order);
    for (const CallTrace& trace : traces) {
      for (size_t i = order; i < trace.size(); ++i) {
        if (!std::equal(context.begin(), context.end(),
                        trace.begin() + static_cast<std::ptrdiff_t>(i - order)))
          continue;
        ++behind[trace[i]];
        ++all;
      }
    }
    if (all == 0) break;
    auto different = static_cast<double>(behind.size());
    shorter = (behind[call] + different * shorter) / (all + different);
  }
  return shorter;
}

TEST(WatchModel, SurpriseIsWhatCountingInTheTracesGives) {
  std::vector<CallTrace> traces = many(1, 12);
  Model model = model_of(traces);
  std::mt19937 dice(9);
  CallTrace trace = ordinary(dice, 60);
  trace[20] = 400;  // a call that no trace has
  trace[40] = 45;   // one at a place that it never had
  double bits = 0;
  Gauge gauge(model);
  for (size_t i = 0; i < trace.size(); ++i) {
    bits -= std::log2(chance(traces, std::span(trace).first(i), trace[i]));
    gauge.see(trace[i]);
  }
  ASSERT_TRUE(gauge.end());
  EXPECT_NEAR(gauge.window().surprise, bits / static_cast<double>(trace.size()), 0.01);
  EXPECT_EQ(gauge.window().worst_offset, 20u);
  EXPECT_EQ(gauge.window().worst_call, 400);
  EXPECT_GT(gauge.window().worst_bits, 9);
}

TEST(WatchModel, TheSameTracesInAnyOrderGiveTheSameBytes) {
  std::vector<CallTrace> traces = many(2, 30);
  std::string bytes = model_bytes(model_of(traces));
  std::mt19937 dice(3);
  std::shuffle(traces.begin(), traces.end(), dice);
  EXPECT_EQ(model_bytes(model_of(traces)), bytes);
  traces[0][5] ^= 1;
  EXPECT_NE(model_bytes(model_of(traces)), bytes);
}

TEST(WatchModel, OtherBehaviourScoresHigherThanOrdinary) {
  Model model = model_of(many(4, 60));
  std::mt19937 dice(5);
  double ordinary_worst = -100, scrambled_best = 100, strange_best = 100;
  for (int i = 0; i < 20; ++i) {
    CallTrace trace = ordinary(dice);
    ordinary_worst = std::max(ordinary_worst, score_of(model, trace));
    CallTrace scrambled = trace;
    std::shuffle(scrambled.begin(), scrambled.end(), dice);
    scrambled_best = std::min(scrambled_best, score_of(model, scrambled));
    CallTrace strange;
    for (size_t n = 0; n < trace.size(); ++n) strange.push_back(static_cast<uint16_t>(200 + dice() % 4));
    strange_best = std::min(strange_best, score_of(model, strange));
  }
  EXPECT_LT(ordinary_worst, scrambled_best);
  EXPECT_LT(scrambled_best, strange_best);
  EXPECT_LT(model.threshold, scrambled_best);
}

TEST(WatchModel, TheThresholdKeepsTheShareOfFalseAlarms) {
  std::vector<CallTrace> traces = many(6, 400, 100), later = many(7, 600, 100);
  for (double share : {0.05, 0.3}) {
    Model model = model_of(traces, share);
    EXPECT_EQ(model.false_alarms, share);
    double above = 0;
    for (const CallTrace& trace : later) above += score_of(model, trace) > model.threshold;
    EXPECT_NEAR(above / static_cast<double>(later.size()), share, 0.06);
  }
}

TEST(WatchModel, WindowsCoverTheRunAndTheLastNeedsHalf) {
  Model model = model_of(many(8, 12));
  Gauge gauge(model);
  std::vector<std::pair<uint64_t, uint32_t>> windows;
  auto run = [&](size_t length) {
    windows.clear();
    gauge.reset();
    for (size_t i = 0; i < length; ++i)
      if (gauge.see(static_cast<uint32_t>(i % 7)))
        windows.emplace_back(gauge.window().offset, gauge.window().calls);
    if (gauge.end()) windows.emplace_back(gauge.window().offset, gauge.window().calls);
  };
  using Windows = std::vector<std::pair<uint64_t, uint32_t>>;
  run(1);
  EXPECT_EQ(windows, (Windows{{0, 1}}));
  run(kWindow);
  EXPECT_EQ(windows, (Windows{{0, kWindow}}));
  run(kWindow + kWindow / 2 - 1);
  EXPECT_EQ(windows, (Windows{{0, kWindow}}));
  run(2 * kWindow + kWindow / 2);
  EXPECT_EQ(windows, (Windows{{0, kWindow}, {kWindow, kWindow}, {2 * kWindow, kWindow / 2}}));
}

TEST(WatchModel, AGaugeThatIsUsedAgainForgets) {
  Model model = model_of(many(10, 20));
  std::mt19937 dice(11);
  CallTrace first = ordinary(dice), second = ordinary(dice, 700);
  Gauge gauge(model);
  for (uint16_t call : first) gauge.see(call);
  gauge.end();
  gauge.reset();
  EXPECT_EQ(gauge.score(), 0);
  for (uint16_t call : second) gauge.see(call);
  gauge.end();
  EXPECT_EQ(gauge.score(), score_of(model, second));
}

TEST(WatchModel, MemoryOfAProcessDoesNotGrow) {
  Model model = model_of(many(12, 20));
  Gauge gauge(model);
  size_t before = gauge.memory();
  for (uint32_t i = 0; i < 200000; ++i) gauge.see(i * 2654435761u >> 17);
  EXPECT_EQ(gauge.memory(), before);
  EXPECT_LT(before, 32u << 10);
  EXPECT_TRUE(std::isfinite(gauge.score()));
}

TEST(WatchModel, TooFewTracesAndTooManyCallsAreRefused) {
  std::vector<CallTrace> same(50, many(13, 1)[0]);
  auto few = learn(same, 0.1);
  ASSERT_FALSE(few);
  EXPECT_THAT(few.error().why, HasSubstr("1 are there"));
  EXPECT_FALSE(learn({}, 0.1));
  std::vector<CallTrace> much(17, CallTrace(1 << 20, 3));
  auto refused = learn(much, 0.1);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("too many"));
}

TEST(WatchModel, AFileIsReadAsItWasWritten) {
  Model model = model_of(many(14, 15));
  std::string bytes = model_bytes(model);
  auto read = read_model(bytes, "m");
  ASSERT_TRUE(read);
  EXPECT_EQ(model_bytes(*read), bytes);
  std::mt19937 dice(15);
  CallTrace trace = ordinary(dice);
  EXPECT_EQ(score_of(*read, trace), score_of(model, trace));
}

TEST(WatchModel, DamageIsSeenWhereverItIs) {
  std::string bytes = model_bytes(model_of(many(16, 15)));
  for (size_t at = 0; at < bytes.size(); at += at < 80 ? 1 : 997) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(read_model(damaged, "m")) << at;
  }
  for (size_t length : {size_t{0}, size_t{5}, size_t{20}, size_t{60}, bytes.size() - 1})
    EXPECT_FALSE(read_model(bytes.substr(0, length), "m")) << length;
  EXPECT_FALSE(read_model(bytes + "x", "m"));
  std::string other = bytes;
  other[13] = 2;
  auto version = read_model(other, "m");
  ASSERT_FALSE(version);
  EXPECT_THAT(version.error().what, HasSubstr("another version"));
  EXPECT_EQ(version.error().code, Code::kBadValue);
}

// Sealed rightly, so that only what the parts say of each other can refuse it.
TEST(WatchModel, PartsThatContradictEachOtherAreRefused) {
  const Model good = model_of(many(17, 15));
  auto refused = [](const Model& model) { return !read_model(model_bytes(model), "m"); };
  EXPECT_FALSE(refused(good));
  Model bad = good;
  bad.states[5].suffix = 5;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.edges[3].next = static_cast<uint32_t>(bad.states.size() - 1);
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.edges[1].call = bad.edges[0].call;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.states[2].first = bad.states[3].first + 1;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.states[1].expected = kModelCalls;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.call_runs[0] = static_cast<uint16_t>(bad.runs.size());
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.runs[0].pairs = 0;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.pair_first.pop_back();
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.threshold = std::nan("");
  EXPECT_TRUE(refused(bad));
}

RC_GTEST_PROP(WatchModel, AnyCallsGiveAFiniteScore, (const std::vector<uint32_t>& calls)) {
  static const Model kModel = model_of(many(18, 15));
  Gauge gauge(kModel);
  for (uint32_t call : calls) gauge.see(call);
  gauge.end();
  RC_ASSERT(std::isfinite(gauge.score()));
  RC_ASSERT(gauge.far_calls() >= 0 && gauge.far_calls() <= 1);
  RC_ASSERT(gauge.far_pairs() >= 0 && gauge.far_pairs() <= 1);
}

}  // namespace
}  // namespace immure::watch

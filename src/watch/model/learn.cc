#include "watch/model/learn.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "base/digest.h"
#include "base/text.h"

namespace immure::watch {
namespace {

constexpr unsigned kFolds = 10;
constexpr unsigned kCallBits = 9;
static_assert(1u << kCallBits == kModelCalls);
static_assert(kCallBits * (kOrder + 1) <= 64);

constexpr uint64_t low_calls(unsigned calls) { return (uint64_t{1} << (kCallBits * calls)) - 1; }

uint16_t rounded(double bits) {
  return static_cast<uint16_t>(std::clamp(std::lround(bits * 256), 0l, 65535l));
}

struct One {
  const CallTrace* calls;
  Digest digest;
  unsigned fold;
};

// The contexts of one length: their calls as a number, the last one lowest, sorted.
struct Contexts {
  std::vector<uint64_t> keys;
  uint32_t first = 0;  // the state of keys[0]
};

class Builder {
 public:
  explicit Builder(std::span<const One* const> traces) : traces_(traces) {}

  void build(Model& model) {
    for (unsigned order = 0; order <= kOrder; ++order) add_order(model, order);
    model.states.push_back({static_cast<uint32_t>(model.edges.size()), 0, 0, 0});
    link(model);
  }

 private:
  // Every call behind `order` others, with them.
  std::vector<uint64_t> grams(unsigned order) const {
    std::vector<uint64_t> all;
    for (const One* one : traces_) {
      uint64_t key = 0;
      for (size_t i = 0; i < one->calls->size(); ++i) {
        key = (key << kCallBits | (*one->calls)[i]) & low_calls(order + 1);
        if (i >= order) all.push_back(key);
      }
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  void add_order(Model& model, unsigned order) {
    Contexts& here = contexts_[order];
    here.first = static_cast<uint32_t>(model.states.size());
    std::vector<uint64_t> all = grams(order);
    for (size_t i = 0; i < all.size();) {
      uint64_t key = all[i] >> kCallBits;
      size_t end = i;
      while (end < all.size() && all[end] >> kCallBits == key) ++end;
      add_state(model, order, key, std::span(all).subspan(i, end - i));
      i = end;
    }
  }

  // `grams`: what followed the context, sorted. A call's chance is its count and what the context without its
  // first call says, weighed by how many different calls followed.
  void add_state(Model& model, unsigned order, uint64_t key, std::span<const uint64_t> grams) {
    Contexts& here = contexts_[order];
    Model::State state;
    state.first = static_cast<uint32_t>(model.edges.size());
    if (order > 0) state.suffix = state_of(order - 1, key & low_calls(order - 1));
    double different = 0, all = static_cast<double>(grams.size()), best = 0;
    for (size_t i = 0; i < grams.size(); ++i) different += i == 0 || grams[i] != grams[i - 1];
    for (size_t i = 0; i < grams.size();) {
      size_t end = i;
      while (end < grams.size() && grams[end] == grams[i]) ++end;
      auto call = static_cast<uint16_t>(grams[i] & low_calls(1));
      double shorter = order > 0 ? chance_in(model, state.suffix, call, state.first) : 1.0 / kModelCalls;
      double chance = (static_cast<double>(end - i) + different * shorter) / (all + different);
      if (chance > best) {
        best = chance;
        state.expected = call;
      }
      model.edges.push_back({0, call, rounded(-std::log2(chance))});
      chances_.push_back(chance);
      i = end;
    }
    state.escape = rounded(-std::log2(different / (all + different)));
    here.keys.push_back(key);
    model.states.push_back(state);
  }

  uint32_t state_of(unsigned order, uint64_t key) const {
    const Contexts& there = contexts_[order];
    auto found = std::lower_bound(there.keys.begin(), there.keys.end(), key);
    return there.first + static_cast<uint32_t>(found - there.keys.begin());
  }

  // A call that followed a context has followed its suffix, too. `end`: where the edges of the newest state
  // begin.
  double chance_in(const Model& model, uint32_t state, uint16_t call, uint32_t end) const {
    auto first = model.edges.begin() + model.states[state].first;
    auto last = model.edges.begin() + (state + 1 < model.states.size() ? model.states[state + 1].first : end);
    auto found = std::lower_bound(
        first, last, call, [](const Model::Edge& edge, uint16_t wanted) { return edge.call < wanted; });
    return chances_[static_cast<size_t>(found - model.edges.begin())];
  }

  // Where an edge leads: the longest context that is known and ends with its call.
  void link(Model& model) {
    for (unsigned order = 0; order <= kOrder; ++order) {
      for (size_t i = 0; i < contexts_[order].keys.size(); ++i) {
        size_t state = contexts_[order].first + i;
        for (uint32_t edge = model.states[state].first; edge < model.states[state + 1].first; ++edge) {
          uint64_t key = contexts_[order].keys[i] << kCallBits | model.edges[edge].call;
          model.edges[edge].next = longest(std::min(order + 1, kOrder), key);
        }
      }
    }
  }

  uint32_t longest(unsigned order, uint64_t key) const {
    for (; order > 0; --order) {
      const Contexts& there = contexts_[order];
      uint64_t wanted = key & low_calls(order);
      auto found = std::lower_bound(there.keys.begin(), there.keys.end(), wanted);
      if (found != there.keys.end() && *found == wanted)
        return there.first + static_cast<uint32_t>(found - there.keys.begin());
    }
    return 0;
  }

  std::span<const One* const> traces_;
  std::array<Contexts, kOrder + 1> contexts_;
  std::vector<double> chances_;  // of model.edges
};

struct RunSets {
  std::vector<uint16_t> calls;  // sorted, each once
  std::vector<uint32_t> pairs;
  bool operator<(const RunSets& other) const { return std::tie(calls, pairs) < std::tie(other.calls, other.pairs); }
};

RunSets sets_of(const CallTrace& trace) {
  RunSets sets;
  sets.calls = trace;
  for (size_t i = 1; i < trace.size(); ++i) sets.pairs.push_back(trace[i - 1] * kModelCalls + trace[i]);
  auto once = [](auto& all) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  };
  once(sets.calls);
  once(sets.pairs);
  return sets;
}

// The runs that are kept: all that differ, or those whose digests come first, which is as good as by lot.
std::set<RunSets> kept_runs(std::span<const One* const> traces) {
  std::set<RunSets> runs;
  for (const One* one : traces)
    if (one->calls->size() >= 2 && runs.size() < kMostRuns) runs.insert(sets_of(*one->calls));
  return runs;
}

void add_runs(Model& model, std::span<const One* const> traces) {
  std::vector<std::vector<uint16_t>> of_call(kModelCalls);
  std::map<uint32_t, std::vector<uint16_t>> of_pair;
  for (const RunSets& sets : kept_runs(traces)) {
    auto run = static_cast<uint16_t>(model.runs.size());
    model.runs.push_back(
        {static_cast<uint16_t>(sets.calls.size()), static_cast<uint32_t>(sets.pairs.size())});
    for (uint16_t call : sets.calls) of_call[call].push_back(run);
    for (uint32_t pair : sets.pairs) of_pair[pair].push_back(run);
  }
  for (const auto& runs : of_call) {
    model.call_first.push_back(static_cast<uint32_t>(model.call_runs.size()));
    model.call_runs.insert(model.call_runs.end(), runs.begin(), runs.end());
  }
  model.call_first.push_back(static_cast<uint32_t>(model.call_runs.size()));
  for (const auto& [pair, runs] : of_pair) {
    model.pairs.push_back(pair);
    model.pair_first.push_back(static_cast<uint32_t>(model.pair_runs.size()));
    model.pair_runs.insert(model.pair_runs.end(), runs.begin(), runs.end());
  }
  model.pair_first.push_back(static_cast<uint32_t>(model.pair_runs.size()));
}

Model learned(std::span<const One* const> traces) {
  Model model;
  model.traces = traces.size();
  for (const One* one : traces) model.calls += one->calls->size();
  Builder(traces).build(model);
  add_runs(model, traces);
  return model;
}

double score_of(const Model& model, const CallTrace& trace, std::vector<float>* windows) {
  Gauge gauge(model);
  for (uint16_t call : trace)
    if (gauge.see(call) && windows != nullptr) windows->push_back(gauge.window().score);
  if (gauge.end() && windows != nullptr) windows->push_back(gauge.window().score);
  return gauge.score();
}

// The highest score that may be called normal when at most `share` of them may be above.
double threshold_of(std::vector<double> scores, double share) {
  std::sort(scores.begin(), scores.end());
  auto above = static_cast<size_t>(share * static_cast<double>(scores.size()));
  return scores[scores.size() - 1 - std::min(above, scores.size() - 1)];
}

}  // namespace

Result<Model> learn(std::span<const CallTrace> traces, double false_alarms, std::vector<float>* windows) {
  std::vector<One> all;
  uint64_t calls = 0;
  for (const CallTrace& trace : traces) {
    if (trace.empty()) continue;
    calls += trace.size();
    std::string_view bytes(reinterpret_cast<const char*>(trace.data()), trace.size() * sizeof trace[0]);
    all.push_back({&trace, sha256(bytes), 0});
  }
  if (calls > kMostLearnedCalls)
    return fail(Code::kBadValue, "the traces hold " + num(calls) + " calls, too many to learn from",
                "at most " + num(kMostLearnedCalls) + " are learned from",
                "give fewer traces, or shorter ones");
  // By digest, so that the order in which files were named makes no difference.
  std::sort(all.begin(), all.end(), [](const One& a, const One& b) { return a.digest < b.digest; });
  size_t different = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && all[i].digest != all[i - 1].digest) ++different;
    all[i].fold = static_cast<unsigned>(different % kFolds);
  }
  if (all.empty() || different + 1 < kLeastTraces)
    return fail(Code::kBadValue, "there are too few different traces to learn from",
                num(all.empty() ? 0 : different + 1) + " are there, " + num(kLeastTraces) + " are the least",
                "trace more runs, and more kinds of work");
  std::vector<double> scores;
  for (unsigned fold = 0; fold < kFolds; ++fold) {
    std::vector<const One*> others;
    for (const One& one : all)
      if (one.fold != fold) others.push_back(&one);
    Model without = learned(others);
    for (const One& one : all)
      if (one.fold == fold) scores.push_back(score_of(without, *one.calls, windows));
  }
  std::vector<const One*> every;
  for (const One& one : all) every.push_back(&one);
  Model model = learned(every);
  model.false_alarms = false_alarms;
  model.threshold = threshold_of(std::move(scores), false_alarms);
  return model;
}

}  // namespace immure::watch

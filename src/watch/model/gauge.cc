#include <algorithm>
#include <cmath>

#include "watch/model/model.h"

namespace immure::watch {
namespace {

// What disorder and distance count beside a bit of surprise a call. A run that shares nothing with any
// learned one has as much from either distance as from eight bits a call more. On the traces of
// docs/anomaly.md all weights between half and double of these give about the same.
constexpr double kDisorderWeight = 4, kFarWeight = 8;
constexpr double kBits = 256;

}  // namespace

void Gauge::OwnCode::reset() {
  local.fill(0);
  pairs.fill(0);
  calls = different = 0;
  bits = 0;
}

void Gauge::OwnCode::see(uint16_t call) {
  uint16_t now = local[call];
  bool fresh = now == 0;
  if (fresh) {
    now = static_cast<uint16_t>(different + 1);
    local[call] = now;
    count[different] = followed[different] = followers[different] = 0;
  }
  uint16_t at = static_cast<uint16_t>(now - 1);
  double chance = 1.0 / kModelCalls;
  if (calls > 0) chance = (count[at] + different * chance) / (calls + different);
  if (calls > 0) {
    uint32_t key = (static_cast<uint32_t>(before) << 8 | at) + 1;
    size_t slot = (key * 0x9e3779b1u) >> 23;  // 512 slots, at most 255 pairs
    while (pairs[slot] != 0 && pairs[slot] >> 9 != key) slot = (slot + 1) % pairs.size();
    uint32_t times = pairs[slot] & 0x1ff;
    if (followed[before] > 0)
      chance = (times + followers[before] * chance) / (followed[before] + followers[before]);
    if (times == 0) ++followers[before];
    pairs[slot] = key << 9 | (times + 1);
    ++followed[before];
  }
  bits -= std::log2(chance);
  if (fresh) ++different;
  ++count[at];
  ++calls;
  before = at;
}

double Gauge::OwnCode::disorder() const { return bits / calls - std::log2(static_cast<double>(different)); }

Gauge::Gauge(const Model& model)
    : model_(model),
      seen_pairs_(model.pairs.size() / 64 + 1),
      common_calls_(model.runs.size()),
      common_pairs_(model.runs.size()) {
  own_.reset();
}

void Gauge::reset() {
  own_.reset();
  window_ = {};
  calls_ = windows_ = bits_ = worst_offset_ = 0;
  window_scores_ = 0;
  state_ = worst_bits_ = different_ = 0;
  seen_calls_ = {};
  std::fill(seen_pairs_.begin(), seen_pairs_.end(), 0);
  std::fill(common_calls_.begin(), common_calls_.end(), uint16_t{0});
  std::fill(common_pairs_.begin(), common_pairs_.end(), 0u);
}

size_t Gauge::memory() const {
  return sizeof *this + seen_pairs_.size() * sizeof(uint64_t) + common_calls_.size() * sizeof(uint16_t) +
         common_pairs_.size() * sizeof(uint32_t);
}

// A state knows only a few calls, and a longer context is only entered by a call: so over a run there are at
// most as many steps to a suffix as there are calls.
void Gauge::walk(uint16_t call) {
  uint32_t from = state_, bits = 0;
  for (;;) {
    auto edges = model_.edges_of(state_);
    auto found =
        std::lower_bound(edges.begin(), edges.end(), call,
                         [](const Model::Edge& edge, uint16_t wanted) { return edge.call < wanted; });
    if (found != edges.end() && found->call == call) {
      bits += found->bits;
      state_ = found->next;
      break;
    }
    bits += model_.states[state_].escape;
    if (state_ == 0) {
      bits += 9 * 256;
      break;
    }
    state_ = model_.states[state_].suffix;
  }
  bits_ += bits;
  if (bits <= worst_bits_) return;
  worst_bits_ = bits;
  worst_offset_ = calls_;
  worst_call_ = call;
  worst_expected_ = model_.states[from].expected;
}

void Gauge::count_sets(uint16_t call) {
  uint64_t bit = uint64_t{1} << (call % 64);
  if ((seen_calls_[call / 64] & bit) == 0) {
    seen_calls_[call / 64] |= bit;
    ++different_;
    for (uint32_t i = model_.call_first[call]; i < model_.call_first[call + 1]; ++i)
      ++common_calls_[model_.call_runs[i]];
  }
  if (calls_ == 0) return;
  // A pair that follows itself is most of what a run does.
  uint32_t pair = before_ * kModelCalls + call;
  auto found = std::lower_bound(model_.pairs.begin(), model_.pairs.end(), pair);
  if (found == model_.pairs.end() || *found != pair) return;
  auto at = static_cast<size_t>(found - model_.pairs.begin());
  bit = uint64_t{1} << (at % 64);
  if ((seen_pairs_[at / 64] & bit) != 0) return;
  seen_pairs_[at / 64] |= bit;
  for (uint32_t i = model_.pair_first[at]; i < model_.pair_first[at + 1]; ++i)
    ++common_pairs_[model_.pair_runs[i]];
}

bool Gauge::see(uint32_t number) {
  auto call = static_cast<uint16_t>(std::min(number, kOtherCall));
  walk(call);
  own_.see(call);
  count_sets(call);
  before_ = call;
  ++calls_;
  if (own_.calls < kWindow) return false;
  close();
  return true;
}

bool Gauge::end() {
  if (own_.calls == 0 || (windows_ > 0 && own_.calls < kWindow / 2)) return false;
  close();
  return true;
}

ScoredWindow Gauge::measured() const {
  ScoredWindow window;
  window.calls = own_.calls;
  window.offset = calls_ - own_.calls;
  window.surprise = static_cast<float>(static_cast<double>(bits_) / kBits / own_.calls);
  window.disorder = static_cast<float>(own_.disorder());
  window.score = static_cast<float>(window.surprise + kDisorderWeight * window.disorder);
  window.different = own_.different;
  window.worst_offset = worst_offset_;
  window.worst_call = worst_call_;
  window.expected_call = worst_expected_;
  window.worst_bits = static_cast<float>(worst_bits_ / kBits);
  return window;
}

void Gauge::close() {
  window_ = measured();
  window_scores_ += window_.score;
  ++windows_;
  own_.reset();
  bits_ = worst_bits_ = 0;
}

double Gauge::far_calls() const {
  double nearest = 0;
  for (size_t i = 0; i < model_.runs.size(); ++i)
    nearest = std::max(nearest,
                       common_calls_[i] / std::sqrt(static_cast<double>(model_.runs[i].calls) * different_));
  return different_ == 0 ? 1 : 1 - std::min(nearest, 1.0);
}

double Gauge::far_pairs() const {
  double most = 0;
  for (size_t i = 0; i < model_.runs.size(); ++i)
    most = std::max(most, static_cast<double>(common_pairs_[i]) / model_.runs[i].pairs);
  return 1 - std::min(most, 1.0);
}

double Gauge::score() const {
  if (calls_ == 0) return 0;
  double windows = windows_ > 0 ? window_scores_ / static_cast<double>(windows_) : measured().score;
  return windows + kFarWeight * (far_calls() + far_pairs());
}

}  // namespace immure::watch

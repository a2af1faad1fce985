// What ordinary runs look like as sequences of system calls, learned from traces of them, and how far another
// run is from that. Three things are measured, all in bits a call or shares, so that they can be added:
//   surprise   how badly the learned runs predict the calls: a Markov model of variable order, 0 to kOrder,
//              whose orders are mixed as in the escape method C of Witten and Bell (IEEE Trans. IT 37, 1991);
//   disorder   how little order the calls have of their own: their cost in an adaptive code of order 1, less
//              that of drawing evenly from as many (Shannon's redundancy, with the other sign);
//   far        how far the nearest single learned run is: by the set of its calls (cosine), and by the share
//              of its pairs of successive calls that have not been seen.
// A Model is read-only and may be used by any number of threads; a Gauge belongs to one traced process, holds
// a reference to the model, and has all the memory that it will ever need when it is made.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::watch {

// A call is its number; those at and above kOtherCall are one.
constexpr unsigned kModelCalls = 512;
constexpr unsigned kOtherCall = kModelCalls - 1;
constexpr unsigned kOrder = 6;  // the longest context, in calls
constexpr unsigned kWindow =
    256;  // calls of a window; the last one of a run has half of that, or is left out
constexpr unsigned kMostRuns = 1024;  // learned runs that are kept as such

struct Model {
  // Contexts; 0 is the empty one, and a context's suffix stands before it. The edges of state i are those
  // from its first to the next state's, sorted by call. A call without edge costs `escape` and is looked for
  // in the suffix; in the empty context it costs escape and the logarithm of kModelCalls. Bits are in 1/256.
  struct State {
    uint32_t first = 0, suffix = 0;
    uint16_t escape = 0, expected = 0;  // expected: the likeliest call
  };
  struct Edge {
    uint32_t next = 0;
    uint16_t call = 0, bits = 0;
  };
  struct Run {
    uint16_t calls = 0;  // different ones
    uint32_t pairs = 0;
  };

  uint64_t traces = 0, calls = 0;  // learned from
  double false_alarms = 0;         // the share that the threshold was chosen for
  double threshold = 0;            // a score above it is anomalous
  std::vector<State> states;       // and one more, which ends the last one's edges
  std::vector<Edge> edges;
  std::vector<Run> runs;
  // Which runs have a call, and which a pair: from first[i] to first[i + 1].
  std::vector<uint32_t> pairs;  // before * kModelCalls + call, sorted
  std::vector<uint32_t> call_first, pair_first;
  std::vector<uint16_t> call_runs, pair_runs;

  std::span<const Edge> edges_of(uint32_t state) const {
    return {edges.data() + states[state].first, edges.data() + states[state + 1].first};
  }
};

// A model as bytes, little-endian: magic, version, length, SHA-256 of the rest. The same model is the same
// bytes.
std::string model_bytes(const Model& model);
// Any bytes may be given. IMM-E002 with the reason when they are no model, one of another version, or
// damaged. Whatever was read, a Gauge ends and stays within bounds.
Result<Model> read_model(std::string_view bytes, std::string_view shown_as);

// kWindow calls in a row. Shares and bits are means over its calls.
struct ScoredWindow {
  uint64_t offset = 0;  // of its first call in the run
  uint32_t calls = 0;
  float surprise = 0;      // bits a call
  float disorder = 0;      // bits a call more than drawing evenly from its calls would cost: mostly below 0
  float score = 0;         // what counts of both
  uint32_t different = 0;  // calls
  // Its least expected call.
  uint64_t worst_offset = 0;
  uint16_t worst_call = 0, expected_call = 0;
  float worst_bits = 0;
};

class Gauge {
 public:
  explicit Gauge(const Model& model);
  void reset();  // for another run

  // The next call. Allocates nothing; constant time, but for a pair of calls that this run makes for the
  // first time, which counts in each learned run that has it. True when it ended a window: window() is that
  // one.
  bool see(uint32_t number);
  // The run has ended. True when that ended a window.
  bool end();
  const ScoredWindow& window() const { return window_; }

  // The higher, the less like what was learned. Of the windows so far, or of the calls so far while there is
  // none.
  double score() const;
  double far_calls() const;  // 0: a learned run has the same calls; 1: none shares any
  double far_pairs() const;  // 0: every pair of some learned run was seen
  bool anomalous() const { return score() > model_.threshold; }
  uint64_t calls() const { return calls_; }
  uint64_t windows() const { return windows_; }
  size_t memory() const;  // bytes, without the model

 private:
  // The calls of the window in an adaptive code of order 1.
  struct OwnCode {
    std::array<uint16_t, kModelCalls> local;  // 1 + number within the window; 0: not seen in it
    std::array<uint16_t, kWindow> count, followed, followers;
    std::array<uint32_t, size_t{2} * kWindow> pairs;  // open addressing: pair << 9 | count
    uint32_t calls, different;
    uint16_t before;
    double bits;
    void reset();
    void see(uint16_t call);
    double disorder() const;
  };
  void walk(uint16_t call);
  void count_sets(uint16_t call);
  ScoredWindow measured() const;
  void close();

  const Model& model_;
  ScoredWindow window_;
  OwnCode own_;
  uint64_t calls_ = 0, windows_ = 0;
  double window_scores_ = 0;
  uint32_t state_ = 0;
  uint64_t bits_ = 0;  // of the window, in 1/256
  uint32_t worst_bits_ = 0;
  uint64_t worst_offset_ = 0;
  uint16_t worst_call_ = 0, worst_expected_ = 0;
  uint16_t before_ = 0;
  uint32_t different_ = 0;
  std::array<uint64_t, kModelCalls / 64> seen_calls_ = {};
  std::vector<uint64_t> seen_pairs_;
  std::vector<uint16_t> common_calls_;  // of each learned run
  std::vector<uint32_t> common_pairs_;
};

}  // namespace immure::watch

#include "filter/clauses.h"

#include <stddef.h>

#include <algorithm>

#include "base/text.h"

namespace immure::filter {
namespace {

// A word of seccomp_data, after AND with the mask.
struct Key {
  uint32_t offset, mask;
  bool operator==(const Key&) const = default;
};

// The word lies between low and high, or, with `outside`, it does not.
struct Atom {
  Key key;
  uint32_t low, high;
  bool outside;
  bool operator==(const Atom&) const = default;
};

struct Clause {
  std::vector<Atom> atoms;  // all of them
  Verdict verdict;
  bool operator==(const Clause&) const = default;
};

// The first clause whose atoms all hold decides; the last one has no atoms.
using Clauses = std::vector<Clause>;
// One of several conjunctions must hold; none: it never does; an empty one: it always does.
using Alternatives = std::vector<std::vector<Atom>>;

constexpr size_t kMostClauses = 2048;  // of one call
constexpr size_t kMostWork = 1 << 18;  // clauses looked at for one call's decisions
constexpr uint32_t kMax = ~uint32_t{0};

// ---- 64-bit tests to words ----------------------------------------------------------------------------------------

struct Words {
  Key low, high;
  uint32_t low_value, high_value;
};

Words words(const ArgTest& test) {
  auto offset = static_cast<uint32_t>(offsetof(seccomp_data, args) + test.index * sizeof(uint64_t));
  bool masked = test.op == ArgTest::Op::MaskedEq;
  return {{offset, masked ? static_cast<uint32_t>(test.mask) : kMax},
          {offset + 4, masked ? static_cast<uint32_t>(test.mask >> 32) : kMax},
          static_cast<uint32_t>(test.value),
          static_cast<uint32_t>(test.value >> 32)};
}

// key ∈ [low, high], as alternatives: what is always so needs no atom, what is never so leaves no alternative.
Alternatives between(Key key, uint32_t low, uint32_t high) {
  if (low > high || low > key.mask) return {};
  if (low == 0 && high >= key.mask) return {{}};
  if (key.mask != kMax && low == high && (low & ~key.mask) != 0) return {};
  return {{{key, low, high, false}}};
}
Alternatives below(Key key, uint32_t value) { return value == 0 ? Alternatives{} : between(key, 0, value - 1); }
Alternatives above(Key key, uint32_t value) { return value == kMax ? Alternatives{} : between(key, value + 1, kMax); }
Alternatives other_than(Key key, uint32_t value) { return {{{key, value, value, true}}}; }

Alternatives both(const Alternatives& a, const Alternatives& b) {
  Alternatives result;
  for (const auto& left : a) {
    for (const auto& right : b) {
      result.push_back(left);
      result.back().insert(result.back().end(), right.begin(), right.end());
    }
  }
  return result;
}

Alternatives either(Alternatives a, const Alternatives& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Alternatives low_word(const ArgTest& test, const Words& w) {
  switch (test.op) {
    case ArgTest::Op::Eq:
    case ArgTest::Op::MaskedEq: return between(w.low, w.low_value, w.low_value);
    case ArgTest::Op::Ne: return other_than(w.low, w.low_value);
    case ArgTest::Op::Lt: return below(w.low, w.low_value);
    case ArgTest::Op::Le: return between(w.low, 0, w.low_value);
    case ArgTest::Op::Gt: return above(w.low, w.low_value);
    case ArgTest::Op::Ge: return between(w.low, w.low_value, kMax);
  }
  return {};
}

Alternatives both_words(const ArgTest& test, const Words& w) {
  Alternatives same_high = between(w.high, w.high_value, w.high_value);
  Alternatives rest = both(low_word(test, w), same_high);
  switch (test.op) {
    case ArgTest::Op::Eq:
    case ArgTest::Op::MaskedEq: return rest;
    case ArgTest::Op::Ne: return either(other_than(w.low, w.low_value), other_than(w.high, w.high_value));
    case ArgTest::Op::Lt:
    case ArgTest::Op::Le: return either(below(w.high, w.high_value), rest);
    case ArgTest::Op::Gt:
    case ArgTest::Op::Ge: return either(above(w.high, w.high_value), rest);
  }
  return {};
}

Result<Clauses> normalise(const CallPolicy& call) {
  Clauses clauses;
  for (const Rule& rule : call.rules) {
    Alternatives all = {{}};
    for (const ArgTest& test : rule.tests) {
      if (test.index > 5) return fail(Code::kFilter, "a system call has no argument " + num(test.index));
      Words w = words(test);
      all = both(all, test.low32 ? low_word(test, w) : both_words(test, w));
      if (all.size() + clauses.size() > kMostClauses) {
        return fail(Code::kFilter, "the rules of call number " + num(call.nr) + " are too many",
                    "they are more than " + num(kMostClauses) + " cases", "test fewer arguments");
      }
    }
    for (auto& atoms : all) clauses.push_back({std::move(atoms), rule.verdict});
  }
  clauses.push_back({{}, call.otherwise});
  return clauses;
}

// ---- decisions ----------------------------------------------------------------------------------------------------

// What is left of the clauses where key's value is known to lie in [low, high], which no atom's border cuts.
Clauses specialise(const Clauses& clauses, Key key, uint32_t low, uint32_t high) {
  Clauses result;
  for (const Clause& clause : clauses) {
    Clause left{{}, clause.verdict};
    bool possible = true;
    for (const Atom& atom : clause.atoms) {
      if (atom.key != key) {
        left.atoms.push_back(atom);
      } else if ((low >= atom.low && high <= atom.high) == atom.outside) {
        possible = false;
        break;
      }
    }
    if (!possible) continue;
    bool decided = left.atoms.empty();
    result.push_back(std::move(left));
    if (decided) break;
  }
  // A clause right before the last one that says the same needs no test.
  while (result.size() > 1 && result[result.size() - 2].verdict == result.back().verdict)
    result.erase(result.end() - 2);
  return result;
}

NodeId read(Graph& graph, Key key, NodeId next) {
  return graph.load(key.offset, key.mask == kMax ? next : graph.mask(key.mask, next));
}

// Word by word: each word that a rule looks at is read once, and every rule learns from it.
class Decider {
 public:
  explicit Decider(Graph& graph) : graph_(graph) {}
  NodeId decide(const Clauses& clauses);
  bool gave_up() const { return work_ > kMostWork; }

 private:
  std::vector<uint32_t> borders(const Clauses& clauses, Key key) const;
  NodeId by_word(const Clauses& clauses, Key key);

  struct Remembered {
    Clauses clauses;
    NodeId node;
  };
  Graph& graph_;
  std::vector<Remembered> memory_;
  size_t work_ = 0;
};

NodeId Decider::decide(const Clauses& clauses) {
  const Clause& first = clauses.front();
  if (first.atoms.empty() || gave_up()) return graph_.ret(first.verdict);
  for (const Remembered& known : memory_)
    if (known.clauses == clauses) return known.node;
  NodeId node = by_word(clauses, first.atoms.front().key);
  memory_.push_back({clauses, node});
  return node;
}

// Where the truth of an atom about this word changes: sorted, from 0 on.
std::vector<uint32_t> Decider::borders(const Clauses& clauses, Key key) const {
  std::vector<uint32_t> result = {0};
  for (const Clause& clause : clauses) {
    for (const Atom& atom : clause.atoms) {
      if (atom.key != key) continue;
      result.push_back(atom.low);
      if (atom.high < key.mask) result.push_back(atom.high + 1);
    }
  }
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

NodeId Decider::by_word(const Clauses& clauses, Key key) {
  std::vector<uint32_t> starts = borders(clauses, key);
  work_ += starts.size() * clauses.size();
  std::vector<Segment> segments;
  for (size_t i = 0; i < starts.size(); i++) {
    uint32_t last = i + 1 < starts.size() ? starts[i + 1] - 1 : key.mask;
    NodeId node = decide(specialise(clauses, key, starts[i], last));
    if (segments.empty() || segments.back().target != node) segments.push_back({starts[i], node});
  }
  if (segments.size() == 1) return segments[0].target;
  if (segments.size() == 2 && segments[1].first == 1)  // zero or not: the mask needs no instruction of its own
    return graph_.load(key.offset, graph_.jump(BPF_JSET, key.mask, segments[1].target, segments[0].target));
  return read(graph_, key, decide_by_range(graph_, segments, 0));
}

NodeId test(Graph& graph, const Atom& atom, NodeId yes, NodeId no) {
  if (atom.outside) std::swap(yes, no);
  if (atom.low == atom.high) return read(graph, atom.key, graph.jump(BPF_JEQ, atom.low, yes, no));
  NodeId upper = atom.high >= atom.key.mask ? yes : graph.jump(BPF_JGT, atom.high, no, yes);
  return read(graph, atom.key, atom.low == 0 ? upper : graph.jump(BPF_JGE, atom.low, upper, no));
}

// Rule by rule, as they stand: at most three instructions for each test.
NodeId one_by_one(Graph& graph, const Clauses& clauses) {
  NodeId next = graph.ret(clauses.back().verdict);
  for (size_t i = clauses.size() - 1; i-- > 0;) {
    NodeId node = graph.ret(clauses[i].verdict);
    for (size_t j = clauses[i].atoms.size(); j-- > 0;) node = test(graph, clauses[i].atoms[j], node, next);
    next = node;
  }
  return next;
}

size_t count_atoms(const Clauses& clauses) {
  size_t atoms = 0;
  for (const Clause& clause : clauses) atoms += clause.atoms.size();
  return atoms;
}

}  // namespace

Result<NodeId> decide_by_rules(Graph& graph, const CallPolicy& call) {
  if (call.rules.empty()) return graph.ret(call.otherwise);
  Result<Clauses> clauses = normalise(call);
  if (!clauses) return tl::unexpected<Error>(std::move(clauses.error()));
  // About no word: drops what cannot be reached.
  Clauses reachable = specialise(*clauses, {0, 0}, 0, 0);
  size_t before = graph.size();
  Decider decider(graph);
  NodeId node = decider.decide(reachable);
  // Rules that overlap in many words would branch without end.
  bool too_many = graph.size() - before > 3 * count_atoms(reachable) + 16;
  return decider.gave_up() || too_many ? one_by_one(graph, reachable) : node;
}

}  // namespace immure::filter

#include "cli/filter_walk.h"

#include <algorithm>
#include <utility>

namespace immure::cli {
namespace {

// What the accumulator holds: a number, or bits of a word that is not known.
struct Accumulator {
  enum class Kind : uint8_t { Number, Word, Opaque } kind = Kind::Number;
  uint32_t number = 0;
  uint32_t offset = 0, mask = ~uint32_t{0};
};

class Walker {
 public:
  Walker(std::span<const sock_filter> program, const KnownWords& known) : program_(program), known_(known) {}
  Ways run() {
    step(0, {}, {});
    return std::move(ways_);
  }

 private:
  void step(size_t at, Accumulator a, std::vector<WordTest> tests);
  void load(uint32_t offset, Accumulator& a) const;
  void jump(size_t at, const Accumulator& a, const std::vector<WordTest>& tests);

  std::span<const sock_filter> program_;
  const KnownWords& known_;
  Ways ways_;
};

WordTest& test_of(std::vector<WordTest>& tests, const Accumulator& a) {
  for (WordTest& test : tests)
    if (test.offset == a.offset && test.mask == a.mask) return test;
  WordTest fresh;
  fresh.offset = a.offset;
  fresh.mask = a.mask;
  fresh.most = a.mask;
  tests.push_back(std::move(fresh));
  return tests.back();
}

// Values at an edge move the edge, so that neighbours need no list.
bool settle(WordTest& test) {
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < test.not_equal.size(); i++) {
      uint32_t value = test.not_equal[i];
      if (test.least > test.most) return false;
      bool edge = value == test.least || value == test.most;
      bool outside = value < test.least || value > test.most;
      if (!edge && !outside) continue;
      if (edge && test.least == test.most) return false;
      if (value == test.least) test.least++;
      else if (value == test.most) test.most--;
      test.not_equal.erase(test.not_equal.begin() + static_cast<ptrdiff_t>(i));
      moved = true;
      break;
    }
  }
  if (test.least > test.most) return false;
  // A single value decides the bits as well.
  return test.any_of == 0 || test.least != test.most || (test.least & test.any_of) != 0;
}

// Narrows the tests by the outcome of one comparison; false: that cannot be.
bool narrow(std::vector<WordTest>& tests, const Accumulator& a, uint16_t op, uint32_t k, bool holds) {
  if (op == BPF_JSET) {
    Accumulator bits = a;
    bits.mask &= k;
    if (bits.mask == 0) return !holds;
    WordTest& test = test_of(tests, bits);
    if (holds) test.any_of = bits.mask, test.not_equal.push_back(0);
    else test.most = 0;
    return settle(test);
  }
  WordTest& test = test_of(tests, a);
  switch (op) {
    case BPF_JEQ:
      if (holds) {
        test.least = std::max(test.least, k);
        test.most = std::min(test.most, k);
        if (std::find(test.not_equal.begin(), test.not_equal.end(), k) != test.not_equal.end()) return false;
      } else {
        test.not_equal.push_back(k);
      }
      break;
    case BPF_JGE:
      if (holds) test.least = std::max(test.least, k);
      else if (k == 0) return false;
      else test.most = std::min(test.most, k - 1);
      break;
    case BPF_JGT:
      if (!holds) test.most = std::min(test.most, k);
      else if (k == ~uint32_t{0}) return false;
      else test.least = std::max(test.least, k + 1);
      break;
    default: break;
  }
  return settle(test);
}

bool compare(uint32_t value, uint16_t op, uint32_t k) {
  switch (op) {
    case BPF_JEQ: return value == k;
    case BPF_JGE: return value >= k;
    case BPF_JGT: return value > k;
    case BPF_JSET: return (value & k) != 0;
    default: return false;
  }
}

void Walker::load(uint32_t offset, Accumulator& a) const {
  a = {};
  size_t word = offset / 4;
  if (word < known_.size() && known_[word]) {
    a.number = *known_[word];
    return;
  }
  a.kind = Accumulator::Kind::Word;
  a.offset = offset;
}

void Walker::jump(size_t at, const Accumulator& a, const std::vector<WordTest>& tests) {
  const sock_filter& code = program_[at];
  uint16_t op = BPF_OP(code.code);
  if (op == BPF_JA) return step(at + 1 + code.k, a, tests);
  size_t yes = at + 1 + code.jt, no = at + 1 + code.jf;
  if (a.kind == Accumulator::Kind::Number) return step(compare(a.number, op, code.k) ? yes : no, a, tests);
  for (bool holds : {true, false}) {
    std::vector<WordTest> narrowed = tests;
    if (a.kind == Accumulator::Kind::Opaque || narrow(narrowed, a, op, code.k, holds))
      step(holds ? yes : no, a, std::move(narrowed));
  }
}

// The kernel lets programs jump forward only, so this ends.
void Walker::step(size_t at, Accumulator a, std::vector<WordTest> tests) {
  for (; at < program_.size(); at++) {
    const sock_filter& code = program_[at];
    switch (BPF_CLASS(code.code)) {
      case BPF_LD:
        load(code.k, a);
        break;
      case BPF_ALU:
        if (BPF_OP(code.code) != BPF_AND) a.kind = Accumulator::Kind::Opaque;
        a.number &= code.k;
        a.mask &= code.k;
        break;
      case BPF_JMP: return jump(at, a, tests);
      case BPF_RET:
        if (ways_.all.size() >= kMostWays) ways_.cut = true;
        else ways_.all.push_back({std::move(tests), code.k});
        return;
      default: a.kind = Accumulator::Kind::Opaque;
    }
    if (ways_.cut) return;
  }
}

}  // namespace

Ways walk(std::span<const sock_filter> program, const KnownWords& known) { return Walker(program, known).run(); }

}  // namespace immure::cli

// Every way through a classic BPF program of seccomp, as conditions on the words of seccomp_data. Pure.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace immure::cli {

// One word of seccomp_data, or some bits of it, and what a way demands of them.
struct WordTest {
  uint32_t offset = 0;            // in struct seccomp_data: 16 + 8·n is the low half of argument n
  uint32_t mask = ~uint32_t{0};
  uint32_t least = 0, most = ~uint32_t{0};
  std::vector<uint32_t> not_equal;
  uint32_t any_of = 0;            // at least one of these bits is set; 0: not asked
};

struct Way {
  std::vector<WordTest> tests;    // all hold
  uint32_t verdict = 0;
};

// What is known of seccomp_data, by word (offset / 4).
using KnownWords = std::array<std::optional<uint32_t>, 16>;

struct Ways {
  std::vector<Way> all;
  bool cut = false;               // more than kMostWays
};
inline constexpr size_t kMostWays = 2000;

// A program that is not well-formed yields no way.
Ways walk(std::span<const sock_filter> program, const KnownWords& known);

}  // namespace immure::cli

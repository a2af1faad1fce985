// A number from 0 to 100, made of evidence: each point is earned by rules that were checked and found
// nothing, and each says why it was not. Pure.
//
// - A Point of rule.h has a fixed weight. It earns the share of its rules that were checked, of those that
//   apply: what could not be looked at, and what was not asked, earns nothing.
// - A finding of severity medium or worse takes all of its Point, a low one half; advice takes nothing. That
//   somebody has accepted a finding changes nothing.
// - Of Integrity, Limits and Records half is for a battery of `immure prove` that was run and stopped all.
// - Such a battery earns kBatteryWeight of its own, half of it when something answered that should not.
// - A critical finding caps the sum at kCriticalCap. An escape makes it 0. The most is 99.
//
// Where both a process and a description could be looked at, one of them is enough.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "audit/audit.h"

namespace immure::audit {

inline constexpr int kBatteryWeight = 4;
inline constexpr int kCriticalCap = 59;

// The ladder is a jail's: a host that was looked at alone is none, and has no score.
bool has_score(const Audit& audit);

int weight(Point point);

// The rungs of the ladder: what 60, 80 and 95 points stand for.
enum class Rung : uint8_t { Holds, Watched, Deep };
inline constexpr int kRungCount = static_cast<int>(Rung::Deep) + 1;
Rung rung(Point point);
int top(Rung rung);            // 60, 80, 95
const char* title(Rung rung);  // "the root and the privileges hold"

struct PointScore {
  Point point = Point::RootChange;
  int weight = 0, earned = 0;
  size_t checked = 0, unknown = 0, not_asked = 0;  // rules
  std::optional<Severity> worst;                   // of what was found
  std::string why;  // why not all was earned: "high: tree-set-id"; empty when all was
};

struct Score {
  int value = 0;
  int sum = 0;      // before what caps it
  std::string cap;  // why it is less than the sum; empty: it is not
  std::vector<PointScore> points;
  int battery = 0;  // of kBatteryWeight
  std::string battery_why;

  int of(Rung wanted) const;  // earned on this rung
};

// `all`: every rule there is, for what was not asked.
Score score(const Audit& audit, std::span<const Rule* const> all);

// How many rules of each look were not asked and would have earned something: what to look at besides.
std::vector<std::pair<Look, size_t>> not_asked(const Audit& audit, std::span<const Rule* const> all);

}  // namespace immure::audit

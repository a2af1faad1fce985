// A baseline: what ordinary work was seen to do, learned from traces (learn/ordinary.h), kept in a file, and
// given to the detectors of a watch. The file may come from elsewhere, and is not believed: it is bounded,
// sealed by a digest against damage, and its parts are looked at before anything of them is used. Whoever can
// write it can say that anything is ordinary, so it is to be kept as a profile is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "watch/detect/expected.h"

namespace immure::watch {

inline constexpr std::string_view kBaselineMagic = "immure baseline\n";
inline constexpr uint32_t kBaselineVersion = 2;
inline constexpr size_t kMostBaselineBytes = size_t{64} << 20;
inline constexpr size_t kMostBaselineName = 4096;

struct Baseline {
  uint64_t traces = 0, events = 0;  // learned from
  uint64_t beyond = 0;              // paths, addresses and programs that had no room
  Expected expected;
};

// Little-endian: magic, version, length, SHA-256 of the rest. The same baseline is the same bytes. kBadValue
// when it would be larger than a reader takes.
Result<std::string> baseline_bytes(const Baseline& baseline);
// Any bytes may be given. kBadValue with the reason when they are no baseline, one of another version, or
// damaged.
Result<Baseline> read_baseline(std::string_view bytes, std::string_view shown_as);

}  // namespace immure::watch

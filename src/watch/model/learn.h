// Learning a Model from traces of ordinary runs. Deterministic: the same traces in any order give the same
// bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "watch/model/model.h"

namespace immure::watch {

using CallTrace = std::vector<uint16_t>;  // numbers, those above kOtherCall as kOtherCall

constexpr uint64_t kMostLearnedCalls = uint64_t{1} << 24;

// The threshold is chosen so that of the given traces, each scored by a model that was learned without it, at
// most the share `false_alarms` (above 0, below 1) is above. For that they are divided in ten parts, equal
// traces into the same one. IMM-E002 when there are fewer than kLeastTraces different ones, or too many
// calls.
constexpr size_t kLeastTraces = 10;
// `windows`: gets the score of each window of each trace, by the model that was learned without it.
Result<Model> learn(std::span<const CallTrace> traces, double false_alarms,
                    std::vector<float>* windows = nullptr);

}  // namespace immure::watch

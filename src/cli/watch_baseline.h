// What a watch knows of ordinary work: baselines that `immure watch train` makes from traces, and profiles.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "watch/detect/expected.h"

namespace immure::cli {

// Of a baseline's file and of a profile (NAME or FILE); "" for either: not said. Null when neither is. With
// both, what either knows is expected. kMissingSource, kBadValue, kBadProfile.
Result<std::shared_ptr<const watch::Expected>> known_work(const std::string& baseline,
                                                          std::string_view profile);
// A sentence for who watches at a level, or on a trace of one, at which sequences of calls are not weighed;
// "" when there is none to weigh, or they are.
std::string not_weighed(const watch::Expected* known, watch::Level level);

// How many of the files are traces of immure watch, by how they begin. `-` and what cannot be read is none.
size_t packed_traces(const std::vector<std::string>& files);
// Learns from traces, and writes the baseline whole or not at all.
Result<int> train_baseline(const std::vector<std::string>& traces, const std::string& path);

}  // namespace immure::cli

// `immure watch --list` and `--explain DETECTOR`.
#pragma once

#include <string_view>

#include "base/result.h"

namespace immure::cli {

Result<int> list_detectors(bool json);
Result<int> explain_detector(std::string_view id);

}  // namespace immure::cli

// Named sets of calls, as data: sets.inc. A set groups what gives the same power.
#pragma once

#include <span>
#include <string_view>

namespace immure::filter {

struct NamedSet {
  std::string_view name;                      // with its "@"
  std::span<const std::string_view> calls;
};
std::span<const NamedSet> all_sets();

}  // namespace immure::filter

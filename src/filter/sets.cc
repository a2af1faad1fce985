#include "filter/sets.h"

#include <array>

#include "filter/filter.h"

namespace immure::filter {
namespace {

// Each set's calls are an array of their own, told apart by their line of the table.
template <int Line>
struct Calls;

#define SET(name, ...)                                            \
  template <>                                                     \
  struct Calls<__LINE__> {                                        \
    static constexpr std::string_view kList[] = {__VA_ARGS__};    \
  };
#include "filter/sets.inc"
#undef SET

constexpr NamedSet kSets[] = {
#define SET(name, ...) {name, Calls<__LINE__>::kList},
#include "filter/sets.inc"
#undef SET
};

constexpr auto kNames = [] {
  std::array<std::string_view, std::size(kSets)> names;
  for (size_t i = 0; i < names.size(); i++) names[i] = kSets[i].name;
  return names;
}();

}  // namespace

std::span<const NamedSet> all_sets() { return kSets; }

std::span<const std::string_view> named_sets() { return kNames; }

std::optional<std::span<const std::string_view>> named_set(std::string_view name) {
  for (const NamedSet& set : kSets)
    if (set.name == name) return set.calls;
  return std::nullopt;
}

}  // namespace immure::filter

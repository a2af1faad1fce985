// What is told of what a jail does, and where it goes.
#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "input/setters.h"

namespace immure::set {
namespace {

constexpr auto kLevels = std::to_array<std::string_view>({"process", "security", "opens", "files", "all"});
constexpr auto kSources = std::to_array<std::string_view>({"auto", "notify", "ebpf", "ptrace"});

Status one_of(std::string_view option, std::string_view value, std::span<const std::string_view> words) {
  if (std::find(words.begin(), words.end(), value) != words.end()) return {};
  std::string all;
  for (std::string_view word : words) all += (all.empty() ? "" : ", ") + std::string(word);
  return fail(Code::kBadValue, "--" + std::string(option) + " does not know " + quoted(value), {},
              "write one of " + all);
}

Status file_of(Jail& jail, std::string_view option, std::string_view value, OriginId origin, Field field,
               HostPath& place) {
  Result<HostPath> path = host_path(option, value);
  if (!path) return tl::unexpected<Error>(std::move(path.error()));
  IMMURE_TRY(claim(jail.spec, field, origin, place.value != path->value, option));
  place = std::move(*path);
  return {};
}

}  // namespace

Status watch(Jail& jail, std::string_view value, OriginId origin) {
  if (value == "true" || value.empty()) value = "security";
  if (value == "false")
    value = {};
  else
    IMMURE_TRY(one_of("watch", value, kLevels));
  IMMURE_TRY(claim(jail.spec, Field::Watch, origin, jail.spec.watch.level != value, "watch"));
  jail.spec.watch.level = value;
  return {};
}

Status watch_source(Jail& jail, std::string_view value, OriginId origin) {
  IMMURE_TRY(one_of("watch-source", value, kSources));
  IMMURE_TRY(claim(jail.spec, Field::WatchSource, origin, jail.spec.watch.source != value, "watch-source"));
  jail.spec.watch.source = value;
  return {};
}

Status watch_json(Jail& jail, std::string_view value, OriginId origin) {
  return file_of(jail, "watch-json", value, origin, Field::WatchJson, jail.spec.watch.json);
}

Status watch_trace(Jail& jail, std::string_view value, OriginId origin) {
  return file_of(jail, "watch-trace", value, origin, Field::WatchTrace, jail.spec.watch.trace);
}

Status watch_baseline(Jail& jail, std::string_view value, OriginId origin) {
  return file_of(jail, "watch-baseline", value, origin, Field::WatchBaseline, jail.spec.watch.baseline);
}

Status watch_expect(Jail& jail, std::string_view value, OriginId origin) {
  if (value.empty()) return fail(Code::kBadValue, "--watch-expect needs a profile", {}, "immure policy list has their names");
  IMMURE_TRY(claim(jail.spec, Field::WatchExpect, origin, jail.spec.watch.expect != value, "watch-expect"));
  jail.spec.watch.expect = value;
  return {};
}

Status watch_events(Jail& jail, std::string_view value, OriginId) {
  auto on = truth("watch-events", value);
  if (!on) return tl::unexpected<Error>(std::move(on.error()));
  jail.spec.watch.events = *on;
  return {};
}

}  // namespace immure::set

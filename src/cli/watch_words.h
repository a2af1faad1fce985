// The words of `immure watch`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "respond/react.h"
#include "watch/calls.h"

namespace immure::cli {

struct WatchWish {
  std::string jail;  // "": none
  std::optional<int> pid;
  bool everything = false;
  watch::Level level = watch::Level::Security;
  std::string source;            // "": the first that can be had
  std::string trace;             // a file; "": none
  std::string metrics;           // a file; "": none
  std::string baseline, expect;  // a baseline's file, a profile; "": none
  std::vector<respond::Reaction> reactions;
  uint32_t kinds = ~0U;          // bit(Kind) of the events that are shown
  std::optional<uint64_t> time;  // nanoseconds
  bool json = false, top = false, alerts_only = false, sources = false, list = false, help = false;
  std::string explain;  // a detector; "": none
};
// kUsage, kBadValue.
Result<WatchWish> read_watch_wish(std::span<char* const> args);
std::string watch_help();
// The flags that read_watch_wish() knows, for the row of the verb.
std::string watch_flags();
// "process", "security" …; nothing: none of them.
std::optional<watch::Level> level_named(std::string_view name);
// "file,network" as bits; kBadValue with the nearest name.
Result<uint32_t> kinds_named(std::string_view list);

}  // namespace immure::cli

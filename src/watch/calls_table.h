// How rows of calls are written down (calls_files.cc, calls_rights.cc). For those files and calls.cc alone.
#pragma once

#include <span>

#include "watch/calls.h"

namespace immure::watch {

struct In {
  uint8_t flags = 255, other = 255, folder = 255;
};
constexpr CallRow row(const char* name, Kind kind, Action action, Level level, In in = {},
                      std::span<const Capture> captures = {}, std::span<const Earlier> earlier = {},
                      uint8_t entries = kEveryEntry) {
  return {name, kind, action, level, in.flags, in.other, in.folder, captures, earlier, entries};
}

inline constexpr Capture kPath0[] = {{kItemPath, 0}};
inline constexpr Capture kPath1[] = {{kItemPath, 1}};
inline constexpr Capture kPath0And1[] = {{kItemPath, 0}, {kItemPath, 1}};
inline constexpr Capture kText0[] = {{kItemText, 0}};
inline constexpr Capture kText1[] = {{kItemText, 1}};
inline constexpr Capture kText2[] = {{kItemText, 2}};

// Files and processes: calls_files.cc; all others: calls_rights.cc. Together in the order of call_rows().
std::span<const CallRow> file_rows();
std::span<const CallRow> right_rows();

}  // namespace immure::watch

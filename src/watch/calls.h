// The calls that are watched, as rows of one const table (calls.cc): what each is about, and what of the
// caller's memory says what it does. Sources ask it what to read, decode.h what it means.
#pragma once

#include <cstdint>
#include <span>

#include "kernel/call_record.h"
#include "watch/event.h"

namespace immure::watch {

// How much is watched. Each level has all of those before it.
enum class Level : uint8_t {
  Process,   // programs that start, and processes
  Security,  // and what reaches for rights, mounts, namespaces, the kernel, other processes, the network;
             // failures of the filter
  Files,     // and every path
  All,       // and every other call by its number
};
inline constexpr int kLevelCount = static_cast<int>(Level::All) + 1;
const char* key(Level level);

// What of memory is read for a call.
struct Capture {
  CallItemKind kind = kItemPath;
  uint8_t argument = 0;
  // Of kItemBytes and kItemAddress: the argument that says how long it is; kFixed: `length` bytes.
  static constexpr uint8_t kFixed = 255;
  uint8_t length_in = kFixed;
  uint16_t length = 0;
};

struct CallRow {
  const char* name;  // as uapi/syscalls.h has it, in every architecture that knows it
  Kind kind;
  Action action;
  Level level;  // from which level on it is watched
  uint8_t flags_in =
      255;  // the argument that becomes Event::flags; 255: decode.cc knows better, or there is none
  uint8_t other_in = 255;   // the argument that becomes Event::other
  uint8_t folder_in = 255;  // the descriptor that a relative path begins at; 255: the working directory
  std::span<const Capture> captures = {};
};

std::span<const CallRow> call_rows();
// The row of a call by number; null: not in the table.
const CallRow* row_of(uint32_t arch, uint32_t nr);

}  // namespace immure::watch

// The calls that are watched, as rows of one const table (calls.cc): what each is about, and what of the
// caller's memory says what it does. Sources ask it what to read, decode.h what it means.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernel/call_record.h"
#include "watch/event.h"

namespace immure::watch {

// How much is watched. Each level has all of those before it.
enum class Level : uint8_t {
  Process,   // programs that start, and processes
  Security,  // and what reaches for rights, mounts, namespaces, the kernel, other processes, the network;
             // failures of the filter
  Opens,     // and files that are opened, made, changed, renamed or removed, by their paths
  Files,     // and every other path: what is only looked at
  All,       // and every other call by its number
};
inline constexpr int kLevelCount = static_cast<int>(Level::All) + 1;
const char* key(Level level);

// What of memory is read for a call. An argument that is 0 gives no item; memory of which only the beginning
// can be read gives an item that is cut.
struct Capture {
  CallItemKind kind = kItemPath;  // kItemWords: an array of pointers, of 4 bytes each for i386 and x32
  uint8_t argument = 0;
  // Of kItemBytes and kItemAddress: the argument that says how long it is (its low half), of which at most
  // `length` are kept (0: kMostItemBytes); kFixed: `length` bytes.
  static constexpr uint8_t kFixed = 255;
  uint8_t length_in = kFixed;
  uint16_t length = 0;
};

// A test of one argument that lets a call be watched from an earlier level on than its row says. All of them
// are such that a filter of the kernel can make them.
struct Earlier {
  enum class Is : uint8_t {
    AnyBit,   // of values[0] is set
    NoBit,    // of it is
    AllBits,  // of it are
    OneOf,    // the values
    NoneOf,   // of them
  };
  Level from = Level::Security;
  uint8_t argument = 0;
  Is is = Is::AnyBit;
  bool whole = false;  // all 64 bits are looked at: a pointer; else the low 32, which is what the kernel does
  std::span<const uint64_t> values = {};
  bool holds(const uint64_t (&args)[6]) const;
};

// The ways into the kernel.
enum Entry : uint8_t { kEntry64 = 1, kEntry32 = 2, kEntryX32 = 4, kEntryNot32 = 5, kEveryEntry = 7 };

struct CallRow {
  const char* name;  // as uapi/syscalls.h has it, in every architecture that knows it
  Kind kind;
  Action action;
  Level level;  // from which level on each such call is watched
  uint8_t flags_in =
      255;  // the argument that becomes Event::flags; 255: decode.cc knows better, or there is none
  uint8_t other_in = 255;   // the argument that becomes Event::other
  uint8_t folder_in = 255;  // the descriptor that a relative path begins at; 255: the working directory
  std::span<const Capture> captures = {};
  std::span<const Earlier> earlier = {};  // one that holds is enough
  uint8_t entries = kEveryEntry;          // for which the row is meant
};

std::span<const CallRow> call_rows();
// The row of a call by number; null: not in the table.
const CallRow* row_of(uint32_t arch, uint32_t nr);
// Whether a call with these arguments is watched at a level; `row` null: one that is not in the table.
bool watched(const CallRow* row, Level level, const uint64_t (&args)[6]);
// Whether some call of that row may be: what a source has to be told of.
bool may_be_watched(const CallRow& row, Level level);
// The call's name, for every architecture alike; empty for a number without one.
std::string_view name_of_call(uint32_t arch, uint32_t nr);

}  // namespace immure::watch

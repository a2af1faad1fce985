// The form of a trace's file: a head, then blocks. Each block is compressed (zstd, RFC 8878) and sealed by a
// digest over the digest before it, its own head and its bytes: who changes, takes out or moves a block
// breaks every seal behind it. A trace that was cut short at the end of a block looks like one whose writer
// was killed there: both have no last block, and a reader says so. Numbers are little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace immure::watch {

inline constexpr std::string_view kTraceMagic = "immure.trace/1\n";
inline constexpr uint32_t kBlockMagic = 0x424d4d49;  // "IMMB"
// No block is larger, packed or not; no head either.
inline constexpr size_t kMostBlock = 1 << 20, kMostHead = 1 << 16;
// The window that blocks of one frame may look back: what a reader needs of memory.
inline constexpr int kWindowLog = 19;

enum BlockFlag : uint32_t {
  kBlockBegins = 1,  // of a new frame: nothing before it is needed to unpack it
  kBlockEnds = 2,    // the last one of a trace that was ended on purpose; it is empty
};

struct BlockHead {
  uint32_t magic = kBlockMagic;
  uint32_t flags = 0;
  uint32_t packed = 0, unpacked = 0;  // bytes
  uint64_t first = 0;                 // number of its first record (Event::number)
  Digest digest{};
};
static_assert(sizeof(BlockHead) == 56);
// What of a block's head is sealed: all but the seal.
inline constexpr size_t kSealed = sizeof(BlockHead) - sizeof(Digest);

// What stands before the blocks. Texts of a jail may be in it: printable() before they are shown.
struct TraceHead {
  std::string target;   // as the user said it: "jail web", "pid 4711"
  std::string command;  // of a run: its words, each with its end
  std::string source;   // "ebpf"
  std::string level;    // "security"
  std::string host, kernel;
  uint64_t wall = 0;       // nanoseconds since 1970 when it began
  uint64_t monotonic = 0;  // CLOCK_MONOTONIC then
  uint32_t part = 1;       // of one that was rotated
  Digest previous{};       // the last digest of the part before it; zeroes: it is the first
};

// With magic and length in front.
std::string text_of(const TraceHead& head);
// kBadValue: not a trace, of another version, cut or too long. `bytes`: the file from its beginning, with all
// of the head; `length` is how much of it the head was.
Result<TraceHead> parse_head(std::string_view bytes, size_t& length);

Digest seal(const Digest& before, std::string_view sealed_head, std::string_view packed);

}  // namespace immure::watch

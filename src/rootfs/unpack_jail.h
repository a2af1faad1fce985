// Runs the unpacker (unpack.h) in a jail and reads what it says. The jail is `immure run` with the profile
// minimal: nothing of the host but /usr to read, no network, few processes, little memory, limits of time.
// The archive comes in through a pipe, so that the jail has no descriptor of a file outside, and the bytes
// that are hashed are the bytes that were unpacked.
#pragma once

#include <functional>
#include <string>

#include "base/digest.h"
#include "base/result.h"
#include "rootfs/archive.h"

namespace immure::rootfs {

// Paths of programs: `immure`, and the one that holds the unpacker (immure-full itself).
struct UnpackPrograms {
  std::string immure, unpacker;
};

struct ArchiveInput {
  int fd = -1;           // read from where it stands: a file or a pipe
  uint64_t size = 0;     // 0: not known
  std::string shown_as;  // for messages
  // Whether an archive without its end mark is refused: one that was cut off between two entries lacks it.
  // Not where a digest says that all is there, since some who write layers leave it out.
  bool needs_end_mark = true;
};

struct ArchiveSeen {
  Digest digest{};    // of the archive as it was read, to its last byte
  uint64_t size = 0;  // in bytes
  // What of the limits it took.
  uint64_t content = 0, entries = 0, names = 0;
};

using TakeRecord = std::function<Status(const Record&, RecordReader&)>;

// Errors: those of RecordReader and of `take`, kLayer when no jail can be made, kSystem when the jail ended
// otherwise, with what it said. When it returns nothing of the jail runs.
Result<ArchiveSeen> read_archive(const UnpackPrograms& programs, const ArchiveInput& input,
                                 const ArchiveLimits& limits, const TakeRecord& take);

}  // namespace immure::rootfs

// One archive with what there is to know of a target at one moment: for who has to find out later what
// happened. It reads, and executes nothing of the jail's.
//
//   NAME/summary.json             schema immure.snapshot/1: target, time, host, how it was held still,
//   members, what is missing NAME/process/PID/…            files of /proc/PID, links, descriptors, threads,
//   names of the environment, digest of the program NAME/network/INODE/…          sockets of each network
//   namespace NAME/group/…                  files of its control group NAME/changed/…                files
//   that were changed since it began, where it has a mount namespace of its own NAME/events.jsonl the last
//   events of its trace NAME/SHA256SUMS               of all of these
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "respond/halt.h"
#include "respond/target.h"

namespace immure::respond {

struct SnapshotWish {
  std::string file;          // of the archive
  bool still = true;         // stop all while it is read; what ran goes on afterwards
  bool contents = false;     // keep what changed files contain
  std::string trace;         // "": no events
  uint64_t events = 10'000;  // how many of its last ones
  unsigned patience = 5;     // seconds for each part
};

struct Missing {
  std::string part;  // "process/7/maps"
  std::string why;   // "EACCES"
};

struct Snapshot {
  uint64_t wall = 0;  // nanoseconds since 1970
  std::vector<Member> members;
  std::string held;  // how: "control group", "signals", "" for not at all
  std::vector<Missing> missing;
  uint64_t parts = 0, changed = 0, events = 0;
  std::string digest;  // SHA-256 of the archive
};

// Whatever becomes of it, what was stopped for it goes on. The archive of one that failed is removed.
Result<Snapshot> take_snapshot(const Target& target, const SnapshotWish& wish);

}  // namespace immure::respond

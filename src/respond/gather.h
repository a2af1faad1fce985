// What one process shows, read by a child of this one: whatever the process does to make a reader wait, the
// reader has a deadline, and what it had read until then is kept. Nothing of the process is executed,
// attached to or changed.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace immure::respond {

struct Piece {
  std::string_view name;  // "status", "fds.jsonl": ours, never the process's
  std::string_view bytes;
  int error = 0;  // errno with which it could not be read; then there are no bytes
};
using PieceTaker = std::function<Status(const Piece& piece)>;

// Of /proc/PID: its files (of the environment the names alone), its links, descriptors, threads, namespaces,
// and the digest of its program. What does not come within `seconds` is told as a piece "late" with
// ETIMEDOUT.
Status gather_process(int pid, unsigned seconds, const PieceTaker& taker);
// The sockets of its network, as the kernel lists them.
Status gather_network(int pid, unsigned seconds, const PieceTaker& taker);

struct ChangedWish {
  uint64_t since = 0;                  // nanoseconds since 1970: what was changed at that moment or later
  uint64_t most_names = 200'000;       // of each mount
  uint64_t seconds = 20;               // of all: what is not walked by then is told to be so
  bool contents = false;               // and their bytes: pieces "content/N"
  uint64_t most_bytes = 256ULL << 20;  // of contents, together
};
// The files that were changed (ctime) where its mounts can be written, from its own root, followed through no
// link and on to no other mount: a piece "changed.jsonl". Only for a mount namespace that is not this
// process's own.
Status gather_changed(int pid, const ChangedWish& wish, unsigned seconds, const PieceTaker& taker);

// "A\0B=c\0" → {"A":…}: names of variables alone, one a line, printable as JSON text.
std::string environment_names(std::string_view environ);

}  // namespace immure::respond

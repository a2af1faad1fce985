// The reading of processes and files, in the child that may be kept waiting (gather.h).
#pragma once

#include <cstdint>
#include <functional>

#include "base/digest.h"
#include "respond/gather.h"

namespace immure::respond {

// Of a file's bytes from its beginning on, read in parts: it may be larger than the memory. Its offset stays.
// kSystem with EFBIG for more than `most` bytes.
Result<Digest> digest_of(int file, uint64_t most);

using PieceSink = std::function<void(const Piece& piece)>;

void read_process(int pid, const PieceSink& sink);
void read_network(int pid, const PieceSink& sink);
void read_changed(int pid, const ChangedWish& wish, const PieceSink& sink);

}  // namespace immure::respond

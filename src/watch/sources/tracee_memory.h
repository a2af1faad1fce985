// What a call names, read from the memory of the process that makes it. Nothing here waits for that process
// but for pages that a file system of its own serves (process_vm_readv(2)).
#pragma once

#include <cstdint>

#include "watch/calls.h"
#include "watch/sources/record_writer.h"

namespace immure::watch {

struct TracedCall {
  int32_t tid = 0;
  uint32_t arch = 0, nr = 0;
  uint64_t args[6] = {};
};

// Adds an item for each capture of the row. `words`: also those of kItemWords.
void read_items(const TracedCall& call, const CallRow& row, bool words, RecordWriter& writer);
// The items of kItemWords alone.
void read_words(const TracedCall& call, const CallRow& row, RecordWriter& writer);
// `length` bytes at an address; how many could be read.
size_t read_memory(int32_t tid, uint64_t address, void* into, size_t length);

}  // namespace immure::watch

// The table of calls, in the words of the program in the kernel.
#pragma once

#include "watch/calls.h"
#include "watch/sources/ebpf_tables.h"

namespace immure::watch {

// Fills rows, row_of_call and values (the constants of bpf/watch.bpf.c) for a level. False: there are more
// rows, captures, tests or values than there is room for, which the tests of the tables would have told.
bool fill_rows(Level level, EbpfRow (&rows)[kEbpfMostRows],
               uint16_t (&row_of_call)[kEbpfEntries][kEbpfMostNumbers], uint64_t (&values)[kEbpfMostValues]);

}  // namespace immure::watch

// Walking a procfs by its numbers, without allocating: for the sums of sampler.h and pipe_sum.h.
#pragma once

#include <errno.h>

#include <cstddef>
#include <cstdint>

#include "kernel/sys.h"

namespace immure::run {

struct DirectoryEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

// One file of procfs. Who ends while being looked at is not there any more; any other error is one.
inline int real_error(long result) {
  return result >= 0 || result == -ENOENT || result == -ESRCH ? 0 : static_cast<int>(-result);
}

struct ProcPath {
  char text[40];

  ProcPath(const char* name, const char* file) {
    size_t n = 0;
    for (const char* part : {name, file})
      for (const char* p = part; *p != '\0' && n + 1 < sizeof text; p++) text[n++] = *p;
    text[n] = '\0';
  }
};

// Calls see(name) for each entry whose name is a number, as long as it says so; 0 or an errno.
template <class See>
int each_number(int dir, See see) {
  alignas(8) char buffer[2048] = {};
  long n = sys::call(__NR_lseek, dir, 0, 0);
  while (n >= 0) {
    n = sys::call(__NR_getdents64, dir, sys::arg(buffer), sizeof buffer);
    if (n <= 0) break;
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
      at += entry->size;
      if (entry->name[0] >= '0' && entry->name[0] <= '9' && !see(entry->name)) return 0;
    }
  }
  return real_error(n);
}

}  // namespace immure::run

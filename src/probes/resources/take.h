// What the files of this folder have in common: how it is said that something was taken, or no more was
// given.
#pragma once

#include <sys/types.h>

#include <array>

#include "probes/inside.h"

namespace immure::probes {

// All of it was given: exposed, with the amount and its unit.
Attempt took(long long amount, const char* unit);
// No more was given after `amount`: stopped at `where` with errno.
Attempt refused(const char* where, long long amount, const char* unit);
Attempt refused(const char* where, int error, long long amount, const char* unit);

// As many open files as the hard limit allows.
void raise_open_files();

inline constexpr int64_t kMiB = 1 << 20;

// The rows with a limit that is small enough to be gone beyond, those that have none of their own.
template <size_t N>
constexpr std::array<Probe, N> limited(const char* limit, const Probe (&rows)[N]) {
  std::array<Probe, N> all{};
  for (size_t i = 0; i < N; ++i) {
    all[i] = rows[i];
    if (all[i].limit[0] == '\0') all[i].limit = limit;
  }
  return all;
}

// Maps and touches so many bytes, a MiB at a time; the bytes that were had. Errno when it is less.
int64_t touch(int64_t bytes);
// Starts `count` processes, each of which runs `body` and then sleeps until all are ended; how many said that
// they have what they wanted. With errno when one could not be started, ENOMEM when one failed or was killed.
int64_t together(int count, bool (*body)(int64_t), int64_t argument);

}  // namespace immure::probes

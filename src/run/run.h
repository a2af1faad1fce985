// `immure run` from a finished JailSpec to the exit status: features, plan, launch, supervision, report, cleaning up.
#pragma once

#include <string>

#include "base/result.h"
#include "run/watcher.h"
#include "spec/jail_spec.h"

namespace immure::run {

struct Caller {
  char* const* environment = nullptr;
  // argv and environment of this process as the kernel shows them in /proc: wiped in the jail's pid 1.
  char* own_arguments = nullptr;
  uint64_t own_arguments_size = 0;
  std::string words;     // for the state file
  WatchDescriptors watch;
  int ask_fd = -1;          // the way to who is asked about denied calls (run/asker.h)
  uint64_t started_ns = 0;  // CLOCK_MONOTONIC_RAW when this process began, for --timings
};

// The program's exit status, 124, 125, 126, 127 or 128+n (docs/conventions.md). Everything that has to be said
// was said on stderr.
int run_jail(JailSpec spec, const RunOptions& options, const Caller& caller);

}  // namespace immure::run

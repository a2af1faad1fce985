// Cleans up after a supervisor that could not: a process that shares the supervisor's memory, sleeps until the
// supervisor has gone, then removes its control groups and its state file and gives the caller's terminal back.
// Until then it shares the supervisor's descriptors as well; of what it is left with it keeps terminals among 0..2. What it reads must be filled in before
// the thing exists (a path that is not there is passed over). Raw system calls only; nothing is allocated.
#pragma once

#include <cstdint>

#include "run/terminal.h"

namespace immure::run {

inline constexpr int kWatchedPaths = 8;
struct Watched {
  const char* groups[kWatchedPaths] = {};   // control group directories
  const char* files[kWatchedPaths] = {};    // files to unlink
  SavedTerminal terminal;
};

class Watchdog {
 public:
  Watchdog() = default;
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();   // ends it, and waits until it has gone: the later this is, the less there is to wait for
  // Starts it: its pid, or -errno. `watched` and what it points to stay as they are until it is dismissed.
  long start(Watched* watched);
  bool runs() const { return pid_ > 0; }
  // The supervisor has cleaned up itself: nothing is done any more, and nothing of `watched` is read.
  void dismiss();

 private:
  long pid_ = 0;
  bool dismissed_ = false;
};

}  // namespace immure::run

// The hour of the day of an event, whose time is CLOCK_MONOTONIC's.
#pragma once

#include <time.h>

#include <cstdint>

namespace immure::watch {

// What CLOCK_REALTIME is ahead of it now, nanoseconds. Asked once by whoever shows times, so that a clock
// that is set meanwhile changes no order.
inline int64_t wall_ahead() {
  timespec wall{}, steady{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &steady);
  return (int64_t{wall.tv_sec} - int64_t{steady.tv_sec}) * 1'000'000'000 + (wall.tv_nsec - steady.tv_nsec);
}

}  // namespace immure::watch

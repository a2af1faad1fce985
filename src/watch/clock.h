// The hour of the day of an event, whose time is CLOCK_MONOTONIC's; and that clock.
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

inline uint64_t monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace immure::watch

// Less of the processor for all of a target.
#pragma once

#include "base/result.h"
#include "respond/target.h"

namespace immure::respond {

enum class Throttled : uint8_t {
  Group,  // a tenth of one processor, by the control group that holds exactly these
  Idle,   // SCHED_IDLE for each thread: only what nobody else wants. Children have it, too
};
// kNoJail: it has ended; kSystem: not even one thread could be.
Result<Throttled> throttle(const Target& target);

}  // namespace immure::respond

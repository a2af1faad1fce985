// Stopping, letting go on, and ending all processes of a target.
#pragma once

#include <string>

#include "base/result.h"
#include "respond/target.h"

namespace immure::respond {

// How it was done: what is said of it.
enum class How : uint8_t {
  Group,    // by its control group: what is born meanwhile is stopped as well
  Signals,  // process by process, until no new one shows up; a SIGCONT undoes it
};

struct Halted {
  How how = How::Signals;
  std::string group;            // of How::Group
  std::vector<Member> members;  // of How::Signals: those that were stopped now, and run again with go_on()
  size_t count = 0;             // processes that are at rest
};

// kNoJail: it has ended; kSystem: new ones keep coming. Then nothing stays stopped.
Result<Halted> stop(const Target& target);
// What stop() did is undone; what was stopped before stays so.
Status go_on(const Halted& halted);
// All go on, whoever stopped them.
Status thaw(const Target& target);
// SIGKILL to all, until none is left. How many there were.
Result<size_t> end(const Target& target);

}  // namespace immure::respond

// The names of what calls are made with: flags, requests, signals, ids of other processes' doings. Safe to
// show.
#pragma once

#include <cstdint>
#include <string>

#include "watch/event.h"

namespace immure::watch {

// What Event::flags says, by the action and the call: "O_RDWR|O_CREAT", "NEWUSER|NEWNS", "SIGTERM",
// "PTRACE_SEIZE";
// "" when there is nothing to say. What has no name is a number.
std::string flags_text(const Event& event);
std::string signal_text(uint64_t number);  // "SIGTERM", "signal 99"
// "status 3", "SIGKILL", of what wait(2) gives; "" of what is not known.
std::string end_text(int64_t status);

}  // namespace immure::watch

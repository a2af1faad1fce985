// Names of requests: where one argument says which of many calls is meant. For names.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "watch/event.h"

namespace immure::watch {

struct Named {
  uint64_t value;
  const char* name;
};
// The names of the bits that are set, between "|"; of values with several bits all must be set. What is left
// is a number.
std::string bits_text(std::span<const Named> names, uint64_t flags);
// The name of one value, or its number.
std::string one_text(std::span<const Named> names, uint64_t value);
// What ptrace, ioctl, prctl, bpf, keyctl … are asked for; "" where a call has no such argument.
std::string request_text(const Event& event);

}  // namespace immure::watch

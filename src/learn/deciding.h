// What of a call decides whether it should be allowed: arguments in registers, and capabilities. Two const
// tables; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "watch/event.h"

namespace immure::learn {

// An argument that a filter can weigh, with the bits of it that matter.
struct Deciding {
  const char* call;
  uint8_t index;
  uint64_t mask;  // what is not in it does not decide
  bool low32;     // the kernel looks at the low half only
};
// Those of a call, in the order of their places; empty: the call as a whole decides.
std::vector<Deciding> deciding(std::string_view call);

// "ioctl 1 0x5401", and back.
std::string argument_key(std::string_view call, uint8_t index, uint64_t value);
struct ArgumentKey {
  std::string_view call;
  uint8_t index = 0;
  uint64_t value = 0;
};
std::optional<ArgumentKey> parse_argument_key(std::string_view key);

// The capability that the kernel asks for before it does this; nullptr: none that can be told from the call.
// What it says is sure for what was done; what was refused may have been refused for another reason.
struct Asks {
  const char* capability = nullptr;  // "chown"
  bool sure = false;  // the call asks for it whatever its caller is; else it was only seen by the refusal
};
Asks asks_for(const watch::Event& event, std::string_view call);

}  // namespace immure::learn

// The calls of one thread as a sequence: what a baseline learns, and what is weighed against it. Both sides
// have to take the same of a watch, or what was learned would mean nothing; so it is here, once.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "watch/event.h"
#include "watch/world.h"

namespace immure::watch {

// The call as a model numbers it (kOtherCall for what is not of x86-64's own table); nothing: it is no call
// of a thread, but a birth, an end, a signal, a count.
std::optional<uint16_t> sequence_call(const Event& event);
// Whose sequence it belongs to: the path of the program; "": not known. A sequence ends where another begins.
std::string_view sequence_program(const Event& event, const World& world);
// After so many calls a learned sequence goes on as another one, so that what never ends has several.
inline constexpr size_t kSequencePart = 2048;
// Fewer are noise.
inline constexpr size_t kLeastSequence = 128;

}  // namespace immure::watch

// Records become events here, and nowhere else. Pure: no system call, no allocation, any bytes.
#pragma once

#include <span>

#include "kernel/call_record.h"
#include "watch/event.h"

namespace immure::watch {

// False: these bytes are no record (a size that is not kept, an item beyond the end). `event` has views into
// `bytes`; its `number` is left alone.
bool decode(std::span<const uint8_t> bytes, Event& event);

}  // namespace immure::watch

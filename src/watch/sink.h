// Where events and alerts go: the terminal, lines of JSON, a trace, the journal, a command. A session gives
// each sink everything, in order; a sink that keeps less says so in its own contract.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "watch/detect/detector.h"
#include "watch/event.h"
#include "watch/world.h"

namespace immure::watch {

class Sink {
 public:
  virtual ~Sink() = default;
  // `record`: the bytes that `event` was decoded from. `world` knows the event already.
  virtual Status event(const Event& event, std::span<const uint8_t> record, const World& world) = 0;
  virtual Status alert(const Alert& alert, const World& world) = 0;
  // What was given is out of this process when it returns. Called between drains, and at the end.
  virtual Status flush() = 0;
};

}  // namespace immure::watch

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

// What a watch comes to.
struct Totals {
  uint64_t events = 0, alerts = 0;
  uint64_t kept_back = 0;  // alerts that were like one before
  uint64_t lost = 0;       // records that no source could keep
  uint64_t broken = 0;     // records that could not be understood
};

class Sink {
 public:
  virtual ~Sink() = default;
  // `record`: the bytes that `event` was decoded from. `world` knows the event already.
  virtual Status event(const Event& event, std::span<const uint8_t> record, const World& world) = 0;
  // One that was there before anything was seen of it, as /proc has it; before its first event.
  virtual Status process(const Process&) { return {}; }
  virtual Status alert(const Alert& alert, const World& world) = 0;
  // What was given is out of this process when it returns. Called between drains, and at the end.
  virtual Status flush() = 0;
  // The watch is over: once, before the last flush.
  virtual Status end(const Totals&) { return {}; }
};

}  // namespace immure::watch

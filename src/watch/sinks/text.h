// Events and alerts as lines for a person: time, process, program, verdict, and the event in words; an alert
// with its reason. Everything that a program chose is printable().
#pragma once

#include <string>

#include "watch/sink.h"

namespace immure::watch {

class TextSink final : public Sink {
 public:
  struct Wish {
    int fd = 1;  // not owned
    bool colour = false, events = true;
    uint32_t kinds = ~0U;  // bit(Kind) of the events that are shown; alerts all are
    // Another sink keeps all: text that cannot be written (the watched may share the pipe) is dropped.
    bool may_drop = false;
  };
  explicit TextSink(Wish wish);
  Status event(const Event& event, std::span<const uint8_t> record, const World& world) override;
  Status alert(const Alert& alert, const World& world) override;
  Status flush() override;
  Status end(const Totals& totals) override;

 private:
  std::string when(uint64_t time) const;
  std::string head(uint64_t time, int32_t pid, const World& world) const;
  std::string paint(const char* colour, std::string text) const;
  Wish wish_;
  int64_t wall_ = 0;  // what CLOCK_REALTIME is ahead of CLOCK_MONOTONIC, nanoseconds
  std::string out_;
};

}  // namespace immure::watch

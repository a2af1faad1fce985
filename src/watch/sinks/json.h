// Events and alerts as lines of JSON: schema/event.schema.json. The first line says what is watched, the last
// one what it came to.
#pragma once

#include <string>

#include "watch/sink.h"

namespace immure::watch {

class JsonSink final : public Sink {
 public:
  struct Wish {
    int fd = 1;  // not owned
    bool events = true;
    uint32_t kinds = ~0U;  // bit(Kind) of the events that are written; alerts all are
    std::string target, source, level;
  };
  explicit JsonSink(Wish wish);
  Status event(const Event& event, std::span<const uint8_t> record, const World& world) override;
  Status alert(const Alert& alert, const World& world) override;
  Status flush() override;
  Status end(const Totals& totals) override;

 private:
  Wish wish_;
  std::string out_;
};

// An alert as such a line, without its end.
std::string alert_line(const Alert& alert, const World& world);

}  // namespace immure::watch

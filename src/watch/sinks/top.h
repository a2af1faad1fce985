// What happens now, as a screen that is drawn anew every second: rates, the busiest processes and calls, the
// last alerts. On the alternate screen of a terminal, which is given back at the end; no input is read.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>

#include "watch/sink.h"

namespace immure::watch {

class TopSink final : public Sink {
 public:
  static constexpr uint64_t kEvery = 1'000'000'000;  // nanoseconds
  static constexpr size_t kMostRows =
      4096;  // of processes and calls within one such time; the rest is counted as others
  struct Wish {
    int fd = 1;  // of the terminal; not owned
    std::string target, source;
  };
  explicit TopSink(Wish wish);
  ~TopSink() override;
  Status event(const Event& event, std::span<const uint8_t> record, const World& world) override;
  Status alert(const Alert& alert, const World& world) override;
  Status flush() override;
  Status end(const Totals& totals) override;

  // What is drawn on a screen of this size. For tests, too: begins with no escape sequence.
  std::string screen(unsigned rows, unsigned columns, uint64_t nanoseconds) const;

 private:
  struct Row {
    uint64_t events = 0, bad = 0;  // bad: failed or denied
    std::string program;
  };
  Status draw(uint64_t now);
  void leave();

  Wish wish_;
  std::unordered_map<int32_t, Row> processes_;
  std::unordered_map<std::string, uint64_t> calls_;
  std::array<uint64_t, kKindCount> kinds_{};
  std::deque<std::string> alerts_;  // the last ones, printable
  uint64_t events_ = 0, all_events_ = 0, all_alerts_ = 0, lost_ = 0, others_ = 0;
  uint64_t began_ = 0, drawn_ = 0;
  bool entered_ = false;
};

}  // namespace immure::watch

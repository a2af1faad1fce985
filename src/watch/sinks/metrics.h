// Counters for Prometheus, as a file that node_exporter's textfile collector reads: replaced as a whole every
// kEvery, and at the end. Names and labels are ours: nothing that a process can choose is in it.
#pragma once

#include <array>
#include <string>

#include "watch/sink.h"

namespace immure::watch {

class MetricsSink final : public Sink {
 public:
  static constexpr uint64_t kEvery = 5'000'000'000;  // nanoseconds
  // `target`: as the user said it.
  MetricsSink(std::string file, const std::string& target);
  Status event(const Event& event, std::span<const uint8_t> record, const World& world) override;
  Status alert(const Alert& alert, const World& world) override;
  Status flush() override;
  Status end(const Totals& totals) override;

 private:
  Status write();
  std::string text() const;

  std::string file_, target_;
  std::array<std::array<uint64_t, 4>, kKindCount> events_{};  // by kind and verdict
  std::array<uint64_t, static_cast<size_t>(Severity::Critical) + 1> alerts_{};
  uint64_t lost_ = 0, processes_ = 0, next_ = 0;
};

}  // namespace immure::watch

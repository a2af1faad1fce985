// What a trace comes to: rates, processes, files, hosts, calls, alerts. Made in one pass, in bounded memory,
// whatever the trace holds; what had no room is counted.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "watch/event.h"
#include "watch/trace/reader.h"
#include "watch/world.h"

namespace immure::watch {

// Counts over time in columns of equal width. The width doubles whenever time runs out of columns.
template <size_t Rows>
class Columns {
 public:
  static constexpr size_t kMost = 480;
  using Column = std::array<uint64_t, Rows>;

  void add(uint64_t time, size_t row, uint64_t count = 1) {
    if (columns_.empty()) begin_ = time;
    if (time < begin_) time = begin_;  // sources of several processors may be a little out of order
    while ((time - begin_) / width_ >= kMost) widen();
    const size_t at = (time - begin_) / width_;
    if (at >= columns_.size()) columns_.resize(at + 1);
    columns_[at][row] += count;
  }
  uint64_t width() const { return width_; }  // nanoseconds
  uint64_t begin() const { return begin_; }
  const std::vector<Column>& columns() const { return columns_; }

 private:
  void widen() {
    width_ *= 2;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Column taken = i == 0 ? columns_[0] : std::exchange(columns_[i], Column{});
      if (i == 0) continue;
      for (size_t row = 0; row < Rows; ++row) columns_[i / 2][row] += taken[row];
    }
    columns_.resize((columns_.size() + 1) / 2);
  }

  uint64_t width_ = 1'000'000, begin_ = 0;
  std::vector<Column> columns_;
};

// How often something was done, and with what success.
struct Tally {
  uint64_t done = 0, failed = 0, denied = 0, unknown = 0;
  void add(Verdict verdict);
  uint64_t all() const { return done + failed + denied + unknown; }
};

struct FileUse {
  std::string path;  // hostile
  Tally opened, changed;
  int32_t first = 0;  // the process that was the first
};
struct HostUse {
  std::string address;
  Tally tally;
  int32_t first = 0;
};
struct CallUse {
  std::string name;
  Tally tally;
  Columns<1> over_time;
};
struct ProcessUse {
  Process process;
  uint64_t events = 0, alerts = 0, last = 0;
  bool seen_born = false;
};

struct Summary {
  static constexpr size_t kMostFiles = 50'000, kMostHosts = 5'000, kMostCalls = 1'200,
                          kMostProcesses = 20'000, kMostAlerts = 10'000;
  TraceHead head;
  TraceEnd end = TraceEnd::Reading;
  std::string digest;  // of the last block that was whole
  uint64_t broken_at = 0;
  uint64_t events = 0, first = 0, last = 0;  // times of CLOCK_MONOTONIC
  uint64_t lost = 0;                         // records that the source could not keep
  std::array<Tally, kKindCount> kinds{};
  Columns<kKindCount> over_time;
  std::vector<ProcessUse> processes;  // in the order of their first event
  std::vector<FileUse> files;         // the most used first
  std::vector<HostUse> hosts;
  std::vector<CallUse> calls;
  std::vector<TracedAlert> alerts;  // in their order
  uint64_t without_room = 0;        // files, hosts, calls, processes and alerts that are not in the lists
};

// Reads all that there is. With `expected`, the detectors that compare with it (baseline_detectors()) weigh
// the events as they would have in a watch, and their alerts stand in place of those of theirs that the trace
// has.
Result<Summary> summarise(TraceReader& reader, const Expected* expected = nullptr);

// "2026-11-22 21:40:03 UTC" of a time of the trace.
std::string wall_text(const TraceHead& head, uint64_t monotonic);
const char* text_of(TraceEnd end);  // one sentence

std::string report_text(const Summary& summary, size_t rows);
std::string report_json(const Summary& summary);  // schema immure.report/1
std::string report_html(const Summary& summary);

}  // namespace immure::watch

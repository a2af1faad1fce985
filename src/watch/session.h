// A watch: what sources have is decoded, numbered, made known to the world, weighed by detectors, and given
// to sinks. One thread; it sleeps until a source has something, a signal comes or a timer is over, and keeps
// what is bounded.
#pragma once

#include <sys/signalfd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "watch/detect/detector.h"
#include "watch/sink.h"
#include "watch/source.h"
#include "watch/world.h"

namespace immure::watch {

// Lets one alert of a kind through and counts those like it: the same detector, severity, technique and
// outcome, from the same program, within kWindow of the time of events. A flood of programs with ever new
// names is counted by detector alone. Never keeps back the first, one that is more severe, or one that was
// not stopped when the others were.
class AlertGate {
 public:
  static constexpr uint64_t kWindow = 10'000'000'000;  // nanoseconds
  static constexpr size_t kMost = 1024;
  // True: to be shown; `alert.repeats` says how many like it were kept back before. False: kept back.
  bool lets_through(Alert& alert, const World& world);
  // Those that were kept back and have not been told of, at the end of a watch.
  std::vector<Alert> rest();
  uint64_t kept_back() const { return kept_back_; }

 private:
  struct Like {
    uint64_t since = 0, kept = 0;
    Alert last;
  };
  std::unordered_map<std::string, Like> likes_;
  uint64_t kept_back_ = 0;
};

struct SessionEnd {
  enum class Why : uint8_t { TargetEnded, TimeOver, Signal } why = Why::TargetEnded;
  int signal = 0;
  Totals totals;
};

class Session final : private Taker, private Alerts {
 public:
  struct Parts {
    std::vector<std::unique_ptr<Source>> sources;
    std::vector<std::unique_ptr<Sink>> sinks;
    std::span<const Detector* const> detectors = {};
    const Expected* expected = nullptr;
    World::Ask ask = nullptr;     // null: a trace is read again
    std::vector<UniqueFd> roots;  // pidfds of what is watched; when all have ended, so does the watch
    // The target does not run its program yet: what is seen before the first exec that was done is the launch
    // of the jail, which detectors are not asked about.
    bool launching = false;
    uint64_t number = 0;           // of the last event before, of a watch that is taken up again
    int signals = -1;              // a signalfd: what ends the watch; not owned; -1: nothing does
    std::optional<uint64_t> time;  // how long at most, nanoseconds
  };
  explicit Session(Parts parts);
  ~Session() override;

  // A process that was there before: what is told of it is told before all events.
  void add(Process process);
  // Until the target has ended, a signal comes or the time is over. Then what sources still have is drained
  // and given out. An error of a source or a sink ends it too, after the sinks were flushed as far as they
  // can be.
  Result<SessionEnd> run();

 private:
  void take(std::span<const uint8_t> record) override;
  void raise(Alert alert) override;
  bool is_launch(const Event& event);
  Result<SessionEnd> go_on();
  Result<bool> drain();  // false: every source has ended
  Status flush();
  Status give(const Alert& alert);
  void tell_of(const Process& process);
  Status finish(SessionEnd::Why why);
  bool waits_for_the_rest(SessionEnd::Why why, int idle) const;
  Result<bool> wait(uint64_t until, SessionEnd& end);  // false: it is over
  void look_at_roots(std::span<const short> events);
  bool somebody_lives();

  Parts parts_;
  std::vector<std::unique_ptr<Watching>> watching_;
  std::vector<bool> ended_;  // by source
  World world_;
  AlertGate gate_;
  Totals totals_;
  Status broken_;                                    // the first error of a sink
  uint64_t number_ = 0, next_look_ = 0, first_ = 0;  // first_: time of the first event
  bool timed_ = false;                               // some source has no descriptor
};

}  // namespace immure::watch

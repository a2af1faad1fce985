// What a watch does about alerts: a sink that acts by rules, each rate-limited, so that who can raise alerts
// cannot make the watcher do more than that.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "respond/target.h"
#include "watch/sink.h"

namespace immure::respond {

enum class Act : uint8_t {
  Log,       // a line in the system's log
  Notify,    // the same as an alert of the system, and a bell on standard error
  Throttle,  // throttle.h
  Freeze,    // halt.h; the watch goes on
  Kill,
  Command,  // a shell command, which reads the alert as a line of JSON on its standard input
};

// "--on ALERT=ACT": ALERT is a detector's id, "any", or a severity, which stands for those above it as well.
struct Reaction {
  std::string detector;  // empty: any
  watch::Severity least = watch::Severity::Notice;
  Act act = Act::Log;
  std::string command;
};
// "high=freeze", "any=command:/usr/local/sbin/told". kUsage, kBadValue with the nearest right word.
Result<Reaction> parse_reaction(std::string_view text);

// Acts on `target`, or without one on the process that raised the alert with what belongs to it (target.h).
// What could not be done is told on standard error, once for each rule in kQuiet.
class React final : public watch::Sink {
 public:
  static constexpr uint64_t kQuiet = 1'000'000'000;  // of each rule, nanoseconds of the events' time
  static constexpr size_t kMostCommands = 4;         // that run at a time

  React(std::vector<Reaction> reactions, std::optional<Target> target);
  ~React() override;

  Status event(const watch::Event& event, std::span<const uint8_t> record,
               const watch::World& world) override;
  Status alert(const watch::Alert& alert, const watch::World& world) override;
  Status flush() override;
  uint64_t kept_back() const { return kept_back_; }  // alerts that a rule did not act on, because it just had

 private:
  struct Rule {
    Reaction reaction;
    std::optional<uint64_t> last;
    bool told = false;
  };
  Status act(Rule& rule, const watch::Alert& alert, const watch::World& world);
  Status on_target(const Rule& rule, const watch::Alert& alert) const;
  Status run_command(const std::string& command, const std::string& line);
  void reap();

  std::vector<Rule> rules_;
  std::optional<Target> target_;
  std::vector<int> running_;  // pids
  uint64_t kept_back_ = 0;
};

}  // namespace immure::respond

// What ordinary work did, from the events of its traces, and what a profile allows, both as what detectors
// compare with (watch/detect/expected.h). Pure: no system call.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "spec/jail_spec.h"
#include "watch/event.h"
#include "watch/model/baseline.h"
#include "watch/model/learn.h"
#include "watch/world.h"

namespace immure::learn {

// Takes traces one after the other. What has no room is counted.
class Ordinary {
 public:
  static constexpr size_t kMostSeen = 200'000;                    // different paths of a kind
  static constexpr size_t kMostCallsOfProgram = size_t{1} << 20;  // of which sequences are learned

  // A trace begins; `level` is what was watched.
  void begin(watch::Level level);
  void add(watch::Process process) { world_.add(std::move(process)); }
  void see(const watch::Event& event);
  // Paths generalised, models made. kBadValue: nothing was seen.
  Result<watch::Baseline> learned();
  // Programs whose sequences were seen, but too few of them to learn from.
  const std::vector<std::string>& unmodelled() const { return unmodelled_; }

 private:
  using Seen = std::set<std::string, std::less<>>;
  struct Second {
    uint64_t began = 0, count = 0;
    std::string program;
  };
  struct Running {
    std::string program;
    watch::CallTrace calls;
  };
  struct Sequences {
    std::vector<watch::CallTrace> traces;
    size_t calls = 0;
  };
  void keep(Seen& seen, std::string text, size_t most);
  void paths(const watch::Event& event);
  void rate(const watch::Event& event);
  void sequence(const watch::Event& event);
  void end_of(int32_t tid);
  void end_second(const Second& second);
  void end_trace();
  void model(watch::Baseline& baseline);

  watch::World world_;
  bool every_call_ = true;
  watch::Level level_ = watch::Level::All;
  uint64_t traces_ = 0, events_ = 0, beyond_ = 0;
  Seen reads_, writes_, executables_, hosts_;
  std::map<int32_t, Second> seconds_;
  std::map<std::string, double, std::less<>> rates_;
  std::map<int32_t, Running> running_;
  std::map<std::string, Sequences, std::less<>> sequences_;
  std::vector<std::string> unmodelled_;
};

// What a jail of these words gives to see, change, start and reach. That is what its profile knows; by its
// words alone, so that a link on the host that leads elsewhere is not known to.
watch::Expected expected_of(const JailSpec& spec);

}  // namespace immure::learn

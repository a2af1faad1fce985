// What is new against what is expected, and bursts against a process's own past.
#include <algorithm>
#include <cmath>

#include "watch/detect/chains.h"
#include "watch/detect/expected.h"
#include "watch/detect/per_process.h"

namespace immure::watch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Events in windows of a second against the mean and spread of the windows before, which both forget slowly.
constexpr unsigned kWarm = 20;                                // windows with events before anything is told
constexpr double kForget = 0.05, kSpread = 8, kLeast = 2000,  // at least so many in a second
    kOfOrdinary = 4;

class Rate : public Watching {
 public:
  explicit Rate(const Expected* expected) : expected_(expected) {}
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    State& state = of_.of(event.pid);
    if (event.time < state.began + kSecond) {
      ++state.count;
      return;
    }
    const double count = static_cast<double>(state.count);
    const double most = most_of(event, world);
    const double limit = std::max({kLeast, most * 2, state.mean + kSpread * std::sqrt(state.variance)});
    if (state.windows >= kWarm && count > limit && count > 10 * state.mean && !state.told) {
      state.told = true;
      alerts.raise(alert_of(kRate, Severity::Low, "", event,
                            who(event, world) + " made " + std::to_string(state.count) +
                                " watched calls in a second, where it made " +
                                std::to_string(static_cast<uint64_t>(state.mean)) + " before"));
    }
    if (most > 0 && count > std::max(kLeast, kOfOrdinary * most) && !state.told) {
      state.told = true;
      alerts.raise(alert_of(kRate, Severity::Low, "", event,
                            who(event, world) + " made " + std::to_string(state.count) +
                                " watched calls in a second, where ordinary work made at most " +
                                std::to_string(static_cast<uint64_t>(most))));
    }
    const double off = count - state.mean;
    if (state.windows == 0) {
      state.mean = count;
    } else {
      state.mean += kForget * off;
      state.variance = (1 - kForget) * (state.variance + kForget * off * off);
    }
    ++state.windows;
    if (count <= limit) state.told = false;
    state.began = event.time;
    state.count = 1;
  }

 private:
  struct State {
    uint64_t began = 0, count = 0;
    double mean = 0, variance = 0;
    unsigned windows = 0;
    bool told = false;
  };
  // What is known of its program; else of all.
  double most_of(const Event& event, const World& world) const {
    if (expected_ == nullptr) return 0;
    const Process* process = world.find(event.pid);
    const auto known = process != nullptr ? expected_->rates.find(process->program) : expected_->rates.end();
    return known != expected_->rates.end() ? known->second : expected_->most_events_a_second;
  }
  const Expected* expected_;
  PerProcess<State> of_;
};

uint64_t hash_of(std::string_view text) {
  uint64_t value = 14695981039346656037U;
  for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return value;
}

class NewPath : public Watching {
 public:
  explicit NewPath(const Expected& expected) : expected_(expected) {}
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if ((event.action != Action::Open && !writes(event)) || !seen_at(expected_.level, event)) return;
    const bool write = writes(event);
    if (!write && stopped(event)) return;
    const std::string path = expected_path(event);
    if (path.empty() || expected_.writes.covers(path)) return;
    if (!write && (expected_.reads.covers(path) || expected_.executables.covers(path))) return;
    if (!raised_.add(hash_of(path) << 1 | (write ? 1 : 0))) return;
    alerts.raise(alert_of(kNewPath, write ? Severity::Medium : Severity::Low, "", event,
                          who(event, world) + (write ? " writes '" : " reads '") + path.substr(0, 256) +
                              "', which its profile does not know" + outcome(event)));
  }

 private:
  const Expected& expected_;
  Recent raised_{16384};
};

class NewHost : public Watching {
 public:
  explicit NewHost(const Expected& expected) : expected_(expected) {}
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action != Action::Connect && event.action != Action::Send) return;
    if (event.address.family == 0 || !seen_at(expected_.level, event)) return;
    const std::string host = text_of(event.address);
    if (expected_.covers_host(host)) return;
    if (!raised_.add(hash_of(host))) return;
    alerts.raise(alert_of(
        kNewHost, Severity::Medium, "", event,
        who(event, world) + " reaches for " + host + ", which its profile does not know" + outcome(event)));
  }

 private:
  const Expected& expected_;
  Recent raised_{4096};
};

class NewProgram : public Watching {
 public:
  explicit NewProgram(const Expected& expected) : expected_(expected) {}
  void see(const Event& event, const World& world, Alerts& alerts) override {
    // What nobody saw the end of is taken to have been done.
    if (event.action != Action::Exec || stopped(event)) return;
    const std::string path = expected_path(event);
    if (path.empty() || expected_.executables.covers(path) || !raised_.add(hash_of(path))) return;
    alerts.raise(
        alert_of(kNewProgram, Severity::Medium, "", event,
                 who(event, world) + " runs '" + path.substr(0, 256) + "', which its profile does not know"));
  }

 private:
  const Expected& expected_;
  Recent raised_{4096};
};

// Nothing is new where nothing is expected.
class Silent : public Watching {
 public:
  void see(const Event&, const World&, Alerts&) override {}
};
template <class New>
std::unique_ptr<Watching> start_new(const Expected* expected) {
  if (expected == nullptr) return std::make_unique<Silent>();
  return std::make_unique<New>(*expected);
}

}  // namespace

const Detector kRate = {
    "rate",
    Severity::Low,
    "a burst against the process's own past",
    "A program that has done little for a while and does very much at once does something else than before. Each "
    "process is weighed against its own seconds, and not before it had twenty; fewer than 2000 calls a second "
    "are no burst.",
    "T1499",
    "",
    ~0U,
    [](const Expected* e) -> std::unique_ptr<Watching> { return std::make_unique<Rate>(e); }};

const Detector kNewPath = {
    "new-path",
    Severity::Medium,
    "a path that the profile does not know",
    "A program that was learnt reads and writes what it always did, or somebody else makes it do more. Without a "
    "profile or a baseline it says nothing; a new version of a program looks new.",
    "T1083",
    "",
    bit(Kind::File) | bit(Kind::Device),
    start_new<NewPath>};

const Detector kNewHost = {
    "new-host",
    Severity::Medium,
    "a host that the profile does not know",
    "What is carried out, and orders that come in, need an address. Without a profile or a baseline it says "
    "nothing; names whose addresses change are to be expected with all of them.",
    "T1071; T1041",
    "route-out route6-out metadata-address",
    bit(Kind::Network),
    start_new<NewHost>};

const Detector kNewProgram = {
    "new-program",
    Severity::Medium,
    "a program that the profile does not know",
    "A server that starts what it never started has been told to. Without a profile or a baseline it says "
    "nothing.",
    "T1059",
    "",
    bit(Kind::Process),
    start_new<NewProgram>};

}  // namespace immure::watch

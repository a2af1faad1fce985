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
constexpr double kForget = 0.05, kSpread = 8, kLeast = 2000;  // at least so many in a second

class Rate : public Watching {
 public:
  explicit Rate(const Expected* expected) : most_(expected != nullptr ? expected->most_events_a_second : 0) {}
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    State& state = of_.of(event.pid);
    if (event.time < state.began + kSecond) {
      ++state.count;
      return;
    }
    const double count = static_cast<double>(state.count);
    const double limit = std::max({kLeast, most_ * 2, state.mean + kSpread * std::sqrt(state.variance)});
    if (state.windows >= kWarm && count > limit && count > 10 * state.mean && !state.told) {
      state.told = true;
      alerts.raise(alert_of(kRate, Severity::Low, "", event,
                            who(event, world) + " made " + std::to_string(state.count) +
                                " watched calls in a second, where it made " +
                                std::to_string(static_cast<uint64_t>(state.mean)) + " before"));
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
  double most_;
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
    if (event.action != Action::Open && !writes(event)) return;
    const std::string path = cleaned(event.resolved.empty() ? event.path : event.resolved);
    if (path.empty() || path[0] != '/') return;
    const bool write = writes(event);
    if (Expected::covers(expected_.writes, path) || (!write && Expected::covers(expected_.reads, path)))
      return;
    if (!write && (stopped(event) || Expected::covers(expected_.executables, path))) return;
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
    if (event.address.family == 0) return;
    const std::string host = text_of(event.address);
    const std::string any_port = host.substr(0, host.rfind(':')) + ":*";
    if (expected_.hosts.count(host) != 0 || expected_.hosts.count(any_port) != 0) return;
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
    if (event.action != Action::Exec || event.verdict != Verdict::Done) return;
    const std::string path = cleaned(event.resolved.empty() ? event.path : event.resolved);
    if (path.empty() || Expected::covers(expected_.executables, path) || !raised_.add(hash_of(path))) return;
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

// Series: what is harmless once and is not in numbers.
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "watch/calls.h"
#include "watch/detect/chains.h"
#include "watch/detect/per_process.h"
#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Distinct things in a window; the window begins anew when it is over.
struct Distinct {
  uint64_t began = 0;
  std::vector<uint64_t> keys, events;
  bool told = false;
  // How many there are with this one; 0: it was there.
  size_t add(uint64_t key, const Event& event, uint64_t window, size_t most) {
    if (event.time - began > window) *this = {event.time, {}, {}, false};
    if (std::find(keys.begin(), keys.end(), key) != keys.end() || keys.size() >= most) return 0;
    keys.push_back(key);
    if (events.size() < Alert::kMostEvents) events.push_back(event.number);
    return keys.size();
  }
};

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 14695981039346656037U;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

// ---- calls that the jail denies

constexpr size_t kDeniedCalls = 6;                              // different calls within kDeniedWindow
constexpr uint64_t kDeniedWindow = 10 * kSecond, kFlood = 500;  // denied calls within a second

class DeniedSeries : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    // Where no filter answers, the kernel's own refusal of a seldom call says the same.
    const bool denied =
        event.verdict == Verdict::Denied ||
        (event.arch != 0 && event.kind != Kind::File && event.kind != Kind::Process &&
         event.kind != Kind::Signal && event.kind != Kind::Network && event.kind != Kind::Limit &&
         (failed_with(event, EPERM) || failed_with(event, ENOSYS)));
    if (!denied) return;
    State& state = of_.of(event.pid);
    if (event.time - state.second > kSecond) state.second = event.time, state.count = 0;
    if (++state.count == kFlood)
      raise("filter-flood", Severity::Medium,
            " has " + std::to_string(kFlood) + " calls denied within a second", {event.number}, event, world,
            alerts);
    const size_t different = state.calls.add(event.nr, event, kDeniedWindow, 64);
    if (different >= kDeniedCalls && !state.calls.told) {
      state.calls.told = true;
      raise("filter-denied", Severity::High,
            " has had " + std::to_string(different) + " different calls denied within 10 seconds",
            state.calls.events, event, world, alerts);
    } else if (different == 1 && !state.first) {
      state.first = true;
      const std::string_view name = name_of_call(event.arch, event.nr);
      raise("filter-denied", Severity::Notice,
            " makes a call that is denied, '" + std::string(name.empty() ? "?" : name) + "'", {event.number},
            event, world, alerts);
    }
  }

 private:
  struct State {
    Distinct calls;
    uint64_t second = 0, count = 0;
    bool first = false;
  };
  void raise(const char* technique, Severity severity, const std::string& said, std::vector<uint64_t> events,
             const Event& event, const World& world, Alerts& alerts) {
    Alert alert = alert_of(kDeniedSeries, severity, technique, event, who(event, world) + said);
    alert.events = std::move(events);
    alert.stopped = true;
    alerts.raise(std::move(alert));
  }
  PerProcess<State> of_;
};

// ---- facts of the host

constexpr size_t kFactsAtOnce = 12;
constexpr uint64_t kFactsWindow = 10 * kSecond;

class ManyFacts : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    if ((event.action != Action::Open && event.action != Action::ReadLink) || writes(event)) return;
    const std::string path = cleaned(event.path);
    if (!is_fact(path)) return;
    Distinct& seen = of_.of(event.pid);
    const size_t different = seen.add(hash_of(path), event, kFactsWindow, 64);
    if (different < kFactsAtOnce || seen.told) return;
    seen.told = true;
    Alert alert = alert_of(kManyFacts, Severity::Low, "mount-paths", event,
                           who(event, world) + " has read " + std::to_string(different) +
                               " different facts of the host within 10 seconds, '" + path + "' the last");
    alert.events = seen.events;
    alert.stopped = false;
    alerts.raise(std::move(alert));
  }

 private:
  static bool is_fact(std::string_view path) {
    for (const StepDetector& one : fact_detectors())
      for (const Step& step : one.steps)
        for (std::string_view patterns = step.paths; !patterns.empty();) {
          const size_t end = std::min(patterns.find(' '), patterns.size());
          if (fits(path, patterns.substr(0, end))) return true;
          patterns.remove_prefix(std::min(end + 1, patterns.size()));
        }
    return false;
  }
  PerProcess<Distinct> of_;
};

// ---- numbers tried one after the other

constexpr size_t kProcessesAsked = 32, kNumbersTried = 64;
constexpr uint64_t kScanWindow = 5 * kSecond;

class Scans : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    const std::string_view name = name_of_call(event.arch, event.nr);
    if (name == "kill" && (event.args[1] & 0xffffffffU) == 0) {
      tell(of_.of(event.pid).asked.add(event.args[0], event, kScanWindow, 128), kProcessesAsked,
           of_.of(event.pid).asked, "signal-everybody", " asks after one process after the other by kill",
           event, world, alerts);
    } else if ((name == "fcntl" || name == "fstat" || name == "ioctl") && failed_with(event, EBADF)) {
      tell(of_.of(event.pid).tried.add(event.args[0], event, kScanWindow, 128), kNumbersTried,
           of_.of(event.pid).tried, "any-descriptor", " tries one number of a descriptor after the other",
           event, world, alerts);
    } else if (event.action == Action::Open && event.path.substr(0, 6) == "/proc/" && event.path.size() > 6 &&
               event.path[6] >= '0' && event.path[6] <= '9' &&
               (fits(event.path, "/proc/#/environ") || fits(event.path, "/proc/#/root/*") ||
                fits(event.path, "/proc/#/cwd/*") || fits(event.path, "/proc/#/fd*"))) {
      tell(of_.of(event.pid).files.add(hash_of(event.path.substr(0, event.path.find('/', 6))), event,
                                       kScanWindow, 64),
           16, of_.of(event.pid).files, "proc-any-environ", " looks into one process after the other", event,
           world, alerts);
    }
  }

 private:
  struct State {
    Distinct asked, tried, files;
  };
  void tell(size_t count, size_t most, Distinct& seen, const char* technique, const char* said,
            const Event& event, const World& world, Alerts& alerts) {
    if (count < most || seen.told) return;
    seen.told = true;
    Alert alert = alert_of(kScans, Severity::Low, technique, event,
                           who(event, world) + said + ", " + std::to_string(count) + " within 5 seconds");
    alert.events = seen.events;
    alerts.raise(std::move(alert));
  }
  PerProcess<State, 1024> of_;
};

}  // namespace

const Detector kDeniedSeries = {
    "denied-series",
    Severity::High,
    "different calls denied one after the other",
    "A program that was made for its jail makes no call that is denied, or one that it can do without. Several "
    "different ones in a row are somebody who looks for the way out.",
    "seccomp(2); T1622",
    "filter-* number-* socket-*",
    ~0U,
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<DeniedSeries>(); }};

const Detector kManyFacts = {
    "host-facts-many",
    Severity::Low,
    "many facts of the host read at once",
    "The first thing that is done after breaking in is to look round: names, mounts, processors, networks. Tools "
    "that show a machine do it too.",
    "T1082",
    "uptime-* host-name-* mount-paths proc-* accounts",
    bit(Kind::File) | bit(Kind::Process),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<ManyFacts>(); }};

const Detector kScans = {
    "scans",
    Severity::Low,
    "process or descriptor numbers tried in turn",
    "Who does not know what there is tries numbers. Daemons of old close every descriptor when they start, which "
    "is not counted; tools that show processes go by the list and not by trying.",
    "T1057",
    "signal-everybody any-descriptor proc-any-* proc-strangers copy-descriptors",
    bit(Kind::Signal) | bit(Kind::File) | bit(Kind::Other) | bit(Kind::Device) | bit(Kind::Process),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<Scans>(); }};

}  // namespace immure::watch

// Many files changed in one way, and times that were made up.
#include <array>
#include <cstring>
#include <string>

#include "watch/calls.h"
#include "watch/detect/chains.h"
#include "watch/detect/per_process.h"

namespace immure::watch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr unsigned kMostRenamed = 40, kMostReplaced = 60;  // within kWindow, by one process
constexpr uint64_t kWindow = 20 * kSecond;

std::string_view suffix_of(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || path.find('/', dot) != std::string_view::npos) return {};
  return path.substr(dot);
}
// Names that get another name for a while, or are put in place by one: how careful programs write.
bool is_passing(std::string_view suffix) {
  constexpr std::string_view kPassing[] = {
      ".tmp", ".new", ".old", ".bak", ".dpkg-new", ".dpkg-tmp", ".dpkg-old", ".lock", ".orig", ".part",
      ".pyc", ".o",   ".d",   ".gz",  ".xz",       ".zst",      ".pack",     ".idx",  ".rev"};
  for (std::string_view one : kPassing)
    if (suffix == one) return true;
  return suffix.find(".dpkg-") == 0;
}

// What a program does that takes files hostage, as far as names show it: each file is renamed so that the
// same new ending follows its old name, or is written anew beside and then removed.
class MassChange : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    if (stopped(event) || event.path.empty()) return;
    if (event.action == Action::Rename) return renamed(event, world, alerts);
    if (event.action == Action::Open && (event.flags & 0100) != 0) return made(event);
    if (event.action == Action::Remove) removed(event, world, alerts);
  }

 private:
  struct State {
    uint64_t began = 0;
    unsigned renamed = 0, replaced = 0;
    size_t next = 0;
    std::array<uint64_t, 16> made{};  // hashes of names that were made, without their last ending
    std::string suffix;
    std::vector<uint64_t> events;
    bool told = false;
  };
  State& fresh(const Event& event) {
    State& state = of_.of(event.pid);
    if (event.time - state.began > kWindow) state = State(), state.began = event.time;
    return state;
  }
  static uint64_t hash(std::string_view text) {
    uint64_t value = 14695981039346656037U;
    for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return value;
  }

  void renamed(const Event& event, const World& world, Alerts& alerts) {
    // new = old + an ending, the same each time.
    if (event.second.size() <= event.path.size() || event.second.substr(0, event.path.size()) != event.path)
      return;
    const std::string_view added = event.second.substr(event.path.size());
    if (added[0] != '.' || added.size() > 32 || is_passing(added) ||
        added.find('/') != std::string_view::npos)
      return;
    State& state = fresh(event);
    if (state.suffix != added) state.suffix = std::string(added), state.renamed = 0;
    note(state, event);
    if (++state.renamed == kMostRenamed)
      raise(state,
            " has renamed " + std::to_string(state.renamed) + " files so that they end in '" + state.suffix +
                "'",
            event, world, alerts);
  }

  void made(const Event& event) {
    const std::string_view suffix = suffix_of(event.path);
    if (suffix.empty() || is_passing(suffix)) return;
    State& state = fresh(event);
    state.made[state.next++ % state.made.size()] =
        hash(event.path.substr(0, event.path.size() - suffix.size()));
  }

  void removed(const Event& event, const World& world, Alerts& alerts) {
    State* known = of_.find(event.pid);
    if (known == nullptr) return;
    State& state = fresh(event);
    for (uint64_t& made : state.made) {
      if (made == 0 || made != hash(event.path)) continue;
      made = 0;
      note(state, event);
      if (++state.replaced == kMostReplaced)
        raise(state, " has replaced " + std::to_string(state.replaced) + " files by ones with another ending",
              event, world, alerts);
      return;
    }
  }

  static void note(State& state, const Event& event) {
    if (state.events.size() < Alert::kMostEvents) state.events.push_back(event.number);
  }
  void raise(State& state, const std::string& said, const Event& event, const World& world, Alerts& alerts) {
    if (state.told) return;
    state.told = true;
    Alert alert =
        alert_of(kMassChange, Severity::High, "", event, who(event, world) + said + " within 20 seconds");
    alert.events = state.events;
    alerts.raise(std::move(alert));
  }
  PerProcess<State> of_;
};

// ---- times

// Programs that unpack or copy set the times of what they have just made, to what the original had: told is a
// time in the past on a file that the process had changed and not made.
class ForgedTimes : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    if (stopped(event)) return;
    if (event.action == Action::Open && writes(event)) {
      // O_EXCL, or a name that the process itself has made before.
      State& state = of_.of(event.pid);
      const uint64_t name = hash(event.path);
      for (uint64_t one : state.made)
        if (one == name) return;
      const bool makes = (event.flags & 0100) != 0;
      (makes ? state.made[state.next_made++ % kNames] : state.changed[state.next_changed++ % kNames]) = name;
      return;
    }
    if (event.action != Action::ChangeTimes || event.path.empty() || event.bytes.size() < 32) return;
    const State* state = of_.find(event.pid);
    if (state == nullptr) return;
    int64_t seconds = 0, nanoseconds = 0;
    std::memcpy(&seconds, event.bytes.data() + 16, sizeof seconds);
    std::memcpy(&nanoseconds, event.bytes.data() + 24, sizeof nanoseconds);
    constexpr int64_t kNow = (1 << 30) - 1, kOmit = (1 << 30) - 2;
    if (nanoseconds == kNow || nanoseconds == kOmit || seconds == 0) return;
    const uint64_t name = hash(event.path);
    for (uint64_t one : state->changed)
      if (one == name && raised_.add(name ^ static_cast<uint32_t>(event.pid)))
        return alerts.raise(alert_of(kForgedTimes, Severity::Medium, "change-times", event,
                                     who(event, world) + " writes into '" +
                                         std::string(event.path.substr(0, 256)) +
                                         "' and then sets its times by hand"));
  }

 private:
  static constexpr size_t kNames = 16;
  struct State {
    std::array<uint64_t, kNames> made{}, changed{};
    size_t next_made = 0, next_changed = 0;
  };
  static uint64_t hash(std::string_view text) {
    uint64_t value = 14695981039346656037U;
    for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return value;
  }
  PerProcess<State> of_;
  Recent raised_{1024};
};

}  // namespace

const Detector kMassChange = {
    "mass-change",
    Severity::High,
    "many files renamed or replaced in one way",
    "Programs that take files hostage write each anew and give all of them the same new ending. What is written "
    "cannot be seen, only the names: compilers, packers and package managers, which also make files beside files, "
    "are known by their endings.",
    "T1486",
    "",
    bit(Kind::File) | bit(Kind::Process),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<MassChange>(); }};

const Detector kForgedTimes = {
    "forged-times",
    Severity::Medium,
    "times of a changed file set by hand",
    "A file that was changed and has its old times is not looked at by who looks for changes. Archives and copies "
    "set the times of files that they have made themselves, which is not told.",
    "utimensat(2); T1070.006",
    "change-times",
    bit(Kind::File) | bit(Kind::Process),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<ForgedTimes>(); }};

}  // namespace immure::watch

// Sequences of calls that the ordinary work of the same program does not have. The model is
// watch/model/model.h; here is which calls of a watch it is asked about, and what is told.
#include <linux/audit.h>

#include <array>
#include <cstdio>

#include "uapi/syscalls.h"
#include "watch/calls.h"
#include "watch/detect/call_sequence.h"
#include "watch/detect/chains.h"
#include "watch/detect/expected.h"
#include "watch/detect/per_process.h"
#include "watch/model/model.h"

namespace immure::watch {

std::optional<uint16_t> sequence_call(const Event& event) {
  if (event.arch == 0 || event.action == Action::Counted || event.action == Action::Lost ||
      event.action == Action::Born || event.action == Action::End)
    return {};
  const bool own = event.arch == AUDIT_ARCH_X86_64 && event.nr < kOtherCall;
  return own ? static_cast<uint16_t>(event.nr) : static_cast<uint16_t>(kOtherCall);
}

std::string_view sequence_program(const Event& event, const World& world) {
  const Process* process = world.find(event.pid);
  return process != nullptr ? std::string_view(process->program) : std::string_view();
}

namespace {

constexpr size_t kMostGauged = 512;  // threads, of some 12 kB each
constexpr float kFarAbove = 2;       // bits a call: at once, whatever came before
constexpr unsigned kInARow = 3;

std::string with_one(double value) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%.1f", value);
  return {text, static_cast<size_t>(length > 0 ? length : 0)};
}

std::string shown(uint16_t call) {
  const std::string_view name = name_of_call(AUDIT_ARCH_X86_64, call);
  return name.empty() ? "another call" : "'" + std::string(name) + "'";
}

class RareSequence : public Watching {
 public:
  explicit RareSequence(const Expected& expected) : expected_(expected) {}

  void see(const Event& event, const World& world, Alerts& alerts) override {
    // Behind a gap everything looks strange.
    if (event.action == Action::Lost) return of_.clear();
    if (event.action == Action::End) {
      if (State* state = of_.find(event.tid)) state->end(*this, event, world, alerts);
      return of_.forget(event.tid);
    }
    const std::optional<uint16_t> call = sequence_call(event);
    if (!call) return;
    const std::string_view program = sequence_program(event, world);
    const auto known = expected_.sequences.find(program);
    if (known == expected_.sequences.end()) return of_.forget(event.tid);
    State& state = of_.of(event.tid);
    if (state.sequence != &known->second) state.begin(known->second);
    state.numbers[state.gauge->calls() % kWindow] = event.number;
    if (state.gauge->see(*call)) tell(state, event, world, alerts);
  }

 private:
  struct State {
    const ExpectedSequence* sequence = nullptr;
    std::unique_ptr<Gauge> gauge;
    std::array<uint64_t, kWindow> numbers{};  // of the events of the window
    unsigned strange = 0;                     // windows in a row
    Severity told = Severity::Notice;

    void begin(const ExpectedSequence& of) {
      sequence = &of;
      gauge = std::make_unique<Gauge>(of.model);
      strange = 0;
      told = Severity::Notice;
    }
    void end(RareSequence& all, const Event& event, const World& world, Alerts& alerts) {
      if (gauge == nullptr || gauge->calls() < kLeastSequence) return;
      if (gauge->end()) all.tell(*this, event, world, alerts);
    }
  };

  void tell(State& state, const Event& event, const World& world, Alerts& alerts) {
    const ScoredWindow& window = state.gauge->window();
    if (static_cast<double>(window.score) <= state.sequence->most) {
      state.strange = 0;
      return;
    }
    ++state.strange;
    const bool far =
        static_cast<double>(window.score) > state.sequence->most + static_cast<double>(kFarAbove);
    const Severity severity = far || state.strange >= kInARow ? Severity::Medium : Severity::Low;
    if (severity <= state.told) return;
    state.told = severity;
    Alert alert = alert_of(kRareSequence, severity, "", event,
                           who(event, world) + " makes calls as its ordinary work does not: calls " +
                               std::to_string(window.offset) + " to " +
                               std::to_string(window.offset + window.calls - 1) + " of its thread score " +
                               with_one(window.score) + ", where no ordinary " + std::to_string(kWindow) +
                               " score above " + with_one(state.sequence->most) + "; least expected is " +
                               shown(window.worst_call) + ", where " + shown(window.expected_call) +
                               " was likeliest (" + with_one(window.worst_bits) + " bits)");
    alert.events.clear();
    // What led to the least expected call, itself, and what followed.
    constexpr uint64_t kBefore = 11;
    const uint64_t last = window.offset + window.calls;
    const uint64_t from =
        window.worst_offset - window.offset > kBefore ? window.worst_offset - kBefore : window.offset;
    for (uint64_t at = from; at < last && alert.events.size() < Alert::kMostEvents; ++at)
      alert.events.push_back(state.numbers[at % kWindow]);
    alerts.raise(std::move(alert));
  }

  const Expected& expected_;
  PerProcess<State, kMostGauged> of_;
};

class Silent : public Watching {
 public:
  void see(const Event&, const World&, Alerts&) override {}
};

}  // namespace

const Detector kRareSequence = {
    "rare-sequence",
    Severity::Medium,
    "calls in an order that ordinary work does not have",
    "Code that was injected or a program that was taken over makes calls in another order than it did before. It is "
    "told per thread and window of 256 calls, against the sequences of the same executable in a baseline that was "
    "learned at the level all, and at that level alone: at others not every call is seen, and it says nothing.",
    "T1055; T1203",
    "",
    ~0U,
    [](const Expected* expected) -> std::unique_ptr<Watching> {
      if (expected == nullptr || expected->sequences.empty()) return std::make_unique<Silent>();
      return std::make_unique<RareSequence>(*expected);
    }};

}  // namespace immure::watch

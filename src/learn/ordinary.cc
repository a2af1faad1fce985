#include "learn/ordinary.h"

#include <algorithm>

#include "base/text.h"
#include "learn/generalise.h"
#include "learn/places.h"
#include "learn/widen.h"
#include "watch/detect/call_sequence.h"
#include "watch/detect/steps.h"

namespace immure::learn {

using watch::Action;
using watch::Event;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr size_t kMostWatched = 65536;  // processes and threads at a time
// Of a program's sequences, which share may score as anomalous as a whole; windows are weighed by the worst
// of them.
constexpr double kFalseAlarms = 0.05;
// A window has to be so much stranger than the strangest ordinary one, in bits a call, and by so much of what
// lies between that one and the middle.
constexpr double kMargin = 0.5, kOfSpread = 0.25;

double most_of(std::vector<float> windows) {
  std::sort(windows.begin(), windows.end());
  const double most = windows.empty() ? 0 : windows.back(),
               middle = windows.empty() ? 0 : windows[windows.size() / 2];
  return most + std::max(kMargin, kOfSpread * (most - middle));
}

}  // namespace

void Ordinary::begin(watch::Level level) {
  end_trace();
  world_ = watch::World();
  every_call_ = every_call_ && level == watch::Level::All;
  level_ = std::min(level_, level);
  ++traces_;
}

void Ordinary::end_trace() {
  while (!running_.empty()) end_of(running_.begin()->first);
  for (const auto& [pid, second] : seconds_) end_second(second);
  seconds_.clear();
}

void Ordinary::keep(Seen& seen, std::string text, size_t most) {
  if (text.empty() || text.size() > watch::kMostBaselineName || text.find('\0') != std::string::npos) return;
  if (seen.size() < most || seen.contains(text))
    seen.insert(std::move(text));
  else
    ++beyond_;
}

void Ordinary::paths(const Event& event) {
  if (event.action == Action::Exec && !watch::stopped(event))
    return keep(executables_, watch::expected_path(event), watch::Expected::kMostPrograms);
  if ((event.action == Action::Connect || event.action == Action::Send) && event.address.family != 0)
    return keep(hosts_, watch::text_of(event.address), kMostSeen);
  const bool write = watch::writes(event);
  if (event.action != Action::Open && !write) return;
  if (!write && watch::stopped(event)) return;
  keep(write ? writes_ : reads_, watch::expected_path(event), kMostSeen);
}

void Ordinary::end_second(const Second& second) {
  if (second.program.empty() || second.count == 0) return;
  auto known = rates_.find(second.program);
  if (known == rates_.end()) {
    if (rates_.size() >= watch::Expected::kMostPrograms || second.program.size() > watch::kMostBaselineName)
      return;
    known = rates_.emplace(second.program, 0).first;
  }
  known->second = std::max(known->second, static_cast<double>(second.count));
}

void Ordinary::rate(const Event& event) {
  if (event.action == Action::End) {
    auto found = seconds_.find(event.pid);
    if (found == seconds_.end() || event.tid != event.pid) return;
    end_second(found->second);
    seconds_.erase(found);
    return;
  }
  if (seconds_.size() >= kMostWatched && !seconds_.contains(event.pid)) return;
  Second& second = seconds_[event.pid];
  const std::string_view program = watch::sequence_program(event, world_);
  if (second.program != program) second.program = program;
  if (second.count > 0 && event.time < second.began + kSecond) {
    ++second.count;
    return;
  }
  end_second(second);
  second.began = event.time;
  second.count = 1;
}

void Ordinary::end_of(int32_t tid) {
  auto found = running_.find(tid);
  if (found == running_.end()) return;
  Running running = std::move(found->second);
  running_.erase(found);
  if (running.calls.size() < watch::kLeastSequence || running.program.size() > watch::kMostBaselineName)
    return;
  auto known = sequences_.find(running.program);
  if (known == sequences_.end()) {
    if (sequences_.size() >= watch::Expected::kMostPrograms) return;
    known = sequences_.emplace(running.program, Sequences()).first;
  }
  if (known->second.calls + running.calls.size() > kMostCallsOfProgram) return;
  known->second.calls += running.calls.size();
  known->second.traces.push_back(std::move(running.calls));
}

void Ordinary::sequence(const Event& event) {
  if (event.action == Action::Lost) return running_.clear();
  if (event.action == Action::End) return end_of(event.tid);
  const std::optional<uint16_t> call = watch::sequence_call(event);
  const std::string_view program = watch::sequence_program(event, world_);
  if (!call || program.empty()) return;
  auto found = running_.find(event.tid);
  if (found != running_.end() &&
      (found->second.program != program || found->second.calls.size() >= watch::kSequencePart)) {
    end_of(event.tid);
    found = running_.end();
  }
  if (found == running_.end()) {
    if (running_.size() >= kMostWatched) return;
    found = running_.emplace(event.tid, Running{std::string(program), {}}).first;
  }
  found->second.calls.push_back(*call);
}

void Ordinary::see(const Event& event) {
  ++events_;
  world_.see(event);
  paths(event);
  rate(event);
  if (every_call_) sequence(event);
}

void Ordinary::model(watch::Baseline& baseline) {
  for (auto& [program, seen] : sequences_) {
    std::vector<float> windows;
    auto model = watch::learn(seen.traces, kFalseAlarms, &windows);
    seen.traces.clear();
    if (!model)
      unmodelled_.push_back(program);
    else
      baseline.expected.sequences.emplace(
          program, watch::ExpectedSequence{std::move(*model), most_of(std::move(windows))});
  }
}

Result<watch::Baseline> Ordinary::learned() {
  end_trace();
  if (events_ == 0)
    return fail(Code::kBadValue, "the traces hold no events", "there is nothing to learn from",
                "record ordinary work with immure watch --trace, or immure run --watch --watch-trace");
  watch::Baseline baseline;
  watch::Expected& expected = baseline.expected;
  expected.level = level_;
  widen(reads_, expected.reads);
  widen(writes_, expected.writes);
  keep_names(executables_, expected.executables);
  expected.hosts = widened_hosts(hosts_);
  expected.rates = rates_;
  for (const auto& [program, most] : rates_)
    expected.most_events_a_second = std::max(expected.most_events_a_second, most);
  if (every_call_) model(baseline);
  baseline.traces = traces_;
  baseline.events = events_;
  baseline.beyond = beyond_;
  return baseline;
}

watch::Expected expected_of(const JailSpec& spec) {
  watch::Expected expected;
  const auto add = [](watch::ExpectedPaths& paths, std::string_view path) {
    paths.names.emplace(path);
    paths.names.insert(path == "/" ? std::string("/") : std::string(path) + "/");
  };
  for (std::string_view place : given_places()) {
    const bool scratch = place == "/tmp" || place == "/var/tmp" || place.starts_with("/dev/");
    add(scratch ? expected.writes : expected.reads, place);
    if (scratch) expected.hosts.insert("unix:" + std::string(place) + "/");
  }
  if (!spec.root.value.empty()) add(expected.reads, "/");
  for (const Grant& grant : spec.grants) {
    const bool write = grant.kind == Grant::Kind::Bind || grant.kind == Grant::Kind::Overlay ||
                       grant.kind == Grant::Kind::Tmpfs || grant.kind == Grant::Kind::DevNode;
    add(write ? expected.writes : expected.reads, grant.target.value);
    if (write && grant.exec) add(expected.executables, grant.target.value);
    expected.hosts.insert("unix:" + grant.target.value);
    expected.hosts.insert("unix:" + grant.target.value + "/");
  }
  for (const std::string& name : expected.reads.names) expected.executables.names.insert(name);
  // The C library asks there for each user's name, whether or not somebody listens.
  expected.hosts.insert({"unix:/var/run/nscd/socket", "unix:/run/nscd/socket"});
  expected.hosts.insert({"unix:@*", "127.0.0.1:*", "[::1]:*"});
  if (spec.net != Net::Host) return expected;
  if (!spec.landlock.restrict_connect) expected.hosts.insert("*");
  for (uint16_t port : spec.landlock.connect) expected.hosts.insert("*:" + num(port));
  // Its words are about TCP; names are asked for by UDP.
  expected.hosts.insert("*:53");
  return expected;
}

}  // namespace immure::learn

#include "watch/report/summary.h"

#include <algorithm>
#include <ctime>

#include "base/digest.h"
#include "base/text.h"
#include "watch/decode.h"
#include "watch/session.h"

namespace immure::watch {
namespace {

// Rows by a key, in the order of their first time, and not more than `most`.
template <class Row>
class Table {
 public:
  explicit Table(size_t most) : most_(most) {}
  // Null: it has no room.
  Row* at(const std::string& key) {
    const auto known = places_.find(key);
    if (known != places_.end()) return &rows[known->second];
    if (rows.size() >= most_) {
      ++without_room;
      return nullptr;
    }
    places_.emplace(key, rows.size());
    return &rows.emplace_back();
  }
  std::vector<Row> rows;
  uint64_t without_room = 0;

 private:
  size_t most_;
  std::unordered_map<std::string, size_t> places_;
};

bool changes(Action action) {
  switch (action) {
    case Action::Make:
    case Action::MakeFolder:
    case Action::Remove:
    case Action::Rename:
    case Action::Link:
    case Action::SymLink:
    case Action::ChangeMode:
    case Action::ChangeOwner:
    case Action::ChangeTimes:
    case Action::ChangeAttributes:
    case Action::Truncate:
    case Action::Write:
    case Action::MakeNode: return true;
    default: return false;
  }
}

bool is_written(const Event& event) {
  constexpr uint64_t kWrites = 3, kMakes = 0100 | 01000;  // O_WRONLY, O_RDWR; O_CREAT, O_TRUNC
  return changes(event.action) ||
         (event.action == Action::Open && ((event.flags & kWrites) != 0 || (event.flags & kMakes) != 0));
}

TracedAlert traced(const Alert& alert) {
  return {alert.detector->id, alert.severity,  alert.time, alert.pid,   alert.stopped,
          alert.repeats,      alert.technique, alert.why,  alert.events};
}

// What detectors of new things say of a trace.
class Weighing : private Alerts {
 public:
  explicit Weighing(const Expected* expected) {
    if (expected == nullptr) return;
    for (const Detector* detector : baseline_detectors())
      watching_.emplace_back(detector, detector->start(expected));
  }
  // Whether an alert of the trace is one that is made anew.
  bool replaces(const TracedAlert& alert) const {
    return std::any_of(watching_.begin(), watching_.end(),
                       [&](const auto& one) { return alert.detector == one.first->id; });
  }
  std::vector<TracedAlert> see(const Event& event, const World& world) {
    raised_.clear();
    world_ = &world;
    for (auto& [detector, watching] : watching_)
      if ((detector->kinds & bit(event.kind)) != 0) watching->see(event, world, *this);
    return std::move(raised_);
  }
  std::vector<TracedAlert> rest() {
    std::vector<TracedAlert> all;
    for (const Alert& alert : gate_.rest()) all.push_back(traced(alert));
    return all;
  }

 private:
  void raise(Alert alert) override {
    if (gate_.lets_through(alert, *world_)) raised_.push_back(traced(alert));
  }
  std::vector<std::pair<const Detector*, std::unique_ptr<Watching>>> watching_;
  std::vector<TracedAlert> raised_;
  const World* world_ = nullptr;
  AlertGate gate_;
};

class Summing {
 public:
  explicit Summing(const Expected* expected) : weighing_(expected) {}
  void take(const Event& event) {
    ++summary.events;
    if (summary.first == 0) summary.first = event.time;
    summary.last = std::max(summary.last, event.time);
    world_.see(event);
    const auto kind = static_cast<size_t>(event.kind);
    const uint64_t count = event.action == Action::Counted ? event.args[0] : 1;
    if (event.action == Action::Lost) summary.lost += event.args[0];
    summary.kinds[kind].add(event.verdict);
    summary.over_time.add(event.time, kind, count);
    take_process(event);
    if (!event.path.empty()) take_file(event);
    if (event.kind == Kind::Network && event.address.family != 0) take_host(event);
    if (const std::string name = call_name(event); !name.empty()) take_call(event, name, count);
    for (const TracedAlert& alert : weighing_.see(event, world_)) keep(alert);
  }
  void take(const TracedAlert& alert) {
    if (!weighing_.replaces(alert)) keep(alert);
  }
  void keep(const TracedAlert& alert) {
    if (ProcessUse* use = process_of(alert.pid)) ++use->alerts;
    if (summary.alerts.size() < Summary::kMostAlerts)
      summary.alerts.push_back(alert);
    else
      ++summary.without_room;
  }
  void take(const Process& process) {
    world_.add(process);
    if (ProcessUse* use = process_of(process.pid)) use->process = process;
  }

  void finish() {
    for (const TracedAlert& alert : weighing_.rest()) keep(alert);
    for (ProcessUse& use : processes_.rows)
      if (const Process* known = world_.find(use.process.pid)) use.process = *known;
    summary.processes = std::move(processes_.rows);
    summary.files = std::move(files_.rows);
    summary.hosts = std::move(hosts_.rows);
    summary.calls = std::move(calls_.rows);
    summary.without_room +=
        processes_.without_room + files_.without_room + hosts_.without_room + calls_.without_room;
    const auto uses = [](const FileUse& use) { return use.opened.all() + 4 * use.changed.all(); };
    std::stable_sort(summary.files.begin(), summary.files.end(),
                     [&](const FileUse& a, const FileUse& b) { return uses(a) > uses(b); });
    std::stable_sort(summary.hosts.begin(), summary.hosts.end(),
                     [](const HostUse& a, const HostUse& b) { return a.tally.all() > b.tally.all(); });
    std::stable_sort(summary.calls.begin(), summary.calls.end(),
                     [](const CallUse& a, const CallUse& b) { return a.tally.all() > b.tally.all(); });
  }

  Summary summary;

 private:
  ProcessUse* process_of(int32_t pid) {
    ProcessUse* use = processes_.at(num_signed(pid));
    if (use != nullptr && use->process.pid == 0) use->process.pid = pid;
    return use;
  }

  void take_process(const Event& event) {
    ProcessUse* use = process_of(event.pid);
    if (use == nullptr) return;
    ++use->events;
    use->last = event.time;
    if (event.action == Action::Born) use->seen_born = true;
  }

  void take_file(const Event& event) {
    const std::string path(event.resolved.empty() ? event.path : event.resolved);
    FileUse* use = files_.at(path);
    if (use == nullptr) return;
    if (use->path.empty()) {
      use->path = path;
      use->first = event.pid;
    }
    (is_written(event) ? use->changed : use->opened).add(event.verdict);
  }

  void take_host(const Event& event) {
    const std::string address = text_of(event.address);
    HostUse* use = hosts_.at(address);
    if (use == nullptr) return;
    if (use->address.empty()) {
      use->address = address;
      use->first = event.pid;
    }
    use->tally.add(event.verdict);
  }

  void take_call(const Event& event, const std::string& name, uint64_t count) {
    CallUse* use = calls_.at(name);
    if (use == nullptr) return;
    use->name = name;
    if (event.action == Action::Counted)
      use->tally.unknown += count;
    else
      use->tally.add(event.verdict);
    use->over_time.add(event.time, 0, count);
  }

  World world_;
  Weighing weighing_;
  Table<ProcessUse> processes_{Summary::kMostProcesses};
  Table<FileUse> files_{Summary::kMostFiles};
  Table<HostUse> hosts_{Summary::kMostHosts};
  Table<CallUse> calls_{Summary::kMostCalls};
};

}  // namespace

void Tally::add(Verdict verdict) {
  switch (verdict) {
    case Verdict::Done: ++done; return;
    case Verdict::Failed: ++failed; return;
    case Verdict::Denied: ++denied; return;
    case Verdict::Unknown: ++unknown; return;
  }
}

Result<Summary> summarise(TraceReader& reader, const Expected* expected) {
  Summing summing(expected);
  TraceEntry entry;
  for (;;) {
    auto more = reader.next(entry);
    if (!more) return tl::unexpected<Error>(std::move(more.error()));
    if (!*more) break;
    switch (entry.what) {
      case TraceEntry::What::Alert: summing.take(entry.alert); break;
      case TraceEntry::What::Process: summing.take(entry.process); break;
      case TraceEntry::What::Record:
        Event event;
        if (!decode(entry.record, event)) break;
        event.number = entry.number;
        summing.take(event);
        break;
    }
  }
  summing.finish();
  Summary& summary = summing.summary;
  summary.head = reader.head();
  summary.end = reader.end();
  summary.digest = hex_text(reader.digest());
  summary.broken_at = reader.broken_at();
  return std::move(summary);
}

std::string wall_text(const TraceHead& head, uint64_t monotonic) {
  const uint64_t wall = head.wall + (monotonic - head.monotonic);
  const auto seconds = static_cast<time_t>(wall / 1'000'000'000);
  tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "?";
  char text[40];
  return {text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

const char* text_of(TraceEnd end) {
  switch (end) {
    case TraceEnd::Reading: break;
    case TraceEnd::Ended: return "whole: every seal fits, and it was ended on purpose";
    case TraceEnd::Open:
      return "every seal fits, but it has no end: its writer runs, was killed, or it was cut there";
    case TraceEnd::Torn:
      return "every seal fits, but it ends within a block: its writer was killed, or it was cut there";
    case TraceEnd::Broken: return "CHANGED: a seal does not fit; what is behind that place was not read";
  }
  return "not read to its end";
}

}  // namespace immure::watch

// Reads a trace of a battery of `immure prove` and says for each attack what was raised while it ran:
//
//   named TRACE
//   →  ATTACK\tDETECTOR\tTECHNIQUE\tSEVERITY\tHOW     HOW: exact, technique (one of the same file), detector,
//   other
//      ATTACK\t-\t-\t-\tnone
//
// Who ran what is read from the events: a process that runs immure-probe with "--" and ids among its words
// forks a child an attack, in that order; what their descendants do is theirs. With --alerts instead: each
// alert of the whole trace, as one line.
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "probes/probe.h"
#include "watch/decode.h"
#include "watch/detect/detector.h"
#include "watch/trace/reader.h"

namespace immure::watch {
namespace {

struct Battery {
  std::vector<std::string> ids;
  size_t next = 0;
};

bool same_file(const std::string& a, const std::string& b) {
  for (int c = 0; c < probes::kCategoryCount; ++c)
    for (auto group : probes::groups(static_cast<probes::Category>(c))) {
      bool has_a = false, has_b = false;
      for (const probes::Probe& probe : group) has_a |= a == probe.id, has_b |= b == probe.id;
      if (has_a && has_b) return true;
    }
  return false;
}

class Named : public Alerts {
 public:
  explicit Named(bool plain) : plain_(plain) {
    for (const Detector* detector : detectors()) watching_.push_back(detector->start(nullptr));
  }

  // A birth may be told a little after the first calls of who is born: they are followed ahead of what is
  // weighed.
  void ahead(const Event& event) { follow(event); }

  void see(const Event& event) {
    const auto found = attacks_.find(event.pid);
    attack_ = found == attacks_.end() ? "" : found->second;
    world_.see(event);
    const auto all = detectors();
    for (size_t i = 0; i < all.size(); ++i)
      if ((all[i]->kinds & bit(event.kind)) != 0) watching_[i]->see(event, world_, *this);
  }

  void raise(Alert alert) override {
    if (plain_) {
      std::printf("%s\t%s\t%s\t%s\n", key(alert.severity), alert.detector->id, alert.technique.c_str(),
                  printable(alert.why).c_str());
      return;
    }
    if (attack_.empty()) return;
    const char* how = alert.technique == attack_            ? "exact"
                      : same_file(alert.technique, attack_) ? "technique"
                      : names(*alert.detector, attack_)     ? "detector"
                                                            : "other";
    named_.insert(attack_);
    std::printf("%s\t%s\t%s\t%s\t%s\n", attack_.c_str(), alert.detector->id, alert.technique.c_str(),
                key(alert.severity), how);
  }

  void finish() const {
    if (plain_) return;
    for (const std::string& id : ran_)
      if (named_.count(id) == 0) std::printf("%s\t-\t-\t-\tnone\n", id.c_str());
  }

 private:
  void follow(const Event& event) {
    if (event.action == Action::Exec && event.verdict == Verdict::Done) return started(event);
    if (event.action != Action::Born) return;
    auto battery = batteries_.find(event.other);
    if (battery != batteries_.end() && event.pid != event.other) {
      if (battery->second.next >= battery->second.ids.size()) return;
      attacks_[event.pid] = battery->second.ids[battery->second.next++];
      ran_.insert(attacks_[event.pid]);
      return;
    }
    auto parent = attacks_.find(event.other);
    if (parent == attacks_.end())
      attacks_.erase(event.pid);
    else if (event.pid != event.other)
      attacks_[event.pid] = std::string(parent->second);
  }

  void started(const Event& event) {
    if (attacks_.count(event.pid) != 0) return;  // an attack that starts a program
    batteries_.erase(event.pid);
    const std::string_view program = event.words.substr(0, event.words.find('\0'));
    if (program.size() < 12 || program.substr(program.size() - 12) != "immure-probe") return;
    Battery battery;
    bool behind = false;
    for (std::string_view word : split(event.words, '\0')) {
      if (behind)
        for (std::string_view id : split(word, ',')) {
          if (!id.empty()) battery.ids.emplace_back(id);
        }
      if (word == "--") behind = true;
    }
    if (!battery.ids.empty()) batteries_[event.pid] = std::move(battery);
  }

  bool plain_;
  World world_;
  std::vector<std::unique_ptr<Watching>> watching_;
  std::unordered_map<int32_t, Battery> batteries_;
  std::unordered_map<int32_t, std::string> attacks_;  // by process
  std::set<std::string> named_, ran_;
  std::string attack_;
};

constexpr size_t kAhead = 64;

int read(const char* path, bool plain) {
  auto reader = TraceReader::open(path);
  if (!reader) {
    std::fprintf(stderr, "named: %s\n", reader.error().what.c_str());
    return 2;
  }
  Named named(plain);
  TraceEntry entry;
  Event event;
  std::deque<std::pair<uint64_t, std::vector<uint8_t>>> waiting;
  auto weigh = [&] {
    if (decode(waiting.front().second, event)) {
      event.number = waiting.front().first;
      named.see(event);
    }
    waiting.pop_front();
  };
  for (;;) {
    auto more = (*reader)->next(entry);
    if (!more || !*more) break;
    if (entry.record.empty() || !decode(entry.record, event)) continue;
    named.ahead(event);
    waiting.emplace_back(entry.number, std::vector<uint8_t>(entry.record.begin(), entry.record.end()));
    if (waiting.size() > kAhead) weigh();
  }
  while (!waiting.empty()) weigh();
  named.finish();
  return 0;
}

}  // namespace
}  // namespace immure::watch

int main(int argc, char** argv) {
  const bool plain = argc == 3 && std::strcmp(argv[1], "--alerts") == 0;
  if (argc != 2 && !plain) return 2;
  return immure::watch::read(argv[argc - 1], plain);
}

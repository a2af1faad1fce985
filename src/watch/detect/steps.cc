#include "watch/detect/steps.h"

#include <fcntl.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "watch/calls.h"
#include "watch/detect/table.h"

namespace immure::watch {
namespace {

// Calls `each` for the words of a text, until it says true.
template <class Each>
bool any_word(std::string_view text, Each each) {
  while (!text.empty()) {
    size_t end = text.find(' ');
    if (end == std::string_view::npos) end = text.size();
    if (end > 0 && each(text.substr(0, end))) return true;
    text.remove_prefix(end < text.size() ? end + 1 : end);
  }
  return false;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Steps : public Watching {
 public:
  Steps(const Detector& detector, std::span<const Step> rows) : detector_(detector), rows_(rows) {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (*rows[i].calls == '\0') {
        by_path_.push_back(i);
        any_word(rows[i].paths, [&](std::string_view pattern) { return tops_.push_back(pattern), false; });
      } else {
        any_word(rows[i].calls, [&](std::string_view call) { return by_call_[call].push_back(i), false; });
      }
    }
  }

  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::Lost || event.action == Action::Born || event.action == Action::End) return;
    if (!by_call_.empty()) {
      // An exec that was seen to succeed may come without the call that led to it.
      auto found =
          by_call_.find(event.action == Action::Exec ? "execve" : name_of_call(event.arch, event.nr));
      if (found != by_call_.end())
        for (size_t i : found->second) {
          std::string path;
          look(i, event, world, alerts, path);
        }
    }
    if (by_path_.empty() || (event.path.empty() && event.resolved.empty())) return;
    if (!may_fit(event.path) && !may_fit(event.resolved)) return;
    std::string path;
    for (size_t i : by_path_)
      if (look(i, event, world, alerts, path)) break;
  }

 private:
  // The first bytes of a path decide for most of them.
  bool may_fit(std::string_view path) const {
    if (path.empty()) return false;
    if (path[0] != '/' || path.find("/.") != std::string_view::npos ||
        path.find("//") != std::string_view::npos)
      return true;
    for (std::string_view top : tops_)
      if (top.substr(0, 4).find('*') != std::string_view::npos || path.substr(0, 4) == top.substr(0, 4))
        return true;
    return false;
  }

  // `path`: the event's, cleaned when a row first needs it.
  bool look(size_t i, const Event& event, const World& world, Alerts& alerts, std::string& path) {
    const Step& row = rows_[i];
    // Calls that were counted have no arguments that are known.
    if (event.action == Action::Counted && (row.when != nullptr || *row.paths != '\0')) return false;
    if (row.use == Use::Write && !writes(event)) return false;
    if (row.use == Use::Read && (event.action != Action::Open || writes(event))) return false;
    if (row.when != nullptr && !row.when(event)) return false;
    if (*row.paths != '\0') {
      if (path.empty()) path = cleaned(event.path);
      // What /proc/self leads to is its own number, and a program in a changed root is somewhere else
      // outside.
      const bool own = path.compare(0, 10, "/proc/self") == 0 || path.compare(0, 12, "/proc/thread") == 0;
      const bool inside = event.action == Action::Exec && !path.empty() && path[0] == '/';
      const std::string_view resolved = own || inside ? std::string_view() : event.resolved;
      auto is = [&](std::string_view pattern) {
        return fits(path, pattern) || (!resolved.empty() && fits(resolved, pattern));
      };
      if (!any_word(row.paths, is)) return false;
    }
    const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(event.pid)) << 32 |
                         static_cast<uint64_t>(i) << 1 | (stopped(event) ? 1 : 0);
    if (!raised_.add(key)) return true;
    std::string why = who(event, world) + " " + row.said;
    if (!event.path.empty()) why += " '" + std::string(event.path.substr(0, 256)) + "'";
    alerts.raise(alert_of(detector_, row.severity, row.technique, event, why + outcome(event)));
    return true;
  }

  const Detector& detector_;
  std::span<const Step> rows_;
  std::unordered_map<std::string_view, std::vector<size_t>> by_call_;
  std::vector<size_t> by_path_;
  std::vector<std::string_view> tops_;
  Recent raised_{kMostRaised};
};

}  // namespace

bool fits(std::string_view path, std::string_view pattern) {
  while (!pattern.empty()) {
    const char c = pattern[0];
    if (c == '*' && pattern.size() == 1) return true;
    if (c == '*') {
      pattern.remove_prefix(1);
      for (size_t skip = 0; skip <= path.size(); ++skip) {
        if (fits(path.substr(skip), pattern)) return true;
        if (skip < path.size() && path[skip] == '/') return false;
      }
      return false;
    }
    if (path.empty()) return false;
    if (c == '#') {
      if (!is_digit(path[0])) return false;
      while (!path.empty() && is_digit(path[0])) path.remove_prefix(1);
      pattern.remove_prefix(1);
      continue;
    }
    if (c != path[0]) return false;
    path.remove_prefix(1);
    pattern.remove_prefix(1);
  }
  return path.empty();
}

std::string cleaned(std::string_view path) {
  std::string clean;
  const bool from_top = path.substr(0, 5) == "proc/" || path.substr(0, 4) == "sys/";
  const bool absolute = from_top || (!path.empty() && path[0] == '/');
  while (!path.empty()) {
    size_t end = path.find('/');
    if (end == std::string_view::npos) end = path.size();
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(end < path.size() ? end + 1 : end);
    if (name.empty() || name == ".") continue;
    if (name == ".." && (absolute || !clean.empty())) {
      const size_t slash = clean.rfind('/');
      clean.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    if (absolute || !clean.empty()) clean += '/';
    clean += name;
  }
  if (clean.empty() && absolute) clean = "/";
  return clean;
}

bool writes(const Event& event) {
  constexpr Action kChanges[] = {
      Action::Make,        Action::MakeFolder,       Action::Remove,     Action::Rename,
      Action::Link,        Action::SymLink,          Action::ChangeMode, Action::ChangeOwner,
      Action::ChangeTimes, Action::ChangeAttributes, Action::Truncate,   Action::MakeNode};
  if (event.action == Action::Open)
    return (event.flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0 ||
           name_of_call(event.arch, event.nr) == "creat";
  return std::find(std::begin(kChanges), std::end(kChanges), event.action) != std::end(kChanges);
}

bool failed_with(const Event& event, int error) { return event.result && *event.result == -error; }

std::string who(const Event& event, const World& world) {
  const Process* process = world.find(event.pid);
  std::string name =
      process != nullptr && !process->program.empty() ? "'" + process->program + "'" : "a program";
  return name + " (process " + std::to_string(event.pid) + ")";
}

std::string outcome(const Event& event) {
  switch (event.verdict) {
    case Verdict::Done: return {};
    case Verdict::Unknown: return "; what came of it is not known";
    case Verdict::Denied: return ", which the filter of system calls denied";
    case Verdict::Failed:
      return ", which failed" + (event.result && *event.result < 0 && *event.result > -4096
                                     ? " (" + errno_name(static_cast<int>(-*event.result)) + ")"
                                     : std::string());
  }
  return {};
}

bool Recent::add(uint64_t key) {
  if (!seen_.insert(key).second) return false;
  if (order_.size() < most_) {
    order_.push_back(key);
  } else {
    seen_.erase(std::exchange(order_[next_], key));
    next_ = (next_ + 1) % most_;
  }
  return true;
}

std::unique_ptr<Watching> watch_steps(const Detector& detector, std::span<const Step> rows) {
  return std::make_unique<Steps>(detector, rows);
}

Alert alert_of(const Detector& detector, Severity severity, const char* technique, const Event& event,
               std::string why) {
  Alert alert;
  alert.detector = &detector;
  alert.severity = severity;
  alert.time = event.time;
  alert.pid = event.pid;
  alert.technique = technique;
  alert.why = std::move(why);
  alert.events = {event.number};
  alert.stopped = stopped(event);
  return alert;
}

}  // namespace immure::watch

// What is known of the watched processes while they live: made from events, filled in from /proc where an
// event lacks it. Detectors and reports ask it; none of them reads /proc. Bounded: of more than kMost
// processes at a time the oldest ended ones are forgotten first, then the oldest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "watch/event.h"

namespace immure::watch {

struct Process {
  int32_t pid = 0, parent = 0;
  uint64_t began = 0, ended = 0;  // CLOCK_MONOTONIC; 0: before the watch, not yet
  std::string program;            // path of its executable, as the jail sees it; "": not known
  std::string words;              // argv of the last exec, each with its end; cut at kMostWords
  uint32_t execs = 0;             // how many it was seen to do
  uint32_t uid = ~0U;             // as the host numbers it; ~0: not known
  bool first = false;             // the jail's own program, or what was there when the watch began
};

class World {
 public:
  static constexpr size_t kMost = 65536, kMostWords = 4096;
  // What `event` changes: births, execs and ends. Called by the session before detectors see the event.
  void see(const Event& event);
  // A process that was there before the watch.
  void add(Process process);
  const Process* find(int32_t pid) const;  // null: never seen
  const Process& of(const Event& event);   // made, with what is known, when it was never seen
  size_t size() const { return processes_.size(); }
  // pid's ancestors' programs, nearest first, at most `most`: "bash ← sshd".
  std::string lineage(int32_t pid, size_t most = 4) const;
  const std::unordered_map<int32_t, Process>& processes() const { return processes_; }

 private:
  std::unordered_map<int32_t, Process> processes_;
};

}  // namespace immure::watch

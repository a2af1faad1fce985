// What is known of the watched processes while they live: made from events, filled in from /proc where an
// event lacks it. Detectors and reports ask it; none of them reads /proc. Bounded: of more than kMost
// processes at a time the oldest ended ones are forgotten first, then the oldest.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "watch/event.h"

namespace immure::watch {

struct Process {
  int32_t pid = 0, parent = 0;
  uint64_t began = 0, ended = 0;  // CLOCK_MONOTONIC; 0: before the watch, not yet
  uint64_t ticks = 0;             // when its number was given to it, as its source tells; 0: it does not
  std::string program;            // path of its executable, as the jail sees it; "": not known
  std::string words;              // argv of the last exec, each with its end; cut at kMostWords
  uint32_t execs = 0;             // how many it was seen to do
  uint32_t uid = ~0U;             // as the host numbers it; ~0: not known
  bool first = false;             // the jail's own program, or what was there when the watch began
  uint64_t place = 0;             // the how-manieth that the world got to know
};

class World {
 public:
  static constexpr size_t kMost = 65536, kMostWords = 4096;
  // Who is asked about a process that no event has told of: process_now of a watch that is live. Null, as of
  // a trace that is read again: its numbers mean nothing here.
  using Ask = Process (*)(int32_t pid);
  explicit World(Ask ask = nullptr) : ask_(ask) {}
  // What `event` changes: births, execs and ends. Called by the session before detectors see the event.
  void see(const Event& event);
  // A process that was there before the watch.
  void add(Process process);
  const Process* find(int32_t pid) const;  // null: never seen
  const Process& of(const Event& event);   // made, with what is known, when it was never seen
  size_t size() const { return processes_.size(); }
  // pid's ancestors' programs, nearest first, at most `most`: "bash ← sshd".
  std::string lineage(int32_t pid, size_t most = 4) const;  // not yet printable()
  const std::unordered_map<int32_t, Process>& processes() const { return processes_; }

 private:
  Process& made(Process process);
  void end(int32_t pid, uint64_t time);
  void make_room();
  std::unordered_map<int32_t, Process> processes_;
  // In the order in which they came and ended; entries of those that are gone are passed over.
  std::deque<std::pair<int32_t, uint64_t>> came_, ended_;
  uint64_t places_ = 0;
  Ask ask_;
};

// What /proc has of a process now; only its number when it has gone.
Process process_now(int32_t pid);

}  // namespace immure::watch

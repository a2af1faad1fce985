// Where a tracer runs: a thread that stops and the one that lets it go on take turns, and on one processor no
// other has to be woken for each turn, which costs more than the turn itself. So the tracer goes where its
// tracee is. What is watched is never told where to run.
//
// Threads that run on several processors at once would be waited for one after the other: who would have to
// move too often stays free for a while.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <cstdint>

namespace immure::watch {

class Follower {
 public:
  // Of the calling thread; later calls come from it as well.
  Follower();
  // A thread has stopped, or is about to go on. Most calls do nothing.
  void stopped(pid_t tid) {
    if (--until_look_ <= 0) look(tid);
  }

 private:
  void look(pid_t tid);
  void move(int processor);
  void free();

  cpu_set_t allowed_;
  bool known_ = false;  // what the thread may use
  int processor_ = -1;  // where it is; -1: anywhere
  int until_look_ = kSoon, step_ = kSoon, tried_ = 0, moved_ = 0;
  static constexpr int kSoon = 16, kLate = 512, kRest = 8192;  // stops between looks
};

// Where a thread ran last; -1: not known.
int processor_of(pid_t tid);

}  // namespace immure::watch

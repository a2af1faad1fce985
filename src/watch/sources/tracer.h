// The thread of the source `ptrace`: attached to every thread of what is watched, told by the kernel of their
// calls, births and ends. All of it happens in one thread, since a tracee belongs to the thread that seized
// it.
//
// What the traced program may do: die in any stop, exec from any thread, stop itself, be stopped, vfork, fill
// the machine with threads. Nothing of it makes the tracer wait for one thread only; a thread that is gone is
// an error of the kernel's (ESRCH) that is passed over.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "watch/source.h"
#include "watch/sources/members.h"
#include "watch/sources/record_queue.h"
#include "watch/sources/tracee_memory.h"

namespace immure::watch {

class Tracer {
 public:
  Tracer(Target target, Level level, RecordQueue& queue)
      : target_(std::move(target)), level_(level), queue_(queue) {}
  // Seizes all threads of the roots and their descendants.
  Status attach();
  // Seizes all threads of one process; whether some thread of it was new. One that has only its number is let
  // go again, unseen.
  Result<bool> seize_process(const Met& process);
  // Until everything traced has ended, or stop() was said and this thread got a signal; then lets all go on.
  void run();
  void stop() { stopping_ = true; }

 private:
  struct Thread {
    pid_t tid = 0, pid = 0;
    bool waits_for_exit = false;  // the end of the call is to be seen
    bool exec = false;            // `pending` is an exec's: it ends as a change, or fails
    TracedCall call;
    std::vector<uint8_t> pending;
  };
  struct Group {
    int threads = 0;
    bool shares = false;  // its memory is another process's too
  };
  using Threads = std::unordered_map<pid_t, Thread>;

  Status seize_all();
  Status seize(pid_t tid, const Met& process);
  bool is_stranger(pid_t tid, int status);
  Thread& known(pid_t tid);
  void stopped(Thread& thread, int status);
  void at_call(Thread& thread);
  void entered(Thread& thread);
  void left(Thread& thread, int64_t result);
  void born(Thread& parent);
  void changed(Thread& leader);
  void ended(pid_t tid, int status);
  void give_up(Thread& thread);  // what is pending, as far as it is known
  void go_on(Thread& thread, int signal = 0);
  void begin_to_leave();
  void let_go(Thread& thread, int status);
  void add(pid_t tid, pid_t pid);
  void emit(RecordWriter& writer, const Thread& thread);
  bool racy(pid_t pid) const;

  Target target_;
  Level level_;
  RecordQueue& queue_;
  Threads threads_;
  // Told before the news of their birth came, with the process that bore them: they may have ended when it
  // comes.
  std::unordered_map<pid_t, pid_t> early_;
  std::unordered_map<pid_t, Group> groups_;
  std::unordered_set<pid_t> strangers_;  // seized by a number that was another's by then; to be let go
  size_t pending_bytes_ = 0;
  bool leaving_ = false;
  uint64_t leave_until_ = 0;
  std::atomic<bool> stopping_ = false;
};

}  // namespace immure::watch

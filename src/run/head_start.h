// The namespaces of the default jail, made on another processor while the words are read and the plan is
// made. They are a third of a start, and need nothing of either.
//
// A helper process that shares this one's memory and descriptors unshares them, then waits. When the plan
// wants just these, the helper makes pid 1 of the jail (CLONE_PARENT: the child is the supervisor's) and
// ends. In every other case it is killed, and pid 1 is made as if it had never been: what fails here is no
// error. It is a member of the jail's namespaces that shares the supervisor's memory, and so it must be gone
// before the program runs: end() waits for it.
//
// Raw system calls only in the helper; nothing is allocated there. One for a process. Not for several
// threads. Source: clone(2), unshare(2), sched_setaffinity(2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "uapi/kernel.h"

namespace immure::run {

class HeadStart {
 public:
  // All that a clone makes but the process namespace, which is for children only.
  static constexpr uint64_t kNamespaces =
      uapi::kCloneNewUser | uapi::kCloneNewNs | uapi::kCloneNewNet | uapi::kCloneNewIpc | uapi::kCloneNewUts;

  HeadStart() = default;
  HeadStart(const HeadStart&) = delete;
  HeadStart& operator=(const HeadStart&) = delete;
  ~HeadStart() { end(); }

  // Starts the helper; without a second processor to run on there is none.
  void begin();
  // Whether a clone with these flags can be made from what was begun.
  bool serves(uint64_t clone_flags) const {
    return pid_ > 0 && clone_flags == (kNamespaces | uapi::kCloneNewPid);
  }
  // Pid 1 of the jail, in a copy of this process as it is now; it runs fn(argument) and ends with its result.
  // Its pid, or -errno: then a clone of the caller's own may do, or says why not. `args` as for clone3(2),
  // without the namespaces.
  long clone(const uapi::CloneArgs& args, int (*fn)(void*), void* argument);
  // Before the program runs: a helper that has taken part is gone. Idempotent. One that came too late for
  // that does nothing but end, in its own time.
  void leave() {
    if (!too_late_) end();
  }
  // Kills the helper, when there is one, and waits for its end; idempotent.
  void end();

 private:
  bool done_with(uint32_t turn);

  long pid_ = 0;
  bool too_late_ = false;
};

}  // namespace immure::run

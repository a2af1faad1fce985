// What runs between clone and exec, and afterwards as pid 1 of the jail. Nothing here allocates, formats,
// locks, or touches libc's state: the code runs in a copy of the parent (pid 1) and in memory shared with
// pid 1 (the program, until its exec). A test compares the undefined symbols of this room with a short list.
//
//   parent                          pid 1 (child_main)                    program
//     ── MapsWritten ─────────────────→  steps of Side::Child
//        makes trees of files
//     ── Sources ─────────────────────→  goes on with what was made
//     ←──────────── MountsReady ───────  goes on while the parent compares them
//     ←──────────── AtGate ────────────
//        verifies                        Side::AfterGate
//                                        clone(VM|FILES|VFORK) ────────→  Side::Payload
//     ── Go ───────────────────────────────────────────────────────────→  AwaitGo … exec
//     ←──────────── Running ───────────  own filter, then waits
//     ── Signal ──────────────────────→  kill
//     ←──────────── Stopped, Exited ───
// A failing step says StepFailed{index, errno}, waits for any message (so that the parent can look at the
// jail's root), and ends. End of file on the wire means the other side is gone: pid 1 then ends, and with it
// everything in the jail.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>

#include "plan/step.h"

namespace immure::child {

enum class Kind : uint32_t {
  MapsWritten = 1, Sources, Go, Signal, Acknowledge,        // to the child
  MountsReady, AtGate, StepFailed, Listener, Terminal, Running, Stopped, Exited,  // to the parent
};

// One fixed-size record over SOCK_SEQPACKET, in both directions.
struct Message {
  Kind kind;
  uint32_t step;    // StepFailed
  int32_t error;    // StepFailed: errno
  int32_t value;    // Signal, Stopped: number; Exited: status as wait(2) gives it; Running: pid in the jail
  uint64_t utime_us, stime_us, max_rss_kb;  // Exited: of the whole tree
};

// Everything the walker may touch. Pointers are into memory that outlives the exec.
struct View {
  const Step* steps = nullptr;
  uint32_t step_count = 0;
  const char* arena = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const char* const* candidates = nullptr;
  const sock_fprog* filters = nullptr;   // 0: the program's, 1: pid 1's (len 0: none)
  const int* kept_fds = nullptr;         // descriptors above 2 that the program gets; -1 ends the list
  int wire = -1;                         // the child's end
  int other_wire = -1;                   // the parent's: closed first, or end of file would never come
  int fds[kSlots];
  char* own_arguments = nullptr;         // argv and environment of immure itself: wiped in pid 1
  uint64_t own_arguments_size = 0;
  uint64_t* stamps = nullptr;            // one a step in shared memory, or null
  int signals = -1;                      // where pid 1 hears of its children
  long listener = -1;                    // of the program's filter; sent with Running
  long program = 0;                      // its pid, as pid 1 sees it
  bool own_memory = false;               // the program shares neither memory nor descriptors with pid 1 before its exec
  uint32_t failed_step = 0;
  int failed_errno = 0;
};

// A step that failed before the program ran: said on the wire, then the end. Waits for the parent to have looked.
[[noreturn]] void give_up(View& view);

// Runs the steps of one side; 0, or the failing step's errno (its index is in view.failed_step).
int run_steps(View& view, Side side);

// pid 1 of the jail, from the return of clone3 on.
[[noreturn]] void child_main(View& view);

// What the parent has made for the child after the clone: the descriptors in these slots, as one record; a slot
// without one is passed over. The child finds them in the same slots of its view. 0, or -errno.
long send_sources(int wire, const View& view, std::span<const int8_t> slots);
long receive_sources(View& view);

// One record; the number of bytes, 0 at end of file, or -errno. fd: sent along when >= 0, and the second with it.
// `mark`: in a register that the kernel does not look at; a filter may.
long send_message(int wire, const Message& message, int fd = -1, int second = -1, uint64_t mark = 0);
// What came along is the caller's, both of it.
struct Along {
  int fd = -1, second = -1;
};
long receive_message(int wire, Message& message, Along* along = nullptr);

}  // namespace immure::child

// Writes down for a watcher what waits at the listener: a call with its registers and what of its caller's
// memory the ring's table asks for. It is written before the call is answered, so that what is not there has
// not happened.
//
// Everything read is hostile and only copied. Registers cannot change; memory can, and is what the kernel
// will see only when nobody else has it: a record says so (kMarkRacy) when the caller has other threads, or a
// process of the jail has once been made with its parent's memory to run beside it. Not noticed are memory
// that was mapped to be shared, that of a parent which waits for its child (vfork) while another of its
// threads does not, and what one process writes into another through /proc. Nothing here waits for the
// program (filter/filter.h, check_reading).
//
// A process is told of (kStageBorn) before its first call that is, unless a tracer does: then only what the
// filter denies comes here, and its items are always a hint. One thread; memory is bounded.
#pragma once

#include <linux/seccomp.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "kernel/call_ring.h"
#include "plan/plan.h"

namespace immure::run {

class CallWriter {
 public:
  // Until the program runs, an exec that names one of the plan's candidates is the start's own: its texts are
  // where the plan has them, in a copy of our memory that others may not read. Both outlive this.
  CallWriter(CallRing& ring, const Plan& plan) : ring_(ring), plan_(&plan) {}
  void started() { plan_ = nullptr; }

  // False: the ring is full, and room() becomes readable when it is no more; what waits is to wait on.
  bool ready();
  int room() const { return ring_.room(); }
  void heard_of_room() { ring_.heard_of_room(); }

  // A notification that waits at `listener`, after ready(). Passed over when it is valid no longer, or not
  // watched; whatever the filter denied is.
  void see(int listener, const seccomp_notif& call, bool denied);

 private:
  struct Place;  // where in the ring a record is being written
  void born(uint32_t pid, int listener, uint64_t call);
  bool is_alone(uint32_t thread, uint32_t& pid);
  static size_t at_first(const CaptureItem& item, const seccomp_data& call);
  void take_items(Place& place, const CaptureRow& row, const seccomp_notif& call);
  static void take_struct(Place& place, const CaptureItem& item, size_t i, const seccomp_data& call);
  void take_text(Place& place, const CaptureRow& row, size_t i, const seccomp_notif& call);
  void take_words(Place& place, const CaptureItem& item, size_t i, const seccomp_notif& call);
  void take_resolved(Place& place, const CaptureRow& row, const CaptureItem& item, std::string_view path,
                     const seccomp_notif& call);
  bool take_own_exec(Place& place, const seccomp_notif& call);
  static bool read_to_end(uint32_t thread, uint64_t from, std::span<char> text, size_t& length);

  CallRing& ring_;
  const Plan* plan_;
  // Who called last, so that none is looked up for each of its calls.
  struct Alone {
    uint32_t thread = 0;
    UniqueFd tasks;
  };
  std::array<Alone, 8> alone_;
  bool shares_memory_ = false;  // some process was made with its parent's memory, and is no thread of it
};

}  // namespace immure::run

// The other end of --watch, as the supervisor has it: the ring that it writes calls into, and the link to the
// process that reads them (kernel/watch_link.h). immure-full has made both and started the watcher before it
// became this program. A jail whose watcher has gone ends: nobody would see what it does.
#pragma once

#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/call_ring.h"
#include "kernel/watch_link.h"
#include "plan/plan.h"
#include "run/call_writer.h"
#include "spec/jail_spec.h"

namespace immure::run {

// The descriptors as immure-full hands them over; none: the jail is not watched.
struct WatchDescriptors {
  int memory = -1, written = -1, room = -1, link = -1;
  bool given() const { return link >= 0; }
};

class Watcher {
 public:
  // Takes the descriptors. Says in `spec` which calls the filter is to send.
  static Result<Watcher> open(const WatchDescriptors& fds, JailSpec& spec);

  // Who is about to run. Waits until the watcher is ready. Errors: it refuses, with its reason; it has gone;
  // it does not answer.
  Status begin(int init, int pidfd, std::string_view name);
  void runs(int program);
  // Of a plan whose calls come here; null: they go elsewhere.
  CallWriter* writer(const Plan& plan);
  void started();

  // Readable: the watcher has gone.
  int link() const { return link_.get(); }
  // What to say then.
  Error why_gone() const;

  // The jail has ended. Waits, a while, until all that was written down is where it shall last. An error: it
  // is not.
  Status end(int wait_status);

 private:
  CallRing ring_;
  UniqueFd link_;
  std::optional<CallWriter> writer_;
};

}  // namespace immure::run

// Starts a plan: groups, clone3, id maps, parent-side steps while pid 1 begins with its own, the gate, Go. Returns when the program runs, or with the
// reason why it does not; then nothing of it is left.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "child/child.h"
#include "plan/plan.h"
#include "run/denied.h"
#include "run/groups.h"
#include "run/watcher.h"
#include "spec/jail_spec.h"

namespace immure::run {

// The times of a start, CLOCK_MONOTONIC_RAW nanoseconds.
struct Timings {
  uint64_t started = 0, begun = 0, groups = 0, cloned = 0, mapped = 0, sources = 0, gate = 0, verified = 0, running = 0;
  std::vector<uint64_t> steps;   // of each step, when asked for
};

// A running jail. Move only. The destructor ends it: pid 1 is killed, and the kernel with it all the rest.
struct Launched {
  int init = -1;               // pid 1 of the jail, as the supervisor sees it: our child
  UniqueFd pidfd, wire;
  UniqueFd listener;           // seccomp notifications; none when not asked for
  UniqueFd terminal;           // master side; none without one
  UniqueFd proc;               // the jail's /proc
  UniqueFd socket_lists;       // tells what the jail's sockets hold (socket_sum.h); none where it need not be known
  UniqueFd census;             // one that hides nobody, to sum what its processes use; none when a group does
  // The kernel takes a network namespace apart in its own time, beside whoever waits for it. Held so that this begins
  // when the supervisor ends, and not while pid 1 does. None where the kernel does not give it (before 6.11).
  UniqueFd network;
  NamespaceIds namespaces{};   // as they were at the gate
  Groups groups;
  // What the parent's steps opened. Who closes a detached tree last waits for all processors: that is to be neither
  // the program nor pid 1 on their way, and so the supervisor keeps them until it has time.
  std::vector<UniqueFd> sources;
  std::string root_manifest;   // of this start's look through the root; empty: none to be kept
  Timings timings;

  Launched() = default;
  Launched(Launched&& other) noexcept;
  Launched& operator=(Launched&& other) noexcept;
  ~Launched();
  // Kills pid 1, closes the sources, the listener and the lists of sockets, waits for it; idempotent. Returns its wait
  // status.
  int end();
};

// What failed, with what is needed to say why: the step, and whether trying again with probed features may help.
struct LaunchFailure {
  Error error;
  bool retry = false;          // a call that this kernel or this host refuses
};

struct LaunchOptions {
  bool step_times = false;
  char* own_arguments = nullptr;   // wiped in pid 1
  uint64_t own_arguments_size = 0;
  Denied* denied = nullptr;        // of a plan that sends calls: the exec itself waits for its answer
  Watcher* watcher = nullptr;      // is told of the jail at the gate, and must be ready before Go
  std::string root_manifest;       // file of the manifest of an earlier look through the root
};

tl::expected<Launched, LaunchFailure> launch(const Plan& plan, const JailSpec& spec, const LaunchOptions& options);

uint64_t now_ns();

}  // namespace immure::run

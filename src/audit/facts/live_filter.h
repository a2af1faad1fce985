// The seccomp filters of a thread: taken by ptrace, and asked what they let through.
//
// Taking them needs CAP_SYS_ADMIN in the initial user namespace, a kernel with CONFIG_CHECKPOINT_RESTORE, and
// a thread that nobody traces. The thread is stopped (PTRACE_SEIZE, PTRACE_INTERRUPT) for as long as it takes
// to read, and let go as it was; a signal that comes meanwhile is delivered. Some calls that wait (epoll_wait
// and its like, signal(7)) give EINTR after such a stop, so threads in one of those are passed over where
// another of the same process is held by as many filters. It is done by a thread of its own: when the caller
// is killed, the kernel lets everything go. Source: ptrace(2), seccomp(2), kernel/seccomp.c.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "filter/filter.h"

namespace immure::audit {

struct FilterStack {
  std::vector<std::vector<sock_filter>> programs;
  std::string unknown;  // why they could not be read; empty: all are here
  bool operator==(const FilterStack& other) const;
};

struct Call {
  const char* name;
  std::array<uint64_t, 6> arguments = {};
};

// What the kernel does about a call: of all filters the strictest word counts. Pure. ALLOW without a program;
// KILL_PROCESS for a program that cannot be evaluated.
filter::Verdict verdict_of(const FilterStack& stack, filter::Arch arch, const Call& call);
// ALLOW and LOG let a call through. nullopt: the entry has no such call.
std::optional<bool> lets_through(const FilterStack& stack, filter::Arch arch, const Call& call);

struct FilterRequest {
  int tid = 0;
  int proc = -1;         // O_PATH of /proc/PID/task/TID: tells whether the number is still its own
  int filters = -1;      // as `status` says; -1: not shown
  bool waiting = false;  // in a call that a stop would end
};
// One for each request; `unknown` is filled for what could not be read.
std::vector<FilterStack> read_filters(std::span<const FilterRequest> requests);

// Is a thread in a call that a stop would end with EINTR? By /proc/PID/task/TID/syscall.
bool waits_in_fragile_call(int proc);

}  // namespace immure::audit

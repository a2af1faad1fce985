// Why the program could not start, and why it died, in words. Everything is looked up in the jail's root,
// which is hostile: openat2(RESOLVE_IN_ROOT) only, nothing but regular files is opened, little is read.
// Parent side; allocates.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"

namespace immure::run {

// ---- why it could not start ---------------------------------------------------------------------

// Who runs the program, and where: ids as this process sees them. The default is an identity that only
// "others" rights let in.
struct ExecContext {
  std::string cwd;  // inside; where relative paths begin. Empty: "/"
  uint32_t uid = ~0u, gid = ~0u;
};

// `jail_root`: the jail's root directory, O_PATH is enough (/proc/PID/root of a process that still waits in
// it); -1: not to be had, then only errno speaks. `candidates`: the paths that were tried, as the program's
// side sees them. The code is kNotFound (exit status 127) when no candidate exists, kNotExecutable (126) when
// one does.
Error explain_exec(const char* program, int err, int jail_root, std::span<const std::string> candidates,
                   const ExecContext& context = {});
// The same with what the plan knows.
Error explain_exec(const Plan& plan, int err, int jail_root);

// ---- how it ended -------------------------------------------------------------------------------

enum class EndedBy : uint8_t { Itself, MemoryLimit, PidsLimit, WallTime, CpuTime, Supervisor };

// 0: not known, or no such limit.
struct DeathFacts {
  int wait_status = 0;  // as wait(2) gives it
  EndedBy by = EndedBy::Itself;
  bool outside = false;  // pid 1 was killed, and nobody of immure's did it
  bool summed = false;  // limits were held by a supervisor that sums, not by a control group
  uint64_t memory_limit = 0, memory_peak = 0, oom_kills = 0;
  uint64_t sockets_unseen = 0;  // in no list of the kernel's: what they may hold was counted as held
  uint64_t pids_limit = 0, pids_refused = 0, pids_seen = 0;  // seen: summed, at the most
  uint64_t wall_limit_ns = 0, cpu_limit_ns = 0, kill_after_ns = 0;
  uint64_t file_size_limit = 0;
  std::string denied_call;  // "ptrace": what the filter denied last; empty: nothing, or not known
};

// Three lines like an error's, but it is the program's end, not immure's failure.
struct Note {
  std::string what, why, how;
};
// What deserves to be said; nothing for a program that ended by itself, whatever its status, or by a signal
// that people send on purpose (SIGHUP, SIGINT, SIGTERM, SIGPIPE), unless it came to the limit of processes.
std::vector<Note> explain_death(const DeathFacts& facts);
std::string format(const Note& note);  // "immure: what\n  why: …\n  how: …\n"

std::string signal_name(int number);  // "SIGSEGV", "SIGRTMIN+3", "signal 99"

}  // namespace immure::run

// What probes have in common: words for how they ended, and a look at canaries. Only in immure-probe.
#pragma once

#include "probes/probe.h"
#include "probes/yard.h"

namespace immure::probes {

// `where` is the call that was refused, errno (or `error`) how.
Attempt stopped(const char* where);
Attempt stopped(const char* where, int error);
[[gnu::format(printf, 1, 2)]] Attempt escaped(const char* proof, ...);
[[gnu::format(printf, 1, 2)]] Attempt exposed(const char* what, ...);
[[gnu::format(printf, 1, 2)]] Attempt not_applicable(const char* why, ...);

// The classic shape: a call with an argument that the kernel looks at after the caller's rights. Stopped with
// EPERM, EACCES, ENOSYS; not applicable when the kernel lacks it is the control's word (ENOSYS there); else
// exposed.
Attempt door(const char* where, long result);

// Reads a canary's line: escaped with it, or stopped at "open" or "read"; ENOMSG when something else was
// there.
Attempt read_canary(int fd, const char* where);
Attempt read_canary_at(int folder, const char* path, const char* where);
// Up from the working directory as far as it goes, then the canary from there.
Attempt look_from_here(const Yard& yard);
// The file system outside is granted by plain path: a walk to it proves nothing.
bool is_granted(const Yard& yard);
Attempt granted();  // not applicable, with that sentence
// Whether this is the caller's own mount namespace.
bool in_callers_mounts(const Yard& yard);
// Like is_granted, but not where nothing stands between: in the caller's own mounts every walk reaches the outside.
bool nothing_to_walk_to(const Yard& yard);

// The first line or the whole of a small file, NUL-terminated, without the last newline; length, or -1 with
// errno.
long read_text(const char* path, char* buffer, size_t size);
// "SCRATCH/immure-probe-NAME-PID" in buffer; false: nothing is writable here.
bool scratch_path(const Yard& yard, const char* name, char* buffer, size_t size);
// Mounts to change that are nobody else's: a mount namespace of its own, made private. Where that is refused
// it is true in a jail all the same, whose mounts go with it; false, with errno, in the caller's own.
bool own_mounts(const Yard& yard);
// fork; the child runs `body` and its attempt comes back, killed after two seconds (ETIMEDOUT at "wait").
Attempt apart(Attempt (*body)(const Yard&, const Probe&), const Yard& yard, const Probe& row);

}  // namespace immure::probes

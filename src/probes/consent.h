// Who may do real damage, and where: probes with kExpendable run only in a machine whose administrator has
// said, on its kernel's command line, that it is thrown away. Asked for twice: by the host's side before it
// starts such a probe, and by immure-probe before it calls one. In both it is the kernel that answers. Since
// /proc/cmdline is out of sight in most jails, the host's side hands it on as standard input.
#pragma once

#include "probes/probe.h"

namespace immure::probes {

// What the command line allows, in rising order.
enum class Consent : uint8_t {
  None,
  Damage,  // what can be put right again
  End,     // what ends the machine, too
};
inline constexpr char kDamageWord[] = "immure.expendable", kEndWord[] = "immure.expendable=to-the-end";
inline constexpr char kOnlyExpendable[] = "only in a machine that may be destroyed";

// What a probe needs, and the word for it ("" for None).
Consent needed(const Probe& probe);
const char* word(Consent consent);

// Of a command line: a word of its own counts, outside of quotes. `line` ends with NUL.
Consent consent_in(const char* line);
// Of an open /proc/cmdline, read from its beginning. None for any other file, also one of procfs that the
// caller can fill (/proc/PID/environ): what a driver or the kernel registered has an inode of 0xf0000000 or
// more, what belongs to a process has a small one (fs/proc/generic.c).
Consent consent_at(int fd);

}  // namespace immure::probes

// The source `ebpf`: a program in the kernel on the tracepoints of calls and processes. It sees every call of
// the watched processes, on their way out, whichever entry they came by; it counts them, and writes down
// those of the level. It cannot make a call wait: what it has read of a caller's memory is marked where
// another thread could have changed it, and what the kernel holds itself (the file that was opened, the
// program that runs now, the other end of a socket) is read from there.
//
// Needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), the host's first pid namespace, and a kernel from 5.17 on
// that describes its types (CONFIG_DEBUG_INFO_BTF).
#pragma once

#include "watch/source.h"

namespace immure::watch {

extern const SourceKind kEbpfSource;

}  // namespace immure::watch

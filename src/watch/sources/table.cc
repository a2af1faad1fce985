#include "watch/sources/audit.h"
#include "watch/sources/ebpf.h"
#include "watch/sources/ptrace.h"

namespace immure::watch {

std::span<const SourceKind> source_kinds() {
  static const SourceKind kKinds[] = {kEbpfSource, kPtraceSource, kAuditSource};
  return kKinds;
}

}  // namespace immure::watch

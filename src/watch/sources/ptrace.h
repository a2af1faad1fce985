// The source `ptrace`: any process that may be traced, without other rights than that; full detail, with
// results. Every call stops its thread twice, in a jail that was started for it only those that are watched
// do. The end of a child of this very process is waited for by the source: its status is in the record
// (kStageEnded), and waitpid(2) does not find it.
#pragma once

#include "watch/source.h"

namespace immure::watch {

extern const SourceKind kPtraceSource;

}  // namespace immure::watch

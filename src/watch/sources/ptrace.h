// The source `ptrace`: any process that may be traced, without other rights than that; full detail, with
// results. Every call stops its thread twice, in a jail that was started for it only those that are watched
// do.
#pragma once

#include "watch/source.h"

namespace immure::watch {

extern const SourceKind kPtraceSource;

}  // namespace immure::watch

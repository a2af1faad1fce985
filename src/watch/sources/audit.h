// The source `audit`: the kernel's own audit, by rules for the calls of the level, in both word sizes, as
// narrow as whoever is watched cannot get out of. What it tells are the kernel's copies of what a call was
// given.
//
// It reads besides a daemon where there is one, which then has the same records in its log. Where there is
// none it is the daemon for as long as it runs: the kernel waits rather than lose a record, and what others
// asked audit for goes on to the kernel's log, as without a daemon.
#pragma once

#include "watch/source.h"

namespace immure::watch {

extern const SourceKind kAuditSource;

}  // namespace immure::watch

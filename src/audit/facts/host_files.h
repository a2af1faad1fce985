// How files of the host are read for an audit: with a bound, regular files only, and with the reason kept.
#pragma once

#include <string>

#include "audit/facts/host_state.h"
#include "base/result.h"

namespace immure::audit {

// Never waits: what is no regular file is Unread. ENOENT and ENOTDIR are Absent. A longer file is Unread.
Seen read_seen(const std::string& path, size_t limit);
// The same with every byte, for what has lines. Errors: kSystem with errno; no regular file: says so in its
// why.
Result<std::string> read_regular(const std::string& path, size_t limit);
// As read_seen of a file that gzip has packed; `limit` of what comes out.
Seen read_packed(const std::string& path, size_t limit);

// Is there a file at `path` below `prefix`, and who but root may change it or a folder that leads to it:
// owned by somebody else, or writable for group or others (a folder with the sticky bit is not)? Links are
// followed, at most 16.
bool look_at_chain(const std::string& prefix, const std::string& path, std::string& changeable,
                   std::string& why);

}  // namespace immure::audit

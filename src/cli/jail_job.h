// A command in a jail of immure's, for verbs that have to see what it says: the smoke test of a root, a run
// that is watched. One at a time, waited for.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace immure::cli {

struct JailJob {
  int status = 0;      // as a shell shows it; 124: the time was over, 125: no jail could be made
  std::string output;  // both streams, the first 256 KiB; from a program, so not yet printable()
};

// `immure run OPTIONS… -- COMMAND…` with standard input from /dev/null and an environment as a service has
// it. `options` should bound the time. Errors: kSystem when immure cannot be started.
Result<JailJob> in_jail(const std::vector<std::string>& options, const std::vector<std::string>& command);
// The same for a command on the host, by its path. `most`: bytes of its output that are kept.
Result<JailJob> on_host(const std::vector<std::string>& command, size_t most = 256u << 10);

}  // namespace immure::cli

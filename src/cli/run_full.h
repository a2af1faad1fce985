// `immure run` when it takes more than the start binary knows: a page of help, a plan that is only shown,
// profiles in files, a filter in JSON. What was read is handed to the start binary, which then does the start
// itself.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "cli/verbs.h"
#include "cli/wanted.h"

namespace immure::cli {

Result<int> run(const Invocation& call);

// What starts the start binary with what was read: its path, `run` and the hidden words, without "--" and the
// command. The descriptors that the words name stay open across an exec.
struct HandedOver {
  std::vector<std::string> words;
  std::vector<UniqueFd> fds;
  int least = 3;  // a descriptor from here on is none of the program's (--fd, --pass-fd, --status-fd)
};
Result<HandedOver> handed_over(const Wanted& wanted);
// Into a scope of the user's systemd, where the limits need one and it can be had; see run/scope.h.
Status enter_scope(const JailSpec& spec);
// Becomes it. Only returns when it cannot.
Error become(const HandedOver& handed, const std::vector<std::string>& command, char** environment);

}  // namespace immure::cli

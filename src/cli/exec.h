// `immure exec NAME -- CMD`: one more program in a running jail, with the jail's namespaces, control groups, identity,
// privilege, limits, Landlock rules and filter, and never with more (S77).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "cli/jail_state.h"
#include "cli/verbs.h"
#include "input/options.h"

namespace immure::cli {

Result<int> exec(const Invocation& call);

// ---- the parts, for tests

// A process of the jail that is in all of its namespaces, by pidfd. pid 1 itself is not it: it has made the time
// namespace for its children only, and an ordinary user may not look at it.
Result<UniqueFd> open_door(const JailState& state);

// What the kernel shows of pid 1: identity, bounding set, limits. Errors: kNoJail when it has ended meanwhile.
Result<EnterFacts> facts_of(const JailState& state);

// The spec of a process that enters: what the jail was made from, and the words of this command line.
struct ExecRequest {
  std::string name;
  std::vector<std::string> command;
  std::vector<Word> words;   // --env, --pass-env, --cwd, --tty, --no-tty
  RunOptions run;
  bool help = false;
};
Result<ExecRequest> parse_exec(std::span<char* const> args, int first_index);
Result<JailSpec> spec_of(const JailState& state, const ExecRequest& request);

}  // namespace immure::cli

// `immure completion bash|zsh|fish`: a script for the shell, made from the tables of verbs and options, so that it
// cannot fall behind them. Names of profiles and of running jails are asked for when a key is pressed.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

Result<int> completion(const Invocation& call);

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

}  // namespace immure::cli

// `immure explain`: what a run would do, step by step, without doing any of it; what the filter does with a call;
// what an error code or a term means.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/explain_syscall.h"
#include "cli/verbs.h"
#include "cli/wanted.h"
#include "plan/plan.h"

namespace immure::cli {

Result<int> explain(const Invocation& call);

// `run --dry-run`, and `explain` without a term. With `calls`, only what the filter does with them.
Result<int> explain_run(Parsed parsed, const std::vector<SyscallQuestion>& calls, char** environment);

// ---- the parts, for tests

struct Explained {
  JailSpec spec;
  Plan plan;
};
std::string explain_text(const Explained& what, bool colour);
std::string explain_json(const Explained& what);  // schema "immure.explain/1"

// What a step is about: its path, its number with a name, its limits. Never a value of the environment.
std::string step_object(const Plan& plan, const Step& step);

std::string namespace_names(uint64_t clone_flags);  // "user, mount, pid"
const char* name(Side side);                        // "parent", "pid1", "pid1-after-gate", "program"
std::vector<std::string_view> environment_names(const Plan& plan);

// An error code ("IMM-E010", "imm-e10", "E010") or a term of the glossary; empty: neither.
std::string explain_term(std::string_view word);
std::vector<std::string_view> glossary_terms();
// A layer's key, an option with a value and nothing behind it ("--memory"), or a key of a profile
// ("limits.memory", "need.seccomp", "weaken.ptrace"); empty: none of these.
std::string explain_option(std::string_view word);

}  // namespace immure::cli

// `immure inspect PID`: what holds a process, whoever started it. Everything is read from /proc and the
// control group's files; nothing is attached to, stopped or changed. What this caller may not read, and what
// the kernel does not show, is said to be so: an empty place never stands for "none".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "audit/facts/process_view.h"
#include "base/result.h"

namespace immure::cli {

// Arguments behind "inspect". Writes to standard output; the value is the exit status.
Result<int> inspect(std::span<char* const> args);

// "4711" or "self"; kUsage for anything else.
Result<int> parse_pid(std::string_view text);
// Of a running jail: the first child of its pid 1, which is immure's. kNoJail when there is none.
Result<int> program_of(std::string_view name);

// The parts, for tests.
std::string inspect_text(const audit::Inspection& process, bool colour);
std::string inspect_json(const audit::Inspection& process);  // schema "immure.inspect/1"

}  // namespace immure::cli

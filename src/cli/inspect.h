// `immure inspect PID`: what holds a process, whoever started it. Everything is read from /proc and the
// control group's files; nothing is attached to, stopped or changed. What this caller may not read, and what
// the kernel does not show, is said to be so: an empty place never stands for "none".
#pragma once

#include <span>
#include <string>

#include "audit/facts/process_view.h"
#include "base/result.h"

namespace immure::cli {

// Arguments behind "inspect". Writes to standard output; the value is the exit status.
Result<int> inspect(std::span<char* const> args);

// The parts, for tests.
std::string inspect_text(const audit::Inspection& process, bool colour);
std::string inspect_json(const audit::Inspection& process);  // schema "immure.inspect/1"

}  // namespace immure::cli

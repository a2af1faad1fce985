// A systemd service as somebody else's sandbox: its own settings for what the service may do, given to a transient unit
// that runs the probes. The service itself is not touched.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::prove {

// systemd-run with the settings of the unit, {} at its end. An error when systemctl does not know it, or is not there.
Result<std::vector<std::string>> unit_command(const std::string& unit);

// The part that is pure: of what `systemctl cat` prints the lines of [Service] that are about the sandbox, "KEY=VALUE",
// in order, continued lines joined. Nothing that systemd would do to the running service's own when the transient unit
// ends: its folders are only named as writable, RemoveIPC= is left out, and so is the name of a dynamic user.
// What is about starting, restarting and output is left out, and so is a value with
// a specifier, which would mean something else in another unit.
std::vector<std::string> sandbox_settings(std::string_view unit_text);

}  // namespace immure::prove

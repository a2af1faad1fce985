// Moves this process into a scope of the user's service manager, over its bus. libsystemd is loaded when it is asked for
// and need not be there. Source: org.freedesktop.systemd1(5), StartTransientUnit; systemd.resource-control(5), Delegate=.
#pragma once

#include "base/result.h"

namespace immure::run {

// Returns when this process is in a group of its own that is delegated to its user; the manager removes it when the last
// process has left. kLayer, with what was answered, when it cannot be had: nothing has changed then.
Status enter_systemd_scope();

}  // namespace immure::run

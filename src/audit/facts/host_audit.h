// The audit subsystem of the running kernel.
#pragma once

#include <optional>
#include <string>

namespace immure::audit {

// AUDIT_GET over netlink, answered within 200 ms or not at all: is it switched on? It needs
// CAP_AUDIT_CONTROL. nullopt: `why` says why. Source: include/uapi/linux/audit.h.
std::optional<bool> ask_audit(std::string& why);

}  // namespace immure::audit

// Names of the capabilities. The table ends at CAP_CHECKPOINT_RESTORE (Linux 5.9); a newer one is "cap_NN".
// Source: capabilities(7), include/uapi/linux/capability.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace immure {

inline constexpr unsigned kKnownCapabilities = 41;

std::span<const std::string_view> capability_names();  // "chown", …; index = number, without "cap_"
// "CAP_NET_ADMIN", "cap_net_admin", "net_admin", "NET_ADMIN" or a number up to 63.
std::optional<unsigned> capability_number(std::string_view name);
std::string capability_name(unsigned number);  // "cap_net_admin"; "cap_57" when it has no name
// "none", "all", "cap_chown cap_kill", or "all but cap_sys_admin" where that is shorter; `last` is the
// kernel's.
std::string capability_set(uint64_t set, unsigned last);

struct CapabilitySets {
  uint64_t effective = 0, permitted = 0, inheritable = 0;
};
// The caller's own, by capget(2), which fails only when something around the caller forbids it.
std::optional<CapabilitySets> own_capabilities();
// The highest number this kernel knows, found by asking for the bounding set's bits.
uint32_t highest_capability();

}  // namespace immure

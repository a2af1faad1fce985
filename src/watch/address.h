// Socket addresses, from the bytes that a caller has in its memory. text_of() is in event.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "watch/event.h"

namespace immure::watch {

// Of any bytes: what there are too few of is left out. The path is a view into `bytes`. Vsock has its context
// in the first four of Address::bytes and its port in the next, netlink its port id and groups.
Address address_in(std::span<const uint8_t> bytes);
// "inet", "unix", "netlink"; "family 99".
std::string family_name(uint16_t family);

}  // namespace immure::watch

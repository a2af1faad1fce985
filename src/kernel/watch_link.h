// What the supervisor of a jail and its watcher say to each other: messages of a fixed size over a
// SOCK_SEQPACKET pair. The records themselves go by the ring (call_ring.h).
//
//   supervisor                                     watcher
//   Starts (pid 1, its pidfd; at the gate)  ────→
//                                           ←────  Ready, or Refused with the reason: nothing has run yet
//   Runs (the program's pid)                ────→
//   Ended (wait status)                     ────→  reads what is left in the ring, writes it out
//                                           ←────  end of file
//
// End of file instead means that the other one was killed: the supervisor then ends the jail, the watcher
// reads what is left. Gone says the same of a watcher that has left somebody behind who writes out what is
// left.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/fd.h"

namespace immure {

enum class LinkKind : uint32_t { Starts, Ready, Refused, Runs, Ended, Gone };

struct LinkMessage {
  static constexpr size_t kMostText = 1024;
  LinkKind kind = LinkKind::Gone;
  int32_t pid = 0;     // Starts: pid 1; Runs: the program; as the sender numbers it
  int32_t status = 0;  // Ended: the program's wait status
  uint32_t length = 0;
  char text[kMostText] = {};  // Starts: the jail's name; Refused: what, why and how, a line each
  std::string_view said() const { return {text, length <= kMostText ? length : 0}; }
  void say(std::string_view what);  // cut where it is too long
};

// False: the other side has gone. `along`: a descriptor that goes with it; -1: none. Never a signal.
bool send_link(int link, const LinkMessage& message, int along = -1);
// False: end of file, or no message. Waits.
bool receive_link(int link, LinkMessage& message, UniqueFd* along = nullptr);

}  // namespace immure

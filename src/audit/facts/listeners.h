// Who listens at a socket that has a name: the kernel tells which sockets are bound to which file, and /proc
// who has a socket open. Of this network namespace, and as far as the caller may see: silence is no proof.
// Source: sock_diag(7), UNIX_DIAG_VFS; proc_pid_fd(5).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace immure::audit {

// Device and inode of a socket's file, as the kernel has them there: its own dev_t, and the lower half.
using SocketPlace = std::pair<uint32_t, uint32_t>;
SocketPlace socket_place(dev_t device, ino_t inode);

struct Holder {
  int pid = 0;
  std::string name;  // the process's own word
};

class Listeners {
 public:
  // Asks the kernel, and goes through the descriptors of all processes.
  static Listeners look();
  // The sockets alone, without who holds them.
  static Listeners look_at_names();

  bool serves(const SocketPlace& place) const { return bound_.contains(place); }
  // "pid 812 (dockerd), pid 1 (systemd)"; empty: nobody that is seen.
  std::string holders(const SocketPlace& place) const;

 private:
  std::map<SocketPlace, uint64_t> bound_;  // the socket's own inode
  std::map<uint64_t, std::vector<Holder>> holders_;
};

// Which processes have these sockets open, a few for each.
std::map<uint64_t, std::vector<Holder>> holders_of(const std::set<uint64_t>& sockets);
std::string holders_text(const std::vector<Holder>& holders);

}  // namespace immure::audit

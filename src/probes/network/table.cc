#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> loopback_servers();
std::span<const Probe> unix_sockets();
std::span<const Probe> sysv_ipc();
std::span<const Probe> posix_ipc();
std::span<const Probe> route_netlink();
std::span<const Probe> proc_net();
std::span<const Probe> interfaces();
std::span<const Probe> socket_families();
std::span<const Probe> rare_protocols();

std::span<const std::span<const Probe>> network_probes() {
  static const std::span<const Probe> kTechniques[] = {
      loopback_servers(), unix_sockets(), sysv_ipc(),        posix_ipc(),     route_netlink(),
      proc_net(),         interfaces(),   socket_families(), rare_protocols()};
  return kTechniques;
}

}  // namespace immure::probes

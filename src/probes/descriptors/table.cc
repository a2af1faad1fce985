#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder, and the descriptors of ../root/proc_walk.cc.
std::span<const Probe> leaked();
std::span<const Probe> more_rights();
std::span<const Probe> of_others();
std::span<const Probe> handles();
std::span<const Probe> proc_fd_walk();

std::span<const std::span<const Probe>> descriptor_probes() {
  static const std::span<const Probe> kTechniques[] = {leaked(), more_rights(), of_others(), handles(),
                                                       proc_fd_walk()};
  return kTechniques;
}

}  // namespace immure::probes

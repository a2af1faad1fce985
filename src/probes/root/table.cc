#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> second_chroot();
std::span<const Probe> chroot_with_help();
std::span<const Probe> walk_up();
std::span<const Probe> proc_walk();
std::span<const Probe> own_namespace();
std::span<const Probe> new_mounts();
std::span<const Probe> changed_mounts();
std::span<const Probe> mount_calls();
std::span<const Probe> root_device();

std::span<const std::span<const Probe>> root_probes() {
  static const std::span<const Probe> kTechniques[] = {
      second_chroot(), chroot_with_help(), walk_up(),     proc_walk(),   own_namespace(),
      new_mounts(),    changed_mounts(),   mount_calls(), root_device(),
  };
  return kTechniques;
}

}  // namespace immure::probes

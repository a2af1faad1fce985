#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> bpf_programs();
std::span<const Probe> control_groups();
std::span<const Probe> host_settings();
std::span<const Probe> kernel_files();
std::span<const Probe> key_calls();
std::span<const Probe> modules();
std::span<const Probe> perf_events();
std::span<const Probe> rings();
std::span<const Probe> seldom_calls();
std::span<const Probe> kernel_sysfs();
std::span<const Probe> tunables();

std::span<const std::span<const Probe>> kernel_probes() {
  static const std::span<const Probe> kTechniques[] = {
      modules(),      bpf_programs(), perf_events(),  rings(),        host_settings(), key_calls(),
      seldom_calls(), tunables(),     kernel_files(), kernel_sysfs(), control_groups()};
  return kTechniques;
}

}  // namespace immure::probes

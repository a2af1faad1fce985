#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> many_processes();
std::span<const Probe> much_memory();
std::span<const Probe> many_files_and_large();
std::span<const Probe> much_time();
std::span<const Probe> many_objects();

std::span<const std::span<const Probe>> resource_probes() {
  static const std::span<const Probe> kTechniques[] = {many_processes(), much_memory(),
                                                       many_files_and_large(), much_time(), many_objects()};
  return kTechniques;
}

}  // namespace immure::probes

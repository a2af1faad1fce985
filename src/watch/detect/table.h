// The rows of the table of detectors: each in a file of its own, or in one with its kin. Those that are made
// of steps alone are a detector and its steps.
#pragma once

#include <span>

#include "watch/detect/steps.h"

namespace immure::watch {

struct StepDetector {
  const Detector* detector;
  std::span<const Step> steps;
};
// `start` of a detector that is made of steps alone.
template <const Detector& detector, const auto& rows>
std::unique_ptr<Watching> start_steps(const Expected*) {
  return watch_steps(detector, rows);
}
// What each file has.
std::span<const StepDetector> root_detectors();         // roots, mounts, namespaces
std::span<const StepDetector> process_detectors();      // other processes
std::span<const StepDetector> right_detectors();        // ids, capabilities, keys
std::span<const StepDetector> kernel_call_detectors();  // calls into the kernel
std::span<const StepDetector> kernel_file_detectors();  // its files in /proc and /sys
std::span<const StepDetector> device_detectors();       // devices and terminals
std::span<const StepDetector> network_detectors();      // sockets, addresses, IPC
std::span<const StepDetector> file_detectors();         // files of the system, changes
std::span<const StepDetector> fact_detectors();         // what tells of the host
std::span<const StepDetector> execution_detectors();    // what is executed, entries, filters
std::span<const StepDetector> resource_detectors();     // limits that were met
// Those that are classes of their own.
std::span<const Detector* const> chain_detectors();

}  // namespace immure::watch

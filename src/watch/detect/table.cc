#include "watch/detect/table.h"

#include <cstring>

#include "watch/detect/chains.h"

namespace immure::watch {
namespace {

constexpr std::span<const StepDetector> (*kGroups[])() = {
    root_detectors,        process_detectors,   right_detectors,   kernel_call_detectors,
    kernel_file_detectors, device_detectors,    network_detectors, file_detectors,
    fact_detectors,        execution_detectors, resource_detectors};
constexpr const Detector* kChains[] = {
    &kChangeRoot,  &kWalkUp,    &kDescriptors,   &kDeniedSeries, &kManyFacts,  &kScans,
    &kManyObjects, &kForkStorm, &kPrivilegeGain, &kServerShell,  &kMassChange, &kForgedTimes,
    &kMining,      &kRate,      &kNewPath,       &kNewHost,      &kNewProgram, &kRareSequence};

}  // namespace

std::span<const Detector* const> chain_detectors() { return kChains; }

std::span<const Detector* const> detectors() {
  static const std::vector<const Detector*> kAll = [] {
    std::vector<const Detector*> all(std::begin(kChains), std::end(kChains));
    for (auto group : kGroups)
      for (const StepDetector& one : group()) all.push_back(one.detector);
    return all;
  }();
  return kAll;
}

std::span<const Detector* const> baseline_detectors() {
  static constexpr const Detector* kAll[] = {&kNewPath, &kNewHost, &kNewProgram, &kRareSequence};
  return kAll;
}

const Detector* find_detector(std::string_view id) {
  for (const Detector* detector : detectors())
    if (id == detector->id) return detector;
  return nullptr;
}

std::span<const Step> steps_of(const Detector& detector) {
  for (auto group : kGroups)
    for (const StepDetector& one : group())
      if (one.detector == &detector) return one.steps;
  return {};
}

bool names(const Detector& detector, std::string_view technique) {
  std::string_view rest = detector.techniques;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (fits(technique, rest.substr(0, end))) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

}  // namespace immure::watch

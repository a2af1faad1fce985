// The detectors that are more than rows of steps. For the files below detect/ alone.
#pragma once

#include "watch/detect/steps.h"

namespace immure::watch {

extern const Detector kChangeRoot;     // chroot.cc
extern const Detector kWalkUp;         // walk.cc
extern const Detector kDescriptors;    // descriptors.cc
extern const Detector kDeniedSeries;   // series.cc
extern const Detector kManyFacts;      // series.cc
extern const Detector kScans;          // series.cc
extern const Detector kManyObjects;    // objects.cc
extern const Detector kForkStorm;      // objects.cc
extern const Detector kPrivilegeGain;  // gain.cc
extern const Detector kServerShell;    // gain.cc
extern const Detector kMassChange;     // ransom.cc
extern const Detector kForgedTimes;    // ransom.cc
extern const Detector kMining;         // mining.cc
extern const Detector kRate;           // baseline.cc
extern const Detector kNewPath;        // baseline.cc
extern const Detector kNewHost;        // baseline.cc
extern const Detector kNewProgram;     // baseline.cc
extern const Detector kRareSequence;   // sequences.cc

}  // namespace immure::watch

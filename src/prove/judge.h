// From what was seen inside and at the control to a verdict. Pure.
#pragma once

#include <string>

#include "prove/observe.h"

namespace immure::prove {

enum class Verdict : uint8_t { Blocked, Escaped, Exposed, NotApplicable, Inconclusive };
inline constexpr int kVerdictCount = static_cast<int>(Verdict::Inconclusive) + 1;
const char* key(Verdict verdict);  // "not-applicable"

struct Judged {
  const probes::Probe* probe = nullptr;
  Verdict verdict = Verdict::Inconclusive;
  std::string by;       // what stopped it: "EPERM at chroot", "SIGSYS", "all ended by SIGKILL"
  uint32_t layers = 0;  // of immure's jail, that stopped it; 0: not known (somebody else's sandbox)
  std::string why;      // the proof, the reason why it is not applicable or inconclusive
  Observation inside, control;
};

// `as_root`: the battery's caller is root, to whom a control refuses nothing for lack of rights, but for what
// is known of hosts (prove/refusals.h).
Judged judge(const probes::Probe& probe, Observation inside, Observation control, bool as_root);
// "EPERM at chroot"; what ended an attempt that did not succeed.
std::string ended_by(const Observation& seen);

}  // namespace immure::prove

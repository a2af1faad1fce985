// Why a step of the set-up failed, and what to do: a table from {operation, errno, circumstance} to two
// sentences. The step's own text names the object, the plan's origin the word that asked for it. Parent side,
// after the failure; allocates.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "kernel/probe.h"
#include "plan/plan.h"
#include "spec/jail_spec.h"

namespace immure::run {

// What a row may depend on, besides the step.
struct HintFacts {
  Surroundings around;
  bool apparmor = false;  // among the active security modules
};
HintFacts observe_hint_facts();  // reads /proc and /sys

enum class When : uint8_t {
  Always,
  Unprivileged,      // the caller has no CAP_SYS_ADMIN
  UnderFilter,       // the caller runs under a seccomp filter already
  Container,         // its surroundings look like a container's
  UserNsRestricted,  // AppArmor, in user namespaces that users make
  AppArmor,
  Chrooted,
  ProcMasked,
  Asked,    // a word of the caller stands behind the step
  Overlay,  // the object is an overlay
  Proc,     // the object is procfs
};

// In the texts: %s and %t are the step's texts, %o what its descriptor is of, %x and %y its numbers, %n
// namespaces of %x, %r the resource %x, %c the call.
struct HintRow {
  bool any;  // of any operation; `op` is not looked at
  Op op;
  int err;
  When when;
  Code code;
  const char* why;
  const char* how;
};
std::span<const HintRow> hint_rows();  // the first that fits counts
const char* step_sentence(Op op);      // what could not be done

Error explain_step(const Plan& plan, const JailSpec& spec, uint32_t step_index, int err,
                   const HintFacts& facts);
Error explain_step(const Plan& plan, const JailSpec& spec, uint32_t step_index, int err);

// The clone that makes pid 1 of the jail with its namespaces.
Error explain_clone(const Plan& plan, int err, const HintFacts& facts);
Error explain_clone(const Plan& plan, int err);

}  // namespace immure::run

// What of the kernel has led out of jails. Pure data.
#pragma once

#include <span>

namespace immure::audit {

struct KernelFault {
  const char* cve;
  const char* what;
  const char* since;  // the first version that has it
  const char* fixed;  // the first version of kernel.org's main line without it
  const char* fixes;  // in the branches: the first versions without it, between blanks
  // Who showed that it gives root. With one, all versions are those of the record that kernel.org itself
  // keeps of the number, in which a branch that is not named has the fault.
  const char* shown_by = nullptr;
};

// Faults that led from a plain user or from a container to root of the host.
std::span<const KernelFault> kernel_faults();
// The state of knowledge: what came later is not in it. "August 2026"
extern const char* const kKernelFaultsOf;

}  // namespace immure::audit

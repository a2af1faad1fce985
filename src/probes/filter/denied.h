// A call that tight filters deny and that every program may make where none does: add_key with nothing. A
// kernel that gets to see it says EFAULT.
#pragma once

#include "probes/probe.h"

namespace immure::probes {

inline constexpr int kDeniedCall = 248;  // add_key
inline constexpr int kDeniedCall32 = 286;

long call_denied();  // as syscall(2) does
// What came of it, told as an error (EFAULT, EPERM…): stopped unless the kernel's own answer came.
Attempt judge_denied(const char* where, int error);

}  // namespace immure::probes

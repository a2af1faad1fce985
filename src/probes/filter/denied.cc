#include "probes/filter/denied.h"

#include <unistd.h>

#include <cerrno>

#include "probes/inside.h"

namespace immure::probes {

long call_denied() { return syscall(kDeniedCall, nullptr, nullptr, nullptr, 0UL, 0); }

Attempt judge_denied(const char* where, int error) {
  if (error == EFAULT) return exposed("%s: the kernel answers a call that filters deny", where);
  return stopped(where, error);
}

}  // namespace immure::probes

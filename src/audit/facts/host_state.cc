#include "audit/facts/host_state.h"

#include <sys/utsname.h>

namespace immure::audit {

HostState look_at_host() {
  HostState host;
  utsname name{};
  if (uname(&name) == 0) host.kernel = name.release;
  return host;
}

}  // namespace immure::audit

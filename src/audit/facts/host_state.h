// The machine's own settings, as far as a jail leans on them.
#pragma once

#include <string>

namespace immure::audit {

struct HostState {
  std::string kernel;  // "6.18.5"
};

HostState look_at_host();

}  // namespace immure::audit

// Protocols and file systems that few programs need, and that a call of an ordinary user brings into the
// kernel: whether they are built in, loaded, loadable, or kept out.
// Source: modprobe(8), modprobe.d(5); net/socket.c asks for net-pf-N, net/dccp and the like for
// net-pf-N-proto-P.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/facts/host_state.h"

namespace immure::audit {

// What the files say, as texts: the pure part.
struct ModuleTexts {
  std::string builtin;   // modules.builtin
  std::string dep;       // modules.dep
  std::string loaded;    // /proc/modules
  std::string modprobe;  // all of modprobe's configuration
};
std::vector<RareModule> rare_modules(const ModuleTexts& texts);

}  // namespace immure::audit

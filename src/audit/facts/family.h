// Who lives with a process: those of its pid namespace and of those below; where that is the host's, its own
// descendants alone. Read from /proc; a process that ends meanwhile is left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace immure::audit {

struct Relative {
  int pid = 0, parent = 0;  // as the caller numbers them
  int inside_pid = 0;       // as the jail numbers it; 0: as the caller does
  uint32_t uid = 0;         // effective
  std::string name;         // its own word
  bool top = false;         // its parent is none of them
};

// `pid_namespace`: inode of the process's own; 0: not known, then its descendants. At most kMostRelatives.
inline constexpr size_t kMostRelatives = 2000;
std::vector<Relative> family_of(int pid, uint64_t pid_namespace, bool is_hosts);

}  // namespace immure::audit

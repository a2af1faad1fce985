// What is known of what is audited. Each part is gathered by one file of facts/, which does all the system
// calls; a part that is null was not looked at, and the rules about it are not asked.
#pragma once

#include <cstdint>

namespace immure::audit {

struct Tree;       // facts/tree.h: a directory that is, or shall be, a root
struct Live;       // facts/live.h: a running process and what holds it
struct HostState;  // facts/host_state.h: the machine's own settings
struct Described;  // facts/described.h: a jail as somebody's configuration describes it

struct Facts {
  const Tree* tree = nullptr;
  const Live* live = nullptr;
  const HostState* host = nullptr;
  const Described* described = nullptr;
  int64_t now = 0;  // seconds since the epoch, when gathering began
};

}  // namespace immure::audit

// Root of namespaces of its own, without a jail: for controls and replays, in a child that goes on as it.
#pragma once

namespace immure::prove {

// A mount namespace of its own with private mounts, and `more` (CLONE_NEW…); with `user_namespace` as the
// root of one, to which the caller's ids are mapped. Null; else what the kernel refused, with errno (static
// storage).
const char* become_root(bool user_namespace, int more = 0);

}  // namespace immure::prove

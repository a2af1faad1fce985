// `immure run --build -- CMD`: a root with what the command needs, made when there is none of just that
// content, and kept for the next time. Cached roots lie where no jail may write, not in a home that a jail
// may have been given.
#pragma once

#include <string>

#include "base/result.h"
#include "input/options.h"
#include "spec/jail_spec.h"

namespace immure::cli {

// Adds the word --root=… to the command line. Errors: as `immure build`; kUsage with --root beside it, or no
// command.
Status build_root(Parsed& parsed);

// Refuses (kUsage) what would let the command change cached roots, which others are then run in: a writable
// folder that holds them, or lies in them. Of all words, those of profiles too.
Status keeps_cached_roots(const JailSpec& spec);

// "/var/cache/immure/roots", as a user "/var/tmp/immure-roots-UID".
std::string cached_roots();

}  // namespace immure::cli

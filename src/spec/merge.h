// May a file that is not trusted say this? Compares two jails, field by field.
#pragma once

#include "base/result.h"
#include "spec/jail_spec.h"

namespace immure {

// Ok when `after` gives the program nothing that `before` does not give it. Reflexive and transitive. What
// cannot be compared (another root, another identity) counts as more, so a wrong answer is a refusal and
// never a grant. `defaults`: what the limits are that nobody set (spec/limits.h).
//
// Sources are compared as text. Host links could make a text that looks like a part of an older grant lead
// elsewhere, so a new bind of such a part must be `nofollow`.
//
// The error is kLoosens; it names the first thing that is more, and its origin in `after`.
Status only_narrows(const JailSpec& before, const JailSpec& after, const Limits& defaults);

// The part of it about grants: every path shows the same or less, with the same rights or fewer.
Status grants_only_narrow(const JailSpec& before, const JailSpec& after, const Limits& defaults);

// kLoosens, in the form that all of these checks use. `what` is "--net host".
tl::unexpected<Error> loosens(const std::string& what, std::string why, std::string origin);

}  // namespace immure

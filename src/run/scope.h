// A control group for who has none: the user's service manager gives one (a scope) to whoever asks.
#pragma once

#include <string_view>

#include "spec/jail_spec.h"

namespace immure::run {

// Whether it should be asked: a user's jail with a limit that was said, or with --need cgroup=require, on a host whose
// version 2 tree gives this caller no group that could hold it, while a bus of the user's is there. Looks at the groups of
// the caller; a jail with the default limits alone does not ask, since that takes longer than a start.
bool should_ask_for_scope(const JailSpec& spec);

// A group of a login or of the user's own manager. Who runs as a service of the system stays in its group: there its limits
// bind him, and who stops the service ends him.
bool is_of_users_slice(std::string_view group);

}  // namespace immure::run

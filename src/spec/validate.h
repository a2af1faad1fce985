// The parts of validate() that others use too.
#pragma once

#include <string_view>

#include "base/result.h"
#include "spec/jail_spec.h"

namespace immure {

bool valid_name(std::string_view text);      // a jail's: [A-Za-z0-9][A-Za-z0-9_.-]{0,63}
bool valid_hostname(std::string_view text);  // letters, digits and '-' in labels, 64 bytes
bool valid_env_name(std::string_view text);  // no '=', no blank, no control byte

// Targets, sources and how grants go together.
Status check_grants(const JailSpec& spec);
const char* flag(Grant::Kind kind);  // "--ro-bind"

}  // namespace immure

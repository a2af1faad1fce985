// What an audit came to, in every form that is asked for.
#pragma once

#include <string>
#include <vector>

#include "audit/rule.h"

namespace immure::audit {

// What was audited, for the head of a report.
struct Target {
  std::string kind;                // "root", "process", "host", "bwrap", "unit", …
  std::string name;                // "/srv/jail", "4711 (nginx)", as the user said it
  std::string caller;              // "root", "tester (uid 1001)"
  std::string kernel;              // "6.18.5"
  std::vector<std::string> notes;  // what could not be looked at as a whole, one line each
};

struct Audit {
  Target target;
  Answers answers;
  int64_t milliseconds = 0;
};

}  // namespace immure::audit

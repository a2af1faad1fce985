// `immure audit --install-timer` and `--remove-timer`: two units of systemd that look again by the clock.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/audit_words.h"

namespace immure::cli {

// What the units are made of; pure from here.
struct TimerParts {
  std::string program;             // absolute
  std::vector<std::string> words;  // behind "audit": targets, and which rules
  std::string shown;               // "/srv/jail", for a person
  std::string state;               // folder of the last report, absolute
  std::string on_calendar;         // "daily"
  bool user = false;               // a unit of the caller's own systemd, without root's options
  bool processes = false;          // looks at processes or at the host: in their mount namespace, by ptrace
};
struct TimerUnits {
  std::string name;  // "immure-audit-srv-jail-1a2b3c4d": the same for the same words
  std::string service, timer;
};
TimerUnits timer_units(const TimerParts& parts);
// One word of ExecStart=: nothing in it is a specifier, a variable or an end of line to systemd.
std::string systemd_word(std::string_view text);

Result<int> install_timer(const AuditWish& wish);
Result<int> remove_timer(const AuditWish& wish);

}  // namespace immure::cli

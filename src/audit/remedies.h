// What mends a finding in the words of who starts the jail: a line of a unit, a place of an OCI
// configuration, a flag of bwrap. A rule's own fix and advice (rule.h) hold for all of them; these for one
// kind of jail alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "audit/audit.h"

namespace immure::audit {

// Whose words they are.
enum class Way : uint8_t { Unit, Oci, Bwrap, Sshd, Vsftpd, Profile };
inline constexpr int kWayCount = static_cast<int>(Way::Profile) + 1;

struct Remedy {
  const char* rule;
  Way way;
  // Unit: lines of [Service]; Oci: a program of jq, with $w for {value}, or for the place where there is
  // none; Bwrap: flags to add; Sshd, Vsftpd, Profile: lines. {value} and {where} are the finding's.
  const char* text;
  // False: it has to be thought about, or a name put in, before it is written: no command does it.
  bool as_it_is = true;
};
std::span<const Remedy> remedies();
// null: there is none of that kind.
const Remedy* remedy(const Rule& rule, Way way);

const char* key(Way way);          // "unit"
const char* way_title(Way way);    // "a unit"
std::string shown(const Remedy&);  // in one line

// What a finding's jail is described by; a process of a service counts for that. null: by nothing.
const Way* way_of(const Target& target);
// The command that writes the remedy where it belongs; empty: there is none, or it is not as it is.
std::string remedy_command(const Finding& finding, const Target& target);
// The same as words for a person: "in [Service]: NoNewPrivileges=yes"; empty: there is none.
std::string remedy_text(const Finding& finding, const Target& target);

}  // namespace immure::audit

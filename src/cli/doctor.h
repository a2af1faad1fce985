// `immure doctor`: what this host offers, found by trying; for each thing that is missing the cause and the
// one line that mends it; and whether the default jail can be made here in full.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/features.h"
#include "kernel/probe.h"
#include "plan/plan.h"

namespace immure::cli {

// Arguments behind "doctor". Writes to standard output. The value is the exit status: 0, or 1 when --ci is
// said and the default jail cannot be made in full.
Result<int> doctor(std::span<char* const> args);

// ---- the parts, for tests
// ------------------------------------------------------------------------------------

// Everything that was looked at; a value.
struct Checkup {
  std::string kernel, machine;  // "6.1.0-18-amd64", "x86_64"
  Features features;
  Host host;
  Surroundings around;
  struct Helper {
    std::string name, path;   // path empty: not found
    bool privileged = false;  // set-user-id or file capabilities: newuidmap works only so
  };
  std::vector<Helper> helpers;
  struct Sysctl {
    std::string name;
    std::optional<std::string> value;  // none: this kernel has no such knob, or it cannot be read
  };
  std::vector<Sysctl> sysctls;
  std::optional<Plan> plan;      // of the default jail
  std::optional<Error> refusal;  // why there is none
};
Checkup check_host();

enum class Verdict : uint8_t { Good, Note, Bad };
struct Finding {
  std::string_view section;
  std::string name;
  Verdict verdict = Verdict::Good;
  std::string value;     // what there is
  std::string why, how;  // of a Note or Bad
};
std::vector<Finding> findings(const Checkup& checkup);

// Every layer that is required is in force.
bool default_jail_in_full(const Checkup& checkup);

std::string doctor_text(const Checkup& checkup, bool colour);
std::string doctor_json(const Checkup& checkup);  // schema "immure.doctor/1"

}  // namespace immure::cli

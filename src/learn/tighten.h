// What a jail allows and a program was never seen to use. Pure.
#pragma once

#include <string>
#include <vector>

#include "learn/needs.h"
#include "spec/jail_spec.h"

namespace immure::learn {

struct Unused {
  std::string right;   // "bind /srv/data", "allow-syscall ptrace"
  std::string why;     // what was seen instead
  std::string origin;  // the word that gives it; "": the default
};

struct Tightening {
  std::vector<Unused> unused;
  std::vector<std::string> calls;  // allowed by the filter, and neither seen nor constant_calls(); sorted
  size_t calls_allowed = 0;
};
// kFilter when the filter of the words cannot be made; a filter of a file is not weighed.
Result<Tightening> tighten(const JailSpec& spec, const Needs& needs);

}  // namespace immure::learn

// What a command line of `run` comes to when everything that it names has been read: profiles, the project's
// file, the filter's file. `run`, `explain` and `--dry-run` begin here, so that they speak of the same jail.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "input/options.h"

namespace immure::cli {

struct Wanted {
  Parsed parsed;
  std::vector<Word> words;   // of profiles, then of the command line
  Jail jail;                 // the words applied; argv is the command; not validated
};

// The words, with what profiles say.
Result<Wanted> read_wanted(Parsed parsed);

// Compiles the filter of --seccomp FILE, or takes it from the cache: jail.spec.seccomp_program is then what a
// start would load. Nothing to do for the other filters.
Status read_filter(Jail& jail);

}  // namespace immure::cli

// What was asked of `immure learn`, read from its arguments.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/emit.h"

namespace immure::cli {

struct LearnWords {
  std::vector<std::string> run_options;  // of the jail, as they were said
  std::vector<std::string> command;
  std::vector<std::string> from, merge;  // files: traces, what was learned before
  std::vector<const learn::Emitter*> emit;
  std::string tighten;  // a profile
  std::string save, output, source;
  unsigned runs = 1;
  bool net = false, keep_writes = false, show = false, list = false, quiet = false, help = false;
};

// kUsage for what does not go together.
Result<LearnWords> read_learn_words(std::span<char* const> args);

// immure learn minimise PROFILE [--most N] [--time TIME] [--measure] [-o FILE] --smoke CMD…
struct MinimiseWords {
  std::string profile, output, time = "60s";
  std::vector<std::string> smoke;
  unsigned most = 400;
  bool calls = false, measure = false, quiet = false, help = false;
};
Result<MinimiseWords> read_minimise_words(std::span<char* const> args);

std::string learn_help();

}  // namespace immure::cli

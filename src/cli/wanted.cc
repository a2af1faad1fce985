#include "cli/wanted.h"

#include "cli/filter_cache.h"
#include "input/profile_files.h"

namespace immure::cli {

Result<Wanted> read_wanted(Parsed parsed) {
  Wanted wanted;
  auto words = words_of_files(parsed, ProfilePlaces::observe());
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  wanted.words = std::move(*words);
  wanted.words.insert(wanted.words.end(), parsed.words.begin(), parsed.words.end());
  for (const Word& word : wanted.words) IMMURE_TRY(apply(wanted.jail, word));
  wanted.jail.spec.argv = parsed.command;
  wanted.parsed = std::move(parsed);
  return wanted;
}

Status read_filter(Jail& jail) {
  JailSpec& spec = jail.spec;
  if (spec.seccomp.empty() || spec.seccomp == "none" || spec.seccomp == "strict") return {};
  auto program = compiled_filter(spec.seccomp, spec.caps_add);
  if (!program) {
    Error error = std::move(program.error());
    if (error.origin.empty()) error.origin = spec.origin_text(spec.set_by_word(Field::Seccomp));
    return tl::unexpected<Error>(std::move(error));
  }
  spec.seccomp_program = std::move(*program);
  return {};
}

}  // namespace immure::cli

// The one table of what can be said about a jail. A flag of the command line, a key of a profile, a line of
// --help and of the completion are all rows of it. Adding an option is adding a row and its setter.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/jail_spec.h"

namespace immure {

enum class Takes : uint8_t { Nothing, Value };
enum class Group : uint8_t { Roots, Files, Identity, Privilege, Limits, Program, Isolation, Output };

struct Jail {             // what words are applied to
  JailSpec spec;
  RunOptions run;
};

struct Option {
  std::string_view name;       // "ro-bind": --ro-bind on the command line, `ro-bind` in a profile
  Takes takes;
  bool repeats;                // a list in a profile; on the command line it may be said more than once
  Group group;
  std::string_view value;      // "SRC[:DST]"
  std::string_view help;       // one line
  Status (*apply)(Jail&, std::string_view value, OriginId origin);
};

std::span<const Option> options();
const Option* find_option(std::string_view name);
// "did you mean --ro-bind?" or empty.
std::string suggest_option(std::string_view name);

// A word: one option said once, and where. Profiles become words too, so all input takes one way.
struct Word {
  const Option* option;
  std::string value;
  std::string origin;
};

Status apply(Jail& jail, const Word& word);

// The arguments behind `run`: options, then "--" or the first word that is no option, then the command.
struct Parsed {
  std::vector<Word> words;
  std::vector<std::string> command;
  std::vector<std::string> profiles;    // --profile, in order
  int words_fd = -1;                    // words that immure-full has already read from files
  bool help = false, dry_run = false;
};
Result<Parsed> parse_arguments(std::span<char* const> arguments, int first_index);

// NUL-separated triples name, value, origin; the form in which words go from one program of immure to another.
std::string encode(std::span<const Word> words);
Result<std::vector<Word>> decode(std::string_view encoded);

}  // namespace immure

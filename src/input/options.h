// The one table of what can be said about a jail. A flag of the command line, a key of a profile, a line of
// --help and of the completion are all rows of it. Adding an option is adding a row and its setter.
//
// Values with several parts have ':' between them; "\:" is a colon that belongs to a path, "\\" a backslash.
// A relative path outside (DIR, SRC, FILE, PATH of --fd) is below the caller's working directory at the time
// the word is applied; a profile's reader has made it relative to the profile's folder before. A target that
// is not said is the source's own absolute path.
//
// The later word wins over a word of another source (a profile, what it extends, the command line). Within one
// source two words that contradict each other are an error which cites both.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/jail_spec.h"

namespace immure {

// Optional: a value only behind '='; alone it is "true". "false" takes it back.
enum class Takes : uint8_t { Nothing, Value, Optional };
enum class OptionGroup : uint8_t { Roots, Files, Identity, Privilege, Limits, Program, Isolation, Output };
// Where in a value a path of the outside stands, for the reader of profiles and for completion.
enum class Holds : uint8_t { Text, HostPath, HostPathFirst, NumberHostPath, Number, HostPathOrWord };

struct Jail {             // what words are applied to
  JailSpec spec;
  RunOptions run;
};

struct Option {
  std::string_view name;       // "ro-bind": --ro-bind on the command line, `ro-bind` in a profile
  Takes takes;
  bool repeats;                // a list in a profile; on the command line it may be said more than once
  OptionGroup group;
  std::string_view value;      // "SRC[:DST]"; one of a few words: "none|host"
  std::string_view help;       // one line
  // An option that takes nothing is given "" or "true", or "false" to take it back. Null: about this one
  // command line (--profile, --build, --dry-run, --help), so neither a word nor a key of a profile.
  Status (*apply)(Jail&, std::string_view value, OriginId origin);
  Holds holds = Holds::Text;
  bool common = false;         // has a line of its own in --help
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
// `first_index` is the place of the first of them on the whole command line, for the origins.
struct Parsed {
  std::vector<Word> words;
  std::vector<std::string> command;
  std::vector<std::string> profiles;    // --profile, in order
  int words_fd = -1;                    // words that immure-full has already read from files
  int seccomp_fd = -1;                  // the filter that it has compiled
  int ask_fd = -1;                      // its way to who is asked about denied calls (run/asker.h)
  std::array<int, 4> watch_fds = {-1, -1, -1, -1};  // what it shares with a watcher (run/watcher.h)
  bool help = false, dry_run = false, build = false;
};
Result<Parsed> parse_arguments(std::span<char* const> arguments, int first_index);

// NUL-separated triples name, value, origin; the form in which words go from one program of immure to another.
// A word that has a NUL in it makes the whole text undecodable: nothing can be smuggled in behind it.
std::string encode(std::span<const Word> words);
Result<std::vector<Word>> decode(std::string_view encoded);

// `immure run --help`: fits a screen of 80 columns.
std::string run_help();
std::string_view name(OptionGroup group);  // "Root", "Files" …

}  // namespace immure

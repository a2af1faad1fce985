// The table of verbs. A verb is a row: its name, its arguments in short, one line of help, and what runs it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::cli {

// How immure-full was called. Everything lives as long as the process.
struct Invocation {
  char** argv = nullptr;
  char** environment = nullptr;
  std::span<char* const> args;  // behind the verb
  int first_index = 2;          // the place of args[0] on the command line, for origins
};

// What completion offers behind a verb, besides its flags. Targets: jails and folders.
enum class Completes : uint8_t { Nothing, RunOptions, Jails, Targets, Profiles, Shells, Terms, Verbs, Demos };

struct Verb {
  std::string_view name;
  std::string_view arguments;   // "NAME [--signal SIG]"
  std::string_view help;        // one line
  std::string_view flags;       // of its own, with blanks between: "--json --signal"
  Completes completes;
  Result<int> (*run)(const Invocation&);  // the exit status
  std::string_view details = {};          // further lines of its page
  std::string_view file_flags = {};       // those of `flags` that a file follows
  std::string_view value_flags = {};      // those that something else follows
  bool beside = false;                    // in the overview on the line of the verb before
};

std::span<const Verb> verbs();
const Verb* find_verb(std::string_view name);

// `immure` alone and `immure help`: fits a screen of 80 columns.
std::string overview();
// Runs it, or shows its page when the first argument is --help.
Result<int> run_verb(const Verb& verb, const Invocation& call);

// `immure help VERB`.
Result<int> help(const Invocation& call);

// Text on standard output; an error when it cannot be written.
Status say(std::string_view text);

// Arguments that are only flags and words, as most verbs take them: "--json", "--signal TERM" or
// "--signal=TERM". kUsage for an unknown flag, with the nearest one.
struct Flags {
  struct Known {
    std::string_view name;      // "--signal"
    bool takes_value = false;
  };
  struct Said {
    std::string_view name, value;
  };
  std::span<const Known> known;
  std::string_view verb;
  std::vector<Said> said = {};
  std::vector<std::string_view> words = {};

  Status parse(std::span<char* const> args);
  bool has(std::string_view name) const;
  std::string_view value(std::string_view name, std::string_view otherwise = {}) const;  // the last one said
};

}  // namespace immure::cli

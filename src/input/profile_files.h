// Profiles as files: where they are, whether they can be trusted, what they extend, and how they go together
// with the command line. Asks the file system and the environment; only in immure-full.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "input/options.h"

namespace immure {

// Where profiles are looked for. observe() asks the environment; tests make their own.
struct ProfilePlaces {
  std::vector<std::string> folders;  // in the order of precedence
  std::string project;               // the file that may only tighten
  std::string home;                  // "~/"
  std::string cwd;                   // relative names are below it
  uint32_t uid = 0;                  // files of another user than this one and root are refused

  static ProfilePlaces observe();
};

// NAME, or FILE when it has a '/' or ends with .toml or .json; with everything it extends. A profile that
// extends its own name means the next one behind it in the order: the user's `shell` the host's, that one the
// shipped one. Errors: kBadProfile; world-writable files and files of other users are refused.
Result<std::vector<Word>> read_profile(std::string_view name_or_file, const ProfilePlaces& places);

// All words that hold before those of the command line:
//   the profiles that it names, in order; without one, the file default.toml if there is one;
//   then the project's file, which may only tighten what profiles and command line give together (kLoosens),
//   unless the command line names that very file as a profile.
Result<std::vector<Word>> words_of_files(const Parsed& parsed, const ProfilePlaces& places);

// The file that --profile NAME reads; none: the shipped profile of that name, or nothing at all.
std::optional<std::string> profile_file_place(std::string_view name, const ProfilePlaces& places);

// Every name that --profile takes here, sorted; for completion and messages.
std::vector<std::string> profile_names(const ProfilePlaces& places);

}  // namespace immure

// What was asked of `immure build`, read from its arguments.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/collect.h"
#include "rootfs/manifest.h"

namespace immure::cli {

struct BuildWords {
  std::string target;                // the root to be
  std::vector<std::string> command;  // --for CMD…: what it is for
  std::vector<std::string> presets;
  rootfs::Wish wish;                        // programs, files, packages, families, users
  std::string source = "/";                 // --source: the tree that files are taken from
  std::string from;                         // --from: an image, an archive, a distribution
  std::string max_size, max_files, mirror;  // of --from
  bool allow_ended = false;                 // of --from: a distribution that gets no updates
  rootfs::CopyMode mode = rootfs::CopyMode::Auto;
  std::string profile_file;       // --write-profile
  std::string why, diff;          // questions
  std::vector<std::string> used;  // of --unused: files that tell what was opened
  bool tree = false, size = false, unused = false, list = false;
  bool sync = false, verify = false, trace = false, smoke = true, dry_run = false, replace = false,
       discard = false, json = false, help = false;
  std::vector<std::string> recipe;  // the words that decide what is in it, as a refresh reads them again

  bool asks() const { return tree || size || unused || !why.empty() || !diff.empty(); }
  bool names_content() const {
    return !command.empty() || !presets.empty() || !wish.programs.empty() || !wish.files.empty() ||
           !wish.packages.empty() || !wish.with.empty() || !from.empty();
  }
};

// kUsage with the argument's place. `first_index`: of args[0] on the command line.
Result<BuildWords> read_build_words(std::span<const std::string> args, int first_index);
Result<BuildWords> read_build_words(std::span<char* const> args, int first_index);
// The words of a manifest. kBadProfile when there is one among them that no build writes there: a refresh
// makes the same root again, and nothing else.
Result<BuildWords> read_recipe(const std::string& target, const std::vector<std::string>& recipe);
// A program's path as it is from everywhere; a name alone stays one.
std::string program_from_here(std::string_view word);

}  // namespace immure::cli

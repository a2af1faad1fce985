// `immure build`: words → what the root is to hold → the root, and what is to be said of it.
#pragma once

#include "cli/build_words.h"
#include "cli/verbs.h"
#include "rootfs/collect.h"
#include "rootfs/family.h"

namespace immure::cli {

Result<int> build(const Invocation& call);
std::string build_help();

// Makes the root and says what it holds; the exit status.
Result<int> make_root(const BuildWords& words);

// What a collection came from, and what presets say beside it.
struct GatheredRoot {
  rootfs::Collected collected;
  std::vector<rootfs::Preset> presets;  // those that were asked for
  std::vector<std::string> run_words;   // of `immure run`, of all presets
};
// Reads families and presets, watches the command when that was asked for, and collects.
Result<GatheredRoot> gather(const BuildWords& words, const rootfs::Source& source);

}  // namespace immure::cli

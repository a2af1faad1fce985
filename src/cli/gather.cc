#include <algorithm>

#include "base/path.h"
#include "base/text.h"
#include "cli/build.h"
#include "cli/build_trace.h"

namespace immure::cli {
namespace {

using rootfs::Because;
using rootfs::kNobody;
using rootfs::Preset;
using rootfs::Wish;

Result<const Preset*> find_preset(const std::vector<Preset>& all, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Preset& preset : all) {
    if (preset.name == name) return &preset;
    names.push_back(preset.name);
  }
  std::string_view meant = nearest(name, names);
  return fail(Code::kBadValue, "there is no preset " + quoted(name), {},
              meant.empty() ? "immure build --list has them" : "did you mean " + quoted(meant) + "?");
}

void take_preset(const Preset& preset, Wish& wish) {
  auto take = [&](const std::string& word, std::vector<Wish::Item>& items) {
    Wish::Item& item = items.emplace_back();
    item.word = word;
    item.reason = {Because::Preset, kNobody, preset.name};
    item.origin = preset.place;
  };
  for (const std::string& word : preset.programs) take(word, wish.programs);
  for (const std::string& word : preset.files) take(word, wish.files);
  wish.users.insert(wish.users.end(), preset.users.begin(), preset.users.end());
  wish.folders.insert(wish.folders.end(), preset.folders.begin(), preset.folders.end());
  wish.texts.insert(wish.texts.end(), preset.texts.begin(), preset.texts.end());
}

// What belongs to one run or one host alone is not taken: a loader's cache names every library of the host.
void take_seen(const std::vector<std::string>& opened, Wish& wish) {
  constexpr std::string_view kOfTheRun[] = {"/proc",
                                            "/sys",
                                            "/dev",
                                            "/tmp",
                                            "/run",
                                            "/etc/ld.so.cache",
                                            "/etc/ld.so.preload",
                                            "/etc/machine-id",
                                            "/etc/hostname",
                                            "/etc/shadow"};
  for (const std::string& path : opened) {
    bool own = std::any_of(std::begin(kOfTheRun), std::end(kOfTheRun),
                           [&](std::string_view folder) { return path_within(path, folder); });
    if (own || path == "/") continue;
    Wish::Item& item = wish.seen.emplace_back();
    item.word = path;
    item.reason.because = Because::Seen;
    item.origin = "--trace";
  }
}

// What brings the programs of a preset, when one of them is missing.
void name_packages(Error& error, const std::vector<Preset>& presets) {
  if (error.code != Code::kMissingSource && error.code != Code::kNotFound) return;
  for (const Preset& preset : presets)
    if (error.origin == preset.place && !preset.packages.empty())
      error.how = "install what it is made of: apt-get install " + join(preset.packages, " ");
}

}  // namespace

Result<GatheredRoot> gather(const BuildWords& words, const rootfs::Source& source) {
  auto families = rootfs::families();
  if (!families) return tl::unexpected<Error>(std::move(families.error()));
  GatheredRoot gathered;
  Wish wish = words.wish;
  if (!words.presets.empty()) {
    auto all = rootfs::presets();
    if (!all) return tl::unexpected<Error>(std::move(all.error()));
    // A preset may stand on others.
    std::vector<std::string> names = words.presets;
    for (size_t i = 0; i < names.size(); ++i) {
      auto preset = find_preset(*all, names[i]);
      if (!preset) return tl::unexpected<Error>(std::move(preset.error()));
      for (const std::string& with : (*preset)->with) {
        bool is_preset =
            std::any_of(all->begin(), all->end(), [&](const Preset& p) { return p.name == with; });
        std::vector<std::string>& list = is_preset ? names : wish.with;
        if (std::find(list.begin(), list.end(), with) == list.end()) list.push_back(with);
      }
      auto settled = rootfs::settled(**preset, source);
      if (!settled) return tl::unexpected<Error>(std::move(settled.error()));
      gathered.presets.push_back(std::move(*settled));
      gathered.run_words.insert(gathered.run_words.end(), gathered.presets.back().run.begin(),
                                gathered.presets.back().run.end());
    }
    for (const Preset& preset : gathered.presets) take_preset(preset, wish);
  }
  uint64_t missing = 0;
  if (words.trace) {
    auto opened = opened_by(words.command, {}, false);
    if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
    take_seen(opened->paths, wish);
    missing = opened->missing;
  }
  auto collected = rootfs::collect(wish, source, *families);
  if (!collected) {
    name_packages(collected.error(), gathered.presets);
    return tl::unexpected<Error>(std::move(collected.error()));
  }
  gathered.collected = std::move(*collected);
  if (missing != 0)
    gathered.collected.notes.push_back("of " + counted(missing, "call", "calls") +
                                       " --trace could not see what was opened: something may be missing");
  return gathered;
}

}  // namespace immure::cli

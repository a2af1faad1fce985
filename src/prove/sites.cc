#include "prove/sites.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "probes/planted.h"
#include "prove/foreign.h"

namespace immure::prove {
namespace {

using probes::Probe;

constexpr char kYardFolder[] = "{yard}", kDevice[] = "--dev";

// `--root DIR` and `--root=DIR` out of a run's options, for another one that takes its place.
std::vector<std::string> without(const std::string& option, const std::vector<std::string>& options) {
  std::vector<std::string> out;
  for (size_t i = 0; i < options.size(); ++i) {
    if (options[i] == option) {
      ++i;
    } else if (!options[i].starts_with(option + "=")) {
      out.push_back(options[i]);
    }
  }
  return out;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::string_view word : split(text, ' '))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

}  // namespace

bool has_hard_links(const Probe& probe) { return (probe.flags & probes::kHardLinks) != 0; }
bool is_planted(const Probe& probe) {
  return (probe.flags & (probes::kPlanted | probes::kPlantedByRoot)) != 0;
}

Site Sites::limited_jail(const std::vector<std::string>& options, const Probe& probe) const {
  const std::vector<std::string> limit = words_of(probe.limit);
  if (limit.empty()) return jail(options, probe);
  std::vector<std::string> limited = without(limit.front(), options);
  limited.insert(limited.end(), limit.begin(), limit.end());
  return jail(limited, probe);
}

Site Sites::jail(const std::vector<std::string>& options, const Probe& probe) const {
  Site site;
  site.planted = is_planted(probe);
  site.launcher = {trial_.immure, "run", "--json"};
  const std::vector<std::string> own = site.planted ? without("--root", options) : options;
  site.launcher.insert(site.launcher.end(), own.begin(), own.end());
  if (site.planted) {
    site.launcher.insert(site.launcher.end(), {"--root", yard_.root(has_hard_links(probe))});
  } else {
    site.launcher.insert(site.launcher.end(), {"--ro-bind", trial_.probe + ":" + probes::kProbeInRoot});
  }
  site.launcher.emplace_back("--");
  site.program = probes::kProbeInRoot;
  return site;
}

std::string Sites::missing_for_control(const Probe& probe) {
  if (probe.control.place != probes::Control::Place::Jail) return {};
  const std::vector<std::string> words = words_of(probe.control.words);
  for (size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == kDevice && access(words[i + 1].c_str(), F_OK) != 0)
      return "this host has no " + words[i + 1];
  return {};
}

Status Sites::prepare() {
  if (trial_.like_process == 0) return {};
  auto like = LikeProcess::of(trial_.like_process);
  if (!like) return tl::unexpected<Error>(like.error());
  like_ = std::move(*like);
  return {};
}

Site Sites::foreign(const Probe& probe) const {
  Site site;
  if (like_ != nullptr) {
    site.place = Place::Process;
    site.program = trial_.probe;
    site.like = like_;
    return site;
  }
  site.planted = is_planted(probe);
  site.program = has_planted_root() ? std::string(probes::kProbeInRoot) : trial_.probe;
  const std::pair<std::string_view, std::string> meanings[] = {
      {kPlantedRoot, yard_.root(has_hard_links(probe))}, {kProgramFile, trial_.probe}};
  if (has_planted_root()) site.locked_root = yard_.root(has_hard_links(probe));
  for (std::string word : trial_.against) {
    if (word == kProgramAndArgs) continue;
    if (word == kArgs) {
      site.program.clear();
      continue;
    }
    for (const auto& [name, meaning] : meanings)
      for (size_t at = 0; (at = word.find(name, at)) != std::string::npos; at += meaning.size())
        word.replace(at, name.size(), meaning);
    site.launcher.push_back(std::move(word));
  }
  return site;
}

Site Sites::control(const Probe& probe) const {
  Site site;
  site.planted = is_planted(probe);
  site.program = trial_.probe;
  switch (probe.control.place) {
    case probes::Control::Place::Bare:
    case probes::Control::Place::Namespaced:
      if (probe.control.place == probes::Control::Place::Namespaced) site.place = Place::Namespaced;
      // The planted things are where they are outside.
      if (site.planted) site.root = yard_.root(has_hard_links(probe));
      return site;
    case probes::Control::Place::Chroot:
      site.place = Place::Chroot;
      site.program = probes::kProbeInRoot;
      site.root = yard_.root(has_hard_links(probe));
      site.planted = true;
      return site;
    case probes::Control::Place::Jail: {
      std::vector<std::string> words = words_of(probe.control.words);
      for (std::string& word : words)
        if (size_t at = word.find(kYardFolder); at != std::string::npos)
          word.replace(at, std::size(kYardFolder) - 1, yard_.folder());
      return jail(words, probe);
    }
  }
  return site;
}

bool Sites::has_planted_root() const {
  return std::any_of(trial_.against.begin(), trial_.against.end(),
                     [](const std::string& word) { return word.find(kPlantedRoot) != std::string::npos; });
}

void add_to(std::vector<Job>& jobs, Site site, const Probe* probe, Seen* seen) {
  site.expendable = (probe->flags & probes::kExpendable) != 0;
  constexpr uint32_t kAlone = probes::kSolo | probes::kExpendable;
  if ((probe->flags & kAlone) == 0) {
    for (Job& job : jobs) {
      if (job.seen != seen || job.site != site || (job.probes.front()->flags & kAlone) != 0) continue;
      job.probes.push_back(probe);
      return;
    }
  }
  jobs.push_back({std::move(site), {probe}, seen});
}

}  // namespace immure::prove

#include "prove/trial.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "probes/planted.h"
#include "prove/interrupt.h"

namespace immure::prove {
namespace {

using probes::Probe;

bool is_planted(const Probe& probe) { return (probe.flags & (probes::kPlanted | probes::kPlantedByRoot)) != 0; }
bool has_hard_links(const Probe& probe) { return (probe.flags & probes::kHardLinks) != 0; }

// `--root DIR` and `--root=DIR` out of a run's options: the planted root takes its place.
std::vector<std::string> without_root(const std::vector<std::string>& options) {
  std::vector<std::string> out;
  for (size_t i = 0; i < options.size(); ++i) {
    if (options[i] == "--root") {
      ++i;
    } else if (!options[i].starts_with("--root=")) {
      out.push_back(options[i]);
    }
  }
  return out;
}

class Sites {
 public:
  Sites(const Trial& trial, const Yard& yard) : trial_(trial), yard_(yard) {}

  Site jail(const std::vector<std::string>& options, const Probe& probe) const {
    Site site;
    site.planted = is_planted(probe);
    site.launcher = {trial_.immure, "run", "--json"};
    const std::vector<std::string> own = site.planted ? without_root(options) : options;
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

  // Somebody else's sandbox. {} stands for the program; what the words behind it are is the template's business.
  Site foreign(const Probe& probe) const {
    Site site;
    site.planted = is_planted(probe);
    bool rooted = false;
    for (std::string word : trial_.against) {
      if (word == "{}") continue;
      for (size_t at; (at = word.find("{root}")) != std::string::npos;) {
        word.replace(at, 6, yard_.root(has_hard_links(probe)));
        rooted = true;
      }
      site.launcher.push_back(std::move(word));
    }
    site.program = rooted ? std::string(probes::kProbeInRoot) : trial_.probe;
    return site;
  }

  Site control(const Probe& probe) const {
    Site site;
    site.planted = is_planted(probe);
    site.program = trial_.probe;
    switch (probe.control.place) {
      case probes::Control::Place::Bare:
        return site;
      case probes::Control::Place::Namespaced:
        site.place = Place::Namespaced;
        return site;
      case probes::Control::Place::Chroot:
        site.place = Place::Chroot;
        site.program = probes::kProbeInRoot;
        site.root = yard_.root(has_hard_links(probe));
        site.planted = true;
        return site;
      case probes::Control::Place::Jail: {
        std::vector<std::string> words;
        for (std::string_view word : split(probe.control.words, ' '))
          if (!word.empty()) words.emplace_back(word);
        return jail(words, probe);
      }
    }
    return site;
  }

 private:
  const Trial& trial_;
  const Yard& yard_;
};

// Probes of the same place share a job; those that may end it have one of their own.
void add(std::vector<Job>& jobs, Site site, const Probe* probe, Seen* seen) {
  if ((probe->flags & probes::kSolo) == 0) {
    for (Job& job : jobs) {
      if (job.seen != seen || job.site != site || (job.probes.front()->flags & probes::kSolo) != 0) continue;
      job.probes.push_back(probe);
      return;
    }
  }
  jobs.push_back({std::move(site), {probe}, seen});
}

}  // namespace

int Verdicts::of(Verdict verdict) const {
  return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const Judged& one) { return one.verdict == verdict; }));
}

Result<Verdicts> run_trial(const Trial& trial) {
  const int64_t begin = now_ms();
  Interrupt interrupt;
  const bool as_root = geteuid() == 0, foreign = !trial.against.empty();
  Yard yard;
  IMMURE_TRY(yard.make(trial.probe));
  Sites sites(trial, yard);
  Seen inside, control;
  std::vector<Job> jobs;
  const bool rooted = std::any_of(trial.against.begin(), trial.against.end(),
                                  [](const std::string& word) { return word.find("{root}") != std::string::npos; });
  for (const Probe* probe : trial.probes) {
    Observation skipped;
    skipped.ending = Ending::Said;
    skipped.outcome = probes::Outcome::NotApplicable;
    if ((probe->flags & probes::kPlantedByRoot) != 0 && !as_root) skipped.text = "only root can plant it";
    if (foreign && is_planted(*probe) && !rooted) skipped.text = "the command names no {root} that could be planted";
    if (!skipped.text.empty()) {
      inside[probe] = skipped;
      continue;
    }
    add(jobs, foreign ? sites.foreign(*probe) : sites.jail(trial.run_options, *probe), probe, &inside);
    add(jobs, sites.control(*probe), probe, &control);
  }
  if (!run_jobs(yard, std::move(jobs), trial.at_once, {}))
    return fail(Code::kSystem, "interrupted: nothing is judged", "the canaries and the jails are gone again");
  Verdicts verdicts;
  for (const Probe* probe : trial.probes)
    verdicts.all.push_back(judge(*probe, std::move(inside[probe]), std::move(control[probe]), as_root));
  verdicts.milliseconds = now_ms() - begin;
  // A jail that never started holds nobody.
  auto started = [](const Judged& one) { return one.inside.ending != Ending::NotStarted; };
  if (!verdicts.all.empty() && std::none_of(verdicts.all.begin(), verdicts.all.end(), started))
    return fail(Code::kSystem, "nothing could be tried: the jail did not start", verdicts.all.front().inside.text,
                foreign ? "try the command by hand with /bin/true for {}" : "try the same options with: immure run … -- /bin/true");
  return verdicts;
}

}  // namespace immure::prove

#include "prove/trial.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "prove/interrupt.h"
#include "prove/sites.h"

namespace immure::prove {

using probes::Probe;
int Verdicts::of(Verdict verdict) const {
  return static_cast<int>(
      std::count_if(all.begin(), all.end(), [&](const Judged& one) { return one.verdict == verdict; }));
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
  for (const Probe* probe : trial.probes) {
    Observation skipped;
    skipped.ending = Ending::Said;
    skipped.outcome = probes::Outcome::NotApplicable;
    if ((probe->flags & probes::kPlantedByRoot) != 0 && !as_root) skipped.text = "only root can plant it";
    if (foreign && is_planted(*probe) && !sites.has_planted_root())
      skipped.text = "the command names no {root} that could be planted";
    if (!skipped.text.empty()) {
      inside[probe] = skipped;
      continue;
    }
    add_to(jobs, foreign ? sites.foreign(*probe) : sites.jail(trial.run_options, *probe), probe, &inside);
    add_to(jobs, sites.control(*probe), probe, &control);
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
    return fail(Code::kSystem, "nothing could be tried: the jail did not start",
                verdicts.all.front().inside.text,
                foreign ? "try the command by hand with /bin/true for {}"
                        : "try the same options with: immure run … -- /bin/true");
  return verdicts;
}

}  // namespace immure::prove

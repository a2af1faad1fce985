#include "prove/trial.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "prove/interrupt.h"
#include "prove/sites.h"

namespace immure::prove {

using probes::Probe;

namespace {

// By the jail's own record the filter, when that denied the call; else those of the other layers that stop
// it.
uint32_t stopping_layers(const Judged& judged) {
  if (judged.verdict != Verdict::Blocked) return 0;
  constexpr uint32_t kFilter = probes::by(Layer::Seccomp);
  if (judged.inside.denied) return kFilter;
  const uint32_t all = judged.probe->stopped_by & (judged.inside.layers == 0 ? ~0U : judged.inside.layers);
  return (all & ~kFilter) == 0 ? all : all & ~kFilter;
}

// Any of the planted root without hard links: whether a jail starts there is what is asked.
const Probe* a_planted_probe() {
  for (int i = 0; i < probes::kCategoryCount; ++i)
    for (auto rows : probes::groups(static_cast<probes::Category>(i)))
      for (const Probe& probe : rows)
        if (probe.flags == probes::kPlanted) return &probe;
  return nullptr;
}

// What a launcher leaves open, its terminal, and limits that a running process's own work would have to
// share.
bool is_about_start(const Probe& probe) {
  return probe.category == probes::Category::Descriptors ||
         (probe.flags & (probes::kTerminal | probes::kSolo)) != 0;
}

bool is_silent(const Judged& one) {
  switch (one.inside.ending) {
    case Ending::Said:
    case Ending::Killed: return false;
    case Ending::NotRun:
    case Ending::Hangs:
    case Ending::Lost:
    case Ending::EndedAll:
    case Ending::NotStarted: return one.verdict == Verdict::Inconclusive;
  }
  return true;
}

}  // namespace

int Verdicts::of(Verdict verdict) const {
  return static_cast<int>(
      std::count_if(all.begin(), all.end(), [&](const Judged& one) { return one.verdict == verdict; }));
}

Result<Verdicts> run_trial(const Trial& trial) {
  const int64_t begin = now_ms();
  Interrupt interrupt;
  const bool as_root = geteuid() == 0, foreign = !trial.against.empty() || trial.like_process != 0;
  Yard yard;
  IMMURE_TRY(yard.make(trial.probe));
  yard.set_amounts(foreign ? kMuch : kAboveLimits);
  Sites sites(trial, yard);
  IMMURE_TRY(sites.prepare());
  Seen inside, control, without_links;
  std::set<const Probe*> skipped;
  // Inside first, all controls afterwards: what a control reaches outside must not prove an escape from a
  // jail.
  std::vector<Job> jobs, controls;
  for (const Probe* probe : trial.probes) {
    std::string missing;
    if ((probe->flags & probes::kPlantedByRoot) != 0 && !as_root) missing = "only root can plant it";
    if (foreign && is_planted(*probe) && !sites.has_planted_root())
      missing = trial.like_process != 0 ? "nothing is planted in the root of a running process"
                                        : "the command names no {root} that could be planted";
    if (trial.like_process != 0 && is_about_start(*probe))
      missing = "it is about how a jail is started, and this one runs";
    if (std::string no = yard.damage().missing(*probe); !no.empty()) missing = std::move(no);
    if (!missing.empty()) {
      inside[probe] = {Ending::Said, probes::Outcome::NotApplicable, 0, 0, {}, missing};
      skipped.insert(probe);
      continue;
    }
    auto site_of = [&](const Probe& one) {
      return foreign ? sites.foreign(one) : sites.limited_jail(trial.run_options, one);
    };
    add_to(jobs, site_of(*probe), probe, &inside);
    if (std::string lacks = Sites::missing_for_control(*probe); !lacks.empty())
      control[probe] = {Ending::Said, probes::Outcome::NotApplicable, 0, 0, {}, lacks};
    else if ((probe->flags & probes::kFatal) == 0)
      add_to(controls, sites.control(*probe), probe, &control);
    if (has_hard_links(*probe) && without_links.empty()) {
      const Probe* plain = a_planted_probe();
      without_links[plain] = {};
      add_to(jobs, site_of(*plain), plain, &without_links);
    }
  }
  if (!run_jobs(yard, std::move(jobs), trial.at_once) || !run_jobs(yard, std::move(controls), trial.at_once))
    return fail(Code::kSystem, "interrupted: nothing is judged", "the canaries and the jails are gone again");
  // What came after its end was tried against nothing.
  if (!yard.witness().is_alive())
    return fail(Code::kSystem, "the witness outside was killed: nothing is judged",
                "by an attack that got out, by another process, or for lack of memory", "try it again");
  const bool starts_without_links =
      !without_links.empty() && without_links.begin()->second.ending == Ending::Said;
  Verdicts verdicts;
  for (const Probe* probe : trial.probes) {
    Observation& seen = inside[probe];
    seen.for_planted = seen.ending == Ending::NotStarted && has_hard_links(*probe) && starts_without_links;
    verdicts.all.push_back(judge(*probe, std::move(inside[probe]), std::move(control[probe]), as_root));
    if (!foreign) verdicts.all.back().layers = stopping_layers(verdicts.all.back());
  }
  verdicts.milliseconds = now_ms() - begin;
  // A jail that never started, or lets nobody speak, holds nobody.
  const Judged* refused = nullptr;
  for (const Judged& one : verdicts.all) {
    if (skipped.contains(one.probe)) continue;
    if (!is_silent(one)) return verdicts;
    if (refused == nullptr || one.inside.ending == Ending::NotStarted) refused = &one;
  }
  if (refused == nullptr) return verdicts;
  const bool never_started = refused->inside.ending == Ending::NotStarted;
  return fail(Code::kSystem,
              never_started ? "nothing could be tried: the jail did not start"
                            : "nothing could be tried: no attack said a word",
              refused->inside.text,
              foreign ? "try the command by hand with /bin/true for {}"
                      : "try the same options with: immure run … -- /bin/true");
}

}  // namespace immure::prove

#include "prove/ablation.h"

#include <unistd.h>

#include <algorithm>
#include <deque>

#include "prove/interrupt.h"
#include "prove/sites.h"
#include "spec/jail_spec.h"

namespace immure::prove {
namespace {

using probes::Probe;

// What --need KEY=off takes away. The frame's layers are refused by the option itself.
constexpr Layer kSwitchable[] = {
    Layer::UserNs,     Layer::NetNs,    Layer::IpcNs,   Layer::UtsNs,      Layer::CgroupNs,
    Layer::TimeNs,     Layer::Cgroup,   Layer::Rlimits, Layer::NoNewPrivs, Layer::Capabilities,
    Layer::Securebits, Layer::Landlock, Layer::Seccomp, Layer::Terminal,   Layer::Keyring,
};

// What each --weaken gives up, in the order of the enum.
constexpr const char* kProtections[] = {
    "ban on user namespaces",
    "ban on tracing",
    "ban on 32-bit calls",
    "masks in /proc",
    "ban on code in memory files",
    "ban on core dumps",
    "look for links",
    "overlay of the root",
    "noexec on /tmp",
    "identity of its own",
};
static_assert(std::size(kProtections) == kWeakenCount);

std::vector<Part> all_parts(bool as_root) {
  std::vector<Part> parts;
  for (Layer layer : kSwitchable) {
    // A user makes all the other namespaces by it.
    if (layer == Layer::UserNs && !as_root) continue;
    Part part{key(layer), {"--need", std::string(key(layer)) + "=off"}};
    part.layers = probes::by(layer);
    part.of_frame = layer == Layer::UserNs;  // without it nobody may be uid 0
    // The kernel takes rules and filters only from who can gain no privilege.
    if (layer == Layer::NoNewPrivs) {
      part.name = "no-new-privs, landlock, seccomp";
      part.words.insert(part.words.end(), {"--need", "landlock=off", "--need", "seccomp=off"});
    }
    parts.push_back(std::move(part));
  }
  for (int i = 0; i < kWeakenCount; ++i)
    parts.push_back({kProtections[i], {"--weaken", key(static_cast<Weaken>(i))}});
  parts.push_back({"uid other than 0", {"--user", "0", "--group", "0"}});
  return parts;
}

std::vector<std::string> with(std::vector<std::string> options, const Part& part) {
  for (size_t i = 0; i + 1 < part.words.size(); i += 2) {
    // Said once is enough.
    bool said = false;
    for (size_t j = 0; j + 1 < options.size(); ++j)
      said = said || (options[j] == part.words[i] && options[j + 1] == part.words[i + 1]);
    if (!said) options.insert(options.end(), {part.words[i], part.words[i + 1]});
  }
  return options;
}

// Would the first take the second away, too? So it does with itself.
bool takes_away(const Part& part, const Part& other) {
  return std::search(part.words.begin(), part.words.end(), other.words.begin(), other.words.end()) !=
         part.words.end();
}

bool is_alone(const Probe& probe) { return (probe.flags & probes::kSolo) != 0; }

bool is_limit(const Probe& probe) {
  return (probe.stopped_by & probes::by(Layer::Cgroup, Layer::Rlimits)) != 0;
}

Cell cell_of(const Seen& seen, const Probe* probe) {
  auto found = seen.find(probe);
  if (found == seen.end()) return Cell::Unknown;
  const Observation& one = found->second;
  switch (one.ending) {
    case Ending::Killed:
    case Ending::EndedAll: return Cell::Holds;
    case Ending::Said: break;
    case Ending::NotRun:
    case Ending::Hangs:
    case Ending::Lost:
    case Ending::NotStarted: return Cell::Unknown;
  }
  switch (one.outcome) {
    case probes::Outcome::Stopped: return Cell::Holds;
    case probes::Outcome::Escaped: return one.proven ? Cell::Open : Cell::Unknown;
    case probes::Outcome::Exposed: return Cell::Open;
    case probes::Outcome::NotApplicable: return Cell::Unknown;
  }
  return Cell::Unknown;
}

std::string refusal(const Seen& seen) {
  for (const auto& [probe, one] : seen)
    if (one.ending != Ending::NotStarted) return {};
  return seen.empty() ? std::string() : seen.begin()->second.text;
}

}  // namespace

int Ablated::depth() const {
  // What the frame holds, everything holds with it: of the others nothing is known then.
  if (frame == Cell::Holds) return 1;
  return static_cast<int>(std::count(only.begin(), only.end(), Cell::Holds));
}

bool Ablation::stops_nothing(size_t part) const {
  return std::none_of(attacks.begin(), attacks.end(), [&](const Ablated& one) {
    return one.is_carried_by(part) || (one.frame == Cell::Open && one.only[part] == Cell::Holds);
  });
}

Result<Ablation> run_ablation(const Trial& trial, const Verdicts& verdicts) {
  const int64_t begin = now_ms();
  Interrupt interrupt;
  Yard yard;
  IMMURE_TRY(yard.make(trial.probe));
  yard.set_amounts(kAboveLimits);
  Sites sites(trial, yard);
  Ablation ablation;
  ablation.parts = all_parts(geteuid() == 0);
  const size_t parts = ablation.parts.size();
  std::vector<std::string> open = trial.run_options;
  for (const Part& part : ablation.parts)
    if (!part.of_frame) open = with(std::move(open), part);

  // Without each part; with each part alone; with none.
  std::deque<Seen> seen(2 * parts + 1);
  std::vector<Job> jobs;
  for (const Judged& one : verdicts.all) {
    if (one.verdict != Verdict::Blocked) continue;
    if (is_alone(*one.probe) && !is_limit(*one.probe)) continue;
    ablation.attacks.emplace_back().probe = one.probe;
    for (size_t i = 0; i < parts; ++i) {
      // A jail for each of them takes its time: only with what is said to stop it.
      if (is_alone(*one.probe) && (ablation.parts[i].layers & one.probe->stopped_by) == 0) continue;
      add_to(jobs, sites.limited_jail(with(trial.run_options, ablation.parts[i]), *one.probe), one.probe,
             &seen[i]);
      if (ablation.parts[i].of_frame) continue;
      std::vector<std::string> alone = trial.run_options;
      for (const Part& other : ablation.parts)
        if (!other.of_frame && !takes_away(other, ablation.parts[i])) alone = with(std::move(alone), other);
      add_to(jobs, sites.limited_jail(alone, *one.probe), one.probe, &seen[parts + i]);
    }
    add_to(jobs, sites.limited_jail(open, *one.probe), one.probe, &seen[2 * parts]);
  }
  if (!run_jobs(yard, std::move(jobs), trial.at_once))
    return fail(Code::kSystem, "interrupted: the layers are not judged",
                "the canaries and the jails are gone again");
  for (Ablated& one : ablation.attacks) {
    one.frame = cell_of(seen[2 * parts], one.probe);
    for (size_t i = 0; i < parts; ++i) {
      one.without.push_back(cell_of(seen[i], one.probe));
      one.only.push_back(cell_of(seen[parts + i], one.probe));
    }
  }
  for (size_t i = 0; i < parts; ++i) ablation.refused.push_back(refusal(seen[i]));
  ablation.milliseconds = now_ms() - begin;
  return ablation;
}

}  // namespace immure::prove

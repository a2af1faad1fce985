#include "cli/audit_prove.h"

#include "base/text.h"
#include "cli/prove.h"
#include "cli/prove_words.h"
#include "prove/report.h"

namespace immure::cli {

audit::Battery battery_of(const prove::Verdicts& verdicts, std::string against) {
  audit::Battery out;
  out.against = std::move(against);
  out.attacks = verdicts.all.size();
  out.blocked = static_cast<size_t>(verdicts.of(prove::Verdict::Blocked));
  out.exposed = static_cast<size_t>(verdicts.of(prove::Verdict::Exposed));
  out.unsure = static_cast<size_t>(verdicts.of(prove::Verdict::Inconclusive));
  out.shows_something = prove::emptiness(verdicts).empty();
  for (const prove::Judged& one : verdicts.all)
    if (one.verdict == prove::Verdict::Exposed)
      out.exposed_ids.emplace_back(one.probe->id);
    else if (one.verdict == prove::Verdict::Escaped)
      out.escaped.push_back({one.probe->id, probes::key(one.probe->category), one.probe->technique, {}});
  return out;
}

Result<audit::Battery> run_battery(const Gathered& jail) {
  if (jail.against.empty() && jail.target.kind == "bwrap")
    return fail(Code::kUsage, "--prove has no place in this command for what it runs inside",
                "the last word of --bwrap is to be {}, which stands for the program",
                "immure audit --bwrap 'bwrap … {}' --prove, with {} in place of the program");
  if (jail.against.empty() && jail.run_options.empty())
    return fail(Code::kUsage, "--prove has nothing to attack",
                "what is audited is no jail that can be had here: " + jail.target.name,
                "audit a folder, a running jail or a process; or immure prove --against COMMAND");
  Wish wish;
  wish.against = jail.against;
  if (jail.against.empty()) wish.run_options = jail.run_options;
  auto trial = trial_of(wish);
  if (!trial) return tl::unexpected<Error>(std::move(trial.error()));
  auto verdicts = prove::run_trial(*trial);
  if (!verdicts) {
    Error& error = verdicts.error();
    if (error.why.find("immure-probe: No such file") != std::string::npos)
      error.how = "the sandbox does not have the probe: bind the folder of immure-probe into it, read-only";
    return tl::unexpected<Error>(std::move(error));
  }
  return battery_of(*verdicts,
                    jail.against.empty() ? "immure run " + join(wish.run_options, " ") : jail.against);
}

}  // namespace immure::cli

#include "cli/prove.h"

#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "cli/programs.h"
#include "cli/prove_words.h"
#include "cli/setting.h"
#include "prove/ablation.h"
#include "prove/baseline.h"
#include "prove/foreign.h"
#include "prove/report.h"
#include "prove/trial.h"

namespace immure::cli {
namespace {

using prove::Verdict;

constexpr std::string_view kHelp =
    "usage: immure prove [OPTION]… [option of immure run]…\n"
    "Attacks a throw-away clone of the jail that the options of run make, and says\n"
    "of each attack whether it was blocked, by what, and that it works without.\n"
    "  --against COMMAND   attack another sandbox instead; {} at its end is the\n"
    "                      program, {root} a root that immure made and planted; or\n"
    "                      one of: none chroot unshare bwrap nspawn docker[:IMAGE]\n"
    "                      podman[:IMAGE]; or unit NAME, as systemd holds a\n"
    "                      service; or pid N, a running process\n"
    "  --only WHAT         these attacks only: ids or categories, commas between;\n"
    "  --skip WHAT         without these; both may be said again\n"
    "  --ablate            and once more with each layer taken away in turn, and with\n"
    "                      each alone: which layers carry, how deep an attack is held\n"
    "  --sarif FILE  --junit FILE  --html FILE\n"
    "                      the report in that form as well; - is standard output\n"
    "  --baseline FILE     what got worse and what got better since FILE, which is an\n"
    "                      earlier --json\n"
    "  --list              the attacks; with --json with all that is known of them\n"
    "  --explain ID        what an attack is, where it comes from, what stops it\n"
    "  --json  --jsonl     one document, or one a line, on standard output\n"
    "  --colour  --no-colour\n"
    "Verdicts: blocked (and it succeeded in its control, without the protection),\n"
    "ESCAPED (with proof), EXPOSED (a dangerous interface answers), n/a (why), unsure\n"
    "(the control failed, too).\n"
    "Status: 0 nothing escaped, 1 something did, or nothing was blocked, or more was\n"
    "unsure than blocked; 125 nothing could be tried. With --baseline: 0 nothing got\n"
    "worse, 1 something did.\n";

constexpr uint64_t kMostPid = 1U << 22;  // PID_MAX_LIMIT of 64-bit kernels

prove::Subject subject_of(const Wish& wish) {
  prove::Subject subject;
  subject.kernel = kernel_release();
  subject.caller = caller_text();
  if (!wish.against.empty()) {
    subject.jail = wish.against;
  } else if (wish.run_options.empty()) {
    subject.jail = "the default jail";
  } else {
    subject.jail = "immure run " + join(wish.run_options, " ");
  }
  return subject;
}

Result<int> list(const Wish& wish) {
  auto chosen = choose(wish);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  IMMURE_TRY(say(wish.json ? prove::list_json(*chosen) : prove::list_text(*chosen)));
  return 0;
}

Result<std::optional<prove::Baseline>> baseline_of(const Wish& wish) {
  if (wish.baseline.empty()) return std::nullopt;
  auto text = read_file(wish.baseline);
  if (!text) {
    text.error().origin = "--baseline";
    return tl::unexpected<Error>(text.error());
  }
  auto baseline = prove::read_baseline(*text, wish.baseline);
  if (!baseline) return tl::unexpected<Error>(baseline.error());
  return std::optional(std::move(*baseline));
}

Status write_files(const Wish& wish, const prove::Verdicts& verdicts, const prove::Subject& subject,
                   std::string_view ablation) {
  if (!wish.sarif.empty()) IMMURE_TRY(write_report(wish.sarif, prove::report_sarif(verdicts, subject)));
  if (!wish.junit.empty()) IMMURE_TRY(write_report(wish.junit, prove::report_junit(verdicts, subject)));
  if (!wish.html.empty())
    IMMURE_TRY(write_report(wish.html, prove::report_html(verdicts, subject, ablation)));
  return {};
}

Result<int> attack(const Wish& wish) {
  IMMURE_TRY(check_report_files(wish));
  auto baseline = baseline_of(wish);
  if (!baseline) return tl::unexpected<Error>(baseline.error());
  auto trial = trial_of(wish);
  if (!trial) return tl::unexpected<Error>(trial.error());
  auto verdicts = prove::run_trial(*trial);
  if (!verdicts) return tl::unexpected<Error>(verdicts.error());
  const prove::Subject subject = subject_of(wish);
  if (wish.json) {
    IMMURE_TRY(say(prove::report_json(*verdicts, subject)));
  } else if (wish.jsonl) {
    IMMURE_TRY(say(prove::report_jsonl(*verdicts, subject)));
  } else if (!wish.has_document()) {
    IMMURE_TRY(say(prove::report_text(*verdicts, subject, wish.colour)));
  }
  std::string ablation_section;
  if (wish.ablate) {
    auto ablation = prove::run_ablation(*trial, *verdicts);
    if (!ablation) return tl::unexpected<Error>(ablation.error());
    IMMURE_TRY(tell(wish, prove::ablation_text(*ablation)));
    ablation_section = prove::ablation_section(*ablation);
  }
  IMMURE_TRY(write_files(wish, *verdicts, subject, ablation_section));
  const std::string empty = prove::emptiness(*verdicts);
  if (!*baseline) {
    if (!empty.empty() && wish.has_document()) IMMURE_TRY(tell(wish, empty + ".\n"));
    return verdicts->of(Verdict::Escaped) == 0 && empty.empty() ? 0 : 1;
  }
  const prove::Comparison comparison = prove::compare(**baseline, *verdicts, subject);
  IMMURE_TRY(tell(wish, prove::comparison_text(comparison, wish.baseline)));
  return comparison.worse.empty() ? 0 : 1;
}

}  // namespace

Result<prove::Trial> trial_of(const Wish& wish) {
  prove::Trial trial;
  if (!wish.against.empty()) {
    if (!wish.run_options.empty())
      return fail(Code::kUsage, "--against goes with no option of immure run",
                  quoted(wish.run_options.front()) + " is one", "put it into the command that is tried");
    if (wish.against.starts_with("pid ")) {
      auto pid = parse_u64(std::string_view(wish.against).substr(4));
      if (!pid || *pid == 0 || *pid > kMostPid)
        return fail(Code::kUsage, "--against " + quoted(wish.against) + " names no process", {},
                    "--against pid 4711");
      trial.like_process = static_cast<pid_t>(*pid);
    } else {
      auto words = prove::foreign_command(wish.against);
      if (!words) return tl::unexpected<Error>(words.error());
      trial.against = std::move(*words);
    }
  }
  auto chosen = choose(wish);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  trial.probes = std::move(*chosen);
  for (auto [place, name] : {std::pair{&trial.immure, "immure"}, std::pair{&trial.probe, "immure-probe"}}) {
    auto path = own_program(name);
    if (!path) return tl::unexpected<Error>(path.error());
    *place = std::move(*path);
  }
  trial.run_options = wish.run_options;
  return trial;
}

Result<int> prove(const Invocation& call) {
  auto wish = read_wish(call.args);
  if (!wish) return tl::unexpected<Error>(wish.error());
  if (wish->help) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  if (wish->list) return list(*wish);
  if (wish->explain.empty()) return attack(*wish);
  const probes::Probe* probe = probes::find(wish->explain.c_str());
  if (probe == nullptr) return no_such_attack(wish->explain);
  IMMURE_TRY(say(prove::explain_text(*probe)));
  return 0;
}

}  // namespace immure::cli

#include "cli/audit.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "audit/audit.h"
#include "audit/baseline.h"
#include "audit/pictures.h"
#include "audit/report.h"
#include "audit/suppress.h"
#include "base/text.h"
#include "cli/audit_prove.h"
#include "cli/audit_targets.h"
#include "cli/audit_text.h"
#include "cli/audit_words.h"
#include "cli/setting.h"
#include "input/toml.h"
#include "input/trusted_file.h"

namespace immure::cli {
namespace {

constexpr size_t kLongestBaseline = 256u << 20;
constexpr std::string_view kUsage =
    "usage: immure audit TARGET… [OPTION]…\n"
    "Says what is wrong with a jail that exists, whoever made it, how bad it is, and\n"
    "what mends it. Only --fix changes anything. Several targets are parts of a jail.\n";
constexpr std::string_view kOptions =
    "  -v, --verbose       evidence, reasons, every place, each point of the score\n"
    "  --only RULES        these rules only, commas between; --skip RULES: all others\n"
    "  --fail-on SEVERITY  status 1 from here on: critical, high, medium (when\n"
    "                      nothing is said), low, advice; never\n"
    "  --suppress FILE     findings that were accepted, with reason and last day\n"
    "  --baseline FILE     what got worse and what got better since FILE, which is an\n"
    "                      earlier --json\n"
    "  --prove             attack the same jail, as immure prove does; an escape is 0\n"
    "  --find-links        where else on the file system the files of the tree are\n"
    "  --sarif FILE  --junit FILE  --html FILE\n"
    "                      the report in that form as well; - is standard output\n"
    "  --json              one document on standard output\n"
    "  --list              the rules; with --json with all that is known of them\n"
    "  --explain RULE      what a rule is about, why, and what mends it\n"
    "  --colour  --no-colour\n"
    "Status: 0 nothing found, 1 something of medium severity or worse, an escape, or\n"
    "a jail of --all that cannot be looked at; 125 nothing could be looked at. With\n"
    "--baseline: 1 when something got worse.\n";

std::string help_text() {
  std::string out(kUsage);
  for (const TargetKind& one : target_kinds()) {
    std::string words(one.flag);
    if (!one.value.empty()) words += (words.empty() ? "" : " ") + std::string(one.value);
    out += "  " + words + std::string(words.size() < 18 ? 20 - words.size() : 1, ' ') +
           std::string(one.help) + "\n";
  }
  const size_t last = kOptions.rfind("Status:");
  return out + std::string(kOptions.substr(0, last)) + std::string(doing_help()) +
         std::string(kOptions.substr(last));
}

// They cost a walk through /proc, so only who draws them pays.
std::vector<audit::Picture> pictures_of(const audit::Inspection& process) {
  std::vector<audit::Picture> out;
  // Of a plain chroot no mount point is below its root.
  if (process.mounts && !process.mounts->empty()) out.push_back(audit::mount_picture(*process.mounts));
  for (const audit::NamespaceView& one : process.namespaces)
    if (one.kind == "pid")
      out.push_back(
          audit::process_picture(audit::family_of(process.pid, one.inode, one.whose == audit::Whose::Host)));
  return out;
}

audit::Audit ask(const AuditWish& wish, Gathered& jail, int64_t now) {
  audit::Audit out;
  const audit::Facts facts = jail.facts(now);
  out.asked = chosen_rules(wish, audit::askable(facts));
  out.answers = audit::ask(facts, out.asked);
  out.target = jail.target;
  if (!wish.html.empty() && jail.live) out.pictures = pictures_of(jail.live->process);
  return out;
}

Result<std::vector<audit::Suppression>> suppressions_of(const AuditWish& wish) {
  if (wish.suppress.empty()) return std::vector<audit::Suppression>();
  TrustedFile file{
      wish.suppress,
      wish.suppress,
      "file of suppressions",
      "--suppress",
      geteuid(),
      "write one: [[suppress]] with rule, where, reason and until; immure-audit(1) has an example"};
  auto text = read_trusted_file(file, kLongestProfile);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  return audit::read_suppressions(*text, wish.suppress);
}

Result<std::optional<audit::Baseline>> baseline_of(const AuditWish& wish) {
  if (wish.baseline.empty()) return std::nullopt;
  // Whoever writes it decides what counts as worse.
  TrustedFile file{wish.baseline, wish.baseline,
                   "baseline",    "--baseline",
                   geteuid(),     "make one: immure audit with the same words and --json >FILE"};
  auto text = read_trusted_file(file, kLongestBaseline);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  auto baseline = audit::read_baseline(*text, wish.baseline);
  if (!baseline) return tl::unexpected<Error>(std::move(baseline.error()));
  return std::optional(std::move(*baseline));
}

Status write_reports(const AuditWish& wish, const audit::Audits& audits) {
  if (wish.json) IMMURE_TRY(say(audit::report_json(audits)));
  if (!wish.has_document())
    IMMURE_TRY(say(audit_text(audits, {.colour = wish.colour, .verbose = wish.verbose})));
  if (!wish.sarif.empty()) IMMURE_TRY(write_report(wish.sarif, audit::report_sarif(audits)));
  if (!wish.junit.empty()) IMMURE_TRY(write_report(wish.junit, audit::report_junit(audits, wish.fail_on)));
  if (!wish.html.empty()) IMMURE_TRY(write_report(wish.html, audit::report_html(audits)));
  return {};
}

bool fails(const AuditWish& wish, const std::optional<audit::Severity>& worst) {
  return worst && *worst >= wish.fail_on && !wish.never_fail;
}

// What got worse counts from low on, unless somebody said from where.
bool fails(const AuditWish& wish, const audit::Comparison& comparison) {
  return std::any_of(comparison.worse.begin(), comparison.worse.end(),
                     [&](const audit::Change& one) { return !wish.fail_on_said || fails(wish, one.now); });
}

// In one line, with what to do about it.
std::string told(const Error& error) {
  std::string out = error.what;
  if (!error.why.empty()) out += ": " + error.why;
  return error.how.empty() ? out : out + ". " + error.how;
}

// A flag is a flag here; elsewhere a word that begins so is kept from being one.
std::string option_or_word(const std::string& word) {
  const bool plain = word.starts_with('-') && audit::shell_word("x" + word) == "x" + word;
  return plain ? word : audit::shell_word(word);
}

std::string host_name() {
  struct utsname names {};
  return uname(&names) == 0 ? names.nodename : "";
}

std::string date_text(int64_t now) {
  const auto seconds = static_cast<time_t>(now);
  struct tm parts {};
  char text[32] = "";
  if (gmtime_r(&seconds, &parts) != nullptr) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Result<audit::Audits> look(const AuditWish& wish) {
  const auto begin = std::chrono::steady_clock::now();
  const int64_t now = time(nullptr);
  auto suppressions = suppressions_of(wish);
  if (!suppressions) return tl::unexpected<Error>(std::move(suppressions.error()));
  audit::Audits out;
  auto jails = gather(wish, out.notes);
  if (!jails) return tl::unexpected<Error>(std::move(jails.error()));
  if (wish.prove && jails->size() != 1)
    return fail(Code::kUsage, "--prove attacks one jail", "--all names as many as there are",
                "immure audit --all for their numbers, then immure audit --pid N --prove");
  out.caller = caller_text();
  out.kernel = kernel_release();
  out.host = host_name();
  out.date = date_text(now);
  out.command = wish.command;
  for (Gathered& jail : *jails) out.all.push_back(ask(wish, jail, now));
  // A check that checks nothing is green for ever.
  if (!out.all.empty() &&
      std::all_of(out.all.begin(), out.all.end(), [](const audit::Audit& one) { return one.asked.empty(); }))
    return fail(Code::kUsage, "no rule is left to ask", "--only and --skip leave none that looks at this",
                "immure audit --list");
  for (std::string& note : audit::suppress(out.all, *suppressions, now)) out.notes.push_back(std::move(note));
  if (wish.prove) {
    audit::Audit& one = out.all.front();
    auto battery = run_battery(jails->front());
    // What was found by looking holds all the same.
    if (battery) {
      audit::foretell(*battery, one.answers.findings());
      one.battery = std::move(*battery);
    } else if (battery.error().code == Code::kUsage) {
      return tl::unexpected<Error>(std::move(battery.error()));
    } else {
      one.no_battery = told(battery.error());
    }
  }
  out.milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
  return out;
}

Result<int> report(const AuditWish& wish) {
  IMMURE_TRY(check_report_files(wish));
  auto baseline = baseline_of(wish);
  if (!baseline) return tl::unexpected<Error>(std::move(baseline.error()));
  auto audits = look(wish);
  if (!audits) return tl::unexpected<Error>(std::move(audits.error()));
  IMMURE_TRY(write_reports(wish, *audits));
  bool bad = false;
  for (const audit::Audit& one : audits->all) {
    bad = bad || (one.battery && !one.battery->escaped.empty());
    bad = bad || (!one.no_battery.empty() && !wish.never_fail);
    // Who makes every look wait is not better than who lets one find something.
    bad = bad || (one.target.unseen && !wish.never_fail);
  }
  if (!*baseline) return bad || fails(wish, audit::worst(*audits)) ? 1 : 0;
  const audit::Comparison comparison = audit::compare(**baseline, audit::as_baseline(*audits));
  IMMURE_TRY(tell(wish, audit::comparison_text(comparison, wish.baseline)));
  return bad || fails(wish, comparison) ? 1 : 0;
}

Result<int> list(const AuditWish& wish) {
  const std::vector<const audit::Rule*> rules = chosen_rules(wish, audit::all_rules());
  IMMURE_TRY(say(wish.json ? audit::list_json(rules) : audit::list_text(rules)));
  return 0;
}

}  // namespace

Result<int> audit(const Invocation& call) {
  auto wish = read_audit_wish(call.args);
  if (!wish) return tl::unexpected<Error>(std::move(wish.error()));
  wish->command = "immure audit";
  for (const std::string word : call.args) wish->command += " " + option_or_word(word);
  if (wish->help) {
    IMMURE_TRY(say(help_text()));
    return 0;
  }
  if (wish->list) return list(*wish);
  if (wish->any()) return do_audit(*wish, [&] { return look(*wish); });
  if (wish->explain.empty()) return report(*wish);
  auto rule = audit::rule_named(wish->explain);
  if (!rule) return tl::unexpected<Error>(std::move(rule.error()));
  IMMURE_TRY(say(audit::explain_text(**rule)));
  return 0;
}

}  // namespace immure::cli

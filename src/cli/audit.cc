#include "cli/audit.h"

#include <chrono>
#include <ctime>

#include "audit/audit.h"
#include "audit/report.h"
#include "cli/audit_targets.h"
#include "cli/audit_text.h"
#include "cli/audit_words.h"
#include "cli/setting.h"

namespace immure::cli {
namespace {

constexpr std::string_view kHelp =
    "usage: immure audit TARGET… [OPTION]…\n"
    "Says what is wrong with a jail that exists, whoever made it, how bad it is, and\n"
    "what mends it. Nothing is changed. Several targets are parts of one jail.\n";

audit::Audit ask(const AuditWish& wish, Gathered& jail, int64_t now) {
  audit::Audit out;
  const audit::Facts facts = jail.facts(now);
  out.asked = chosen_rules(wish, audit::askable(facts));
  out.answers = audit::ask(facts, out.asked);
  out.target = std::move(jail.target);
  return out;
}

Result<int> look(const AuditWish& wish) {
  IMMURE_TRY(check_report_files(wish));
  const auto begin = std::chrono::steady_clock::now();
  auto jails = gather(wish);
  if (!jails) return tl::unexpected<Error>(std::move(jails.error()));
  audit::Audits audits;
  audits.caller = caller_text();
  audits.kernel = kernel_release();
  for (Gathered& jail : *jails) audits.all.push_back(ask(wish, jail, time(nullptr)));
  audits.milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
  if (wish.json)
    IMMURE_TRY(say(audit::report_json(audits)));
  else if (!wish.has_document())
    IMMURE_TRY(say(audit_text(audits, {.colour = wish.colour, .verbose = wish.verbose})));
  const auto worst = audit::worst(audits);
  return worst && *worst >= wish.fail_on && !wish.never_fail ? 1 : 0;
}

}  // namespace

Result<int> audit(const Invocation& call) {
  auto wish = read_audit_wish(call.args);
  if (!wish) return tl::unexpected<Error>(std::move(wish.error()));
  if (wish->help) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  return look(*wish);
}

}  // namespace immure::cli

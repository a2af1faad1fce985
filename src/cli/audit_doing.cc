#include "cli/audit_doing.h"

#include "base/text.h"
#include "cli/audit_again.h"
#include "cli/audit_fix.h"
#include "cli/audit_timer.h"
#include "cli/audit_words.h"

namespace immure::cli {
namespace {

// A word, whether it was said, and the one without which it says nothing.
struct Needs {
  std::string_view word;
  bool said;
  std::string_view with;
  bool there;
};

tl::unexpected<Error> not_together(std::string_view one, std::string_view other) {
  return fail(Code::kUsage, std::string(one) + " and " + std::string(other) + " do not go together", {},
              "say one of them");
}

}  // namespace

Status check_doing(const AuditWish& wish) {
  const Needs needs[] = {
      {"--yes", wish.yes, "--fix", wish.fix},
      {"--journal", !wish.journal.empty(), "--fix", wish.fix},
      {"--while-running", wish.while_running, "--fix or --undo", wish.fix || !wish.undo.empty()},
      {"--every", !wish.every.empty(), "--watch", wish.watch},
      {"--print", wish.print, "--install-timer", wish.install_timer},
      {"--daily", wish.daily, "--install-timer", wish.install_timer},
      {"--weekly", wish.weekly, "--install-timer", wish.install_timer},
      {"--on-calendar", !wish.on_calendar.empty(), "--install-timer", wish.install_timer},
  };
  for (const Needs& one : needs)
    if (one.said && !one.there)
      return fail(Code::kUsage, std::string(one.word) + " says nothing without " + std::string(one.with), {},
                  "immure help audit");
  const Needs doings[] = {{"--fix", wish.fix, {}, {}},
                          {"--undo", !wish.undo.empty(), {}, {}},
                          {"--watch", wish.watch, {}, {}},
                          {"--changes", !wish.changes.empty(), {}, {}},
                          {"--install-timer", wish.install_timer, {}, {}},
                          {"--remove-timer", wish.remove_timer, {}, {}}};
  std::string_view doing;
  for (const Needs& one : doings) {
    if (!one.said) continue;
    if (!doing.empty()) return not_together(doing, one.word);
    doing = one.word;
  }
  if (doing.empty()) return {};
  if (wish.has_document() || !wish.html.empty() || !wish.sarif.empty() || !wish.junit.empty())
    return not_together(doing, "a report in another form");
  if (wish.prove) return not_together(doing, "--prove");
  if (!wish.baseline.empty()) return not_together(doing, "--baseline");
  if (!wish.undo.empty() && !wish.targets.empty())
    return fail(Code::kUsage, "--undo takes a journal and nothing else", "which tree it is stands in there",
                "immure audit --undo JOURNAL");
  const int schedules = int{wish.daily} + int{wish.weekly} + int{!wish.on_calendar.empty()};
  if (schedules > 1)
    return fail(Code::kUsage, "a timer has one schedule", {}, "--daily, --weekly or --on-calendar");
  return {};
}

Result<int> do_audit(const AuditWish& wish, const AuditLook& look) {
  if (wish.fix) return fix_tree(wish, look);
  if (!wish.undo.empty()) return undo_fix(wish);
  if (wish.watch) return watch_audit(wish, look);
  if (!wish.changes.empty()) return audit_changes(wish, look);
  return wish.install_timer ? install_timer(wish) : remove_timer(wish);
}

std::string_view doing_help() {
  return "  --fix               mend what can be mended safely: shows the plan, asks,\n"
         "                      writes a journal; nothing is deleted\n"
         "    --yes             do not ask; --journal FILE: instead of beside the tree\n"
         "    --while-running   although processes have it as their root\n"
         "  --undo JOURNAL      put the tree back as it was\n"
         "  --changes FILE      only what changed since the report in FILE, which is\n"
         "                      replaced; status 1 when something got worse\n"
         "  --watch             look again and again, and tell what changed;\n"
         "                      --every TIME (10m)\n"
         "  --install-timer     have systemd do so: --daily, --weekly or\n"
         "                      --on-calendar SPEC; --print only shows the units\n"
         "  --remove-timer      take that away again\n";
}

}  // namespace immure::cli

#include "cli/audit_fix.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "audit/mend/apply.h"
#include "audit/mend/plan.h"
#include "audit/mend/survey.h"
#include "audit/report.h"
#include "base/text.h"
#include "cli/audit_text.h"
#include "cli/verbs.h"

namespace immure::cli {
namespace {

namespace mend = immure::audit::mend;

constexpr size_t kShownNames = 3, kShownByHand = 20;

std::string count(size_t n, const char* one, const char* many) {
  return num(n) + " " + (n == 1 ? one : many);
}

std::string names_text(const mend::Step& step) {
  std::string text;
  for (size_t i = 0; i < std::min(step.names.size(), kShownNames); ++i)
    text += (i == 0 ? "" : " = ") + printable(step.names[i]);
  if (step.names.size() > kShownNames) text += " = " + num(step.names.size() - kShownNames) + " more";
  return text;
}

bool does_something(const mend::Step& step) {
  return step.change.act != mend::Act::Nothing && step.change.act != mend::Act::Refuse;
}

std::string plan_text(const std::vector<mend::Step>& steps) {
  std::string text;
  for (const mend::Step& step : steps) {
    if (step.change.act == mend::Act::Nothing) continue;
    const bool refused = step.change.act == mend::Act::Refuse;
    text += "  " + names_text(step) + "\n      " + (refused ? "not mended: " : "") +
            printable(mend::shown(step.before, step.change)) + "  (";
    for (size_t i = 0; i < step.rules.size(); ++i)
      text += std::string(i == 0 ? "" : ", ") + step.rules[i]->id;
    text += ")\n";
  }
  return text;
}

// What no step does, with the command that would; each command once.
std::string by_hand_text(const mend::Plan& plan, const audit::Target& target) {
  std::vector<std::string> commands;
  for (const audit::Finding* finding : plan.left) {
    std::string command = audit::fix_command(*finding, target);
    if (!command.empty() && std::find(commands.begin(), commands.end(), command) == commands.end())
      commands.push_back(std::move(command));
  }
  if (commands.empty()) return {};
  std::string text = "\nLeft to you, since it is not safe to do unasked:\n";
  for (size_t i = 0; i < std::min(commands.size(), kShownByHand); ++i)
    text += "  " + printable(commands[i]) + "\n";
  if (commands.size() > kShownByHand) text += "  and " + num(commands.size() - kShownByHand) + " more\n";
  return text;
}

std::string outcome_text(const mend::Outcome& out) {
  std::string text;
  for (const mend::Said& said : out.steps)
    text += std::string(said.done ? "  done  " : "  not   ") + printable(said.path) + "  " +
            printable(said.text) + "\n";
  return text;
}

Result<bool> agreed(size_t steps) {
  IMMURE_TRY(say("\nDo " + (steps == 1 ? std::string("this") : "these " + num(steps)) + "? [y/N] "));
  std::string answer;
  for (char c = 0; read(0, &c, 1) == 1 && c != '\n';) answer += c;
  return answer == "y" || answer == "Y" || answer == "yes";
}

// What nobody has accepted.
std::vector<audit::Finding> open_findings(const audit::Audit& audit) {
  std::vector<audit::Finding> open;
  for (size_t i = 0; i < audit.answers.findings().size(); ++i)
    if (accepted(audit, i) == nullptr) open.push_back(audit.answers.findings()[i]);
  return open;
}

bool counts(const AuditWish& wish, const audit::Audits& audits) {
  const auto worst = audit::worst(audits);
  return worst && *worst >= wish.fail_on && !wish.never_fail;
}

Result<int> mend_it(const AuditWish& wish, const AuditLook& look, const mend::Root& root,
                    const std::vector<mend::Step>& steps) {
  auto out = mend::carry_out(root, steps, wish.journal);
  if (!out) return tl::unexpected<Error>(std::move(out.error()));
  std::string text = "\n" + outcome_text(*out) + "\nThe journal: " + printable(out->journal) + "\n";
  if (!out->quarantine.empty())
    text +=
        "What was taken out, and the files that copies were made of: " + printable(out->quarantine) + "\n";
  text += "To put everything back: immure audit --undo " + audit::shell_word(out->journal) +
          "\n\nWhat is left:\n\n";
  IMMURE_TRY(say(text));
  auto left = look();
  if (!left) return tl::unexpected<Error>(std::move(left.error()));
  IMMURE_TRY(say(audit_text(*left, {.colour = wish.colour, .verbose = wish.verbose})));
  return out->refused() > 0 || counts(wish, *left) ? 1 : 0;
}

// The same again, with what makes the plan another one.
std::string words_again(const AuditWish& wish, const mend::Root& root) {
  std::string out = "immure audit " + audit::shell_word(root.path());
  const std::pair<const char*, const std::vector<std::string>&> rules[] = {{" --only ", wish.only},
                                                                           {" --skip ", wish.skip}};
  for (const auto& [flag, names] : rules)
    if (!names.empty()) out += flag + audit::shell_word(join(names, ","));
  const std::pair<const char*, const std::string&> files[] = {{" --suppress ", wish.suppress},
                                                              {" --journal ", wish.journal}};
  for (const auto& [flag, file] : files)
    if (!file.empty()) out += flag + audit::shell_word(file);
  return out + (wish.while_running ? " --while-running" : "") + " --fix --yes";
}

}  // namespace

Result<int> fix_tree(const AuditWish& wish, const AuditLook& look) {
  // Held from before the look, its number is nobody else's; and what is looked at has to be this very folder.
  std::optional<Result<mend::Root>> held;
  if (wish.targets.size() == 1 && wish.targets.front().flag.empty())
    held.emplace(mend::Root::open(wish.targets.front().value));
  auto seen = look();
  if (!seen) return tl::unexpected<Error>(std::move(seen.error()));
  if (!held || wish.targets.size() != 1 || seen->all.size() != 1 || seen->all.front().target.kind != "root")
    return fail(Code::kUsage, "--fix mends a folder", "one that is, or shall be, the root of a jail",
                "immure audit DIR --fix");
  auto& root = *held;
  if (!root) return tl::unexpected<Error>(std::move(root.error()));
  const audit::Target& looked_at = seen->all.front().target;
  if (looked_at.device != root->node().device || looked_at.inode != root->node().inode)
    return fail(Code::kBadRoot,
                quoted(wish.targets.front().value) + " is not the folder any more that was looked at",
                "somebody has exchanged it meanwhile; nothing was changed",
                "look who may write to the folder above it");
  const std::vector<audit::Finding> findings = open_findings(seen->all.front());
  const mend::Plan plan =
      mend::plan_mending(findings, wish.only.size() == 1 ? wish.only.front() : std::string());
  auto steps = mend::survey(*root, plan);
  if (!steps) return tl::unexpected<Error>(std::move(steps.error()));
  const auto todo = static_cast<size_t>(std::count_if(steps->begin(), steps->end(), does_something));
  std::string text = todo == 0 ? "There is nothing that --fix mends in " + printable(root->path()) + ".\n"
                               : "What --fix does in " + printable(root->path()) + ":\n";
  text += plan_text(*steps) + by_hand_text(plan, seen->all.front().target);
  IMMURE_TRY(say(text));
  if (todo == 0) return counts(wish, *seen) ? 1 : 0;
  const Status alone = wish.while_running ? Status{} : mend::nobody_inside(*root);
  if (!wish.yes && isatty(0) != 1) {
    std::string why =
        alone ? "" : "First: " + printable(alone.error().what + ": " + alone.error().why) + ".\n";
    IMMURE_TRY(say("\nNothing was changed. " + why + "To do it: " + words_again(wish, *root) + "\n"));
    return 1;
  }
  if (!alone) return tl::unexpected<Error>(alone.error());
  auto yes = wish.yes ? Result<bool>(true) : agreed(todo);
  if (!yes) return tl::unexpected<Error>(std::move(yes.error()));
  if (*yes) return mend_it(wish, look, *root, *steps);
  IMMURE_TRY(say("Nothing was changed.\n"));
  return 1;
}

Result<int> undo_fix(const AuditWish& wish) {
  auto out = mend::undo(wish.undo, wish.while_running);
  if (!out) return tl::unexpected<Error>(std::move(out.error()));
  const size_t refused = out->refused();
  std::string text = outcome_text(*out) + "\n";
  text += refused == 0 ? "Everything is as it was.\n"
                       : count(refused, "step was", "steps were") +
                             " not taken back: what was changed since is left as it is. The journal can be "
                             "undone again.\n";
  if (!out->quarantine.empty()) text += "Something is left in " + printable(out->quarantine) + ".\n";
  IMMURE_TRY(say(text));
  return refused == 0 ? 0 : 1;
}

}  // namespace immure::cli

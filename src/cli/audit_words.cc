#include "cli/audit_words.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/audit_targets.h"
#include "cli/verbs.h"

namespace immure::cli {
namespace {

using audit::Rule;
using audit::Severity;

struct PlainFlag {
  std::string_view name;
  bool AuditWish::*flag;
  bool value = true;
};
constexpr PlainFlag kPlain[] = {
    {"--list", &AuditWish::list},
    {"--prove", &AuditWish::prove},
    {"--find-links", &AuditWish::find_links},
    {"--json", &AuditWish::json},
    {"--verbose", &AuditWish::verbose},
    {"-v", &AuditWish::verbose},
    {"--colour", &AuditWish::colour},
    {"--no-colour", &AuditWish::colour, false},
    {"--fix", &AuditWish::fix},
    {"--yes", &AuditWish::yes},
    {"--while-running", &AuditWish::while_running},
    {"--watch", &AuditWish::watch},
    {"--install-timer", &AuditWish::install_timer},
    {"--remove-timer", &AuditWish::remove_timer},
    {"--print", &AuditWish::print},
    {"--daily", &AuditWish::daily},
    {"--weekly", &AuditWish::weekly},
    {"--help", &AuditWish::help},
    {"-h", &AuditWish::help},
};
// Said once, or a list that grows.
struct ValueFlag {
  std::string_view name;
  std::string AuditWish::*once;
  std::vector<std::string> AuditWish::*parts = nullptr;
};
constexpr ValueFlag kValues[] = {
    {"--only", nullptr, &AuditWish::only},
    {"--skip", nullptr, &AuditWish::skip},
    {"--explain", &AuditWish::explain},
    {"--sarif", &AuditWish::sarif},
    {"--junit", &AuditWish::junit},
    {"--html", &AuditWish::html},
    {"--journal", &AuditWish::journal},
    {"--undo", &AuditWish::undo},
    {"--every", &AuditWish::every},
    {"--changes", &AuditWish::changes},
    {"--on-calendar", &AuditWish::on_calendar},
    {"--baseline", &AuditWish::baseline},
    {"--suppress", &AuditWish::suppress},
};
constexpr std::string_view kFailOn = "--fail-on";

std::vector<Flags::Known> known_flags() {
  std::vector<Flags::Known> out;
  for (const TargetKind& one : target_kinds())
    if (!one.flag.empty()) out.push_back({one.flag, one.takes_value});
  for (const ValueFlag& one : kValues) out.push_back({one.name, true});
  out.push_back({kFailOn, true});
  for (const PlainFlag& one : kPlain) out.push_back({one.name});
  return out;
}

Status take_severity(AuditWish& wish, std::string_view word) {
  wish.fail_on_said = true;
  wish.never_fail = word == "never";
  if (wish.never_fail) return {};
  std::vector<std::string_view> names = {"never"};
  for (int i = 0; i < audit::kSeverityCount; ++i) {
    const auto severity = static_cast<Severity>(i);
    names.emplace_back(key(severity));
    if (word != key(severity)) continue;
    wish.fail_on = severity;
    return {};
  }
  const std::string_view near = nearest(word, names);
  return fail(Code::kUsage, quoted(word) + " is no severity", {},
              near.empty() ? "critical, high, medium, low, advice or never"
                           : "did you mean " + std::string(near) + "?",
              "--fail-on");
}

Status take_value(AuditWish& wish, const ValueFlag& flag, std::string_view value) {
  if (value.empty())
    return fail(Code::kUsage, std::string(flag.name) + " needs a value", {}, "immure help audit");
  if (flag.parts != nullptr) {
    for (std::string_view part : split(value, ',')) (wish.*flag.parts).emplace_back(trim(part));
    return {};
  }
  std::string& place = wish.*flag.once;
  if (!place.empty() && place != value)
    return fail(Code::kUsage, std::string(flag.name) + " is said twice",
                quoted(place) + " and " + quoted(value), "leave one of them out");
  place = value;
  return {};
}

Status take(AuditWish& wish, const Flags::Said& said) {
  if (said.name == kFailOn) return take_severity(wish, said.value);
  for (const PlainFlag& one : kPlain)
    if (one.name == said.name) wish.*one.flag = one.value;
  for (const ValueFlag& one : kValues)
    if (one.name == said.name) return take_value(wish, one, said.value);
  for (const TargetKind& one : target_kinds())
    if (!one.flag.empty() && one.flag == said.name)
      wish.targets.push_back({one.flag, std::string(said.value)});
  return {};
}

bool is_named(const Rule& rule, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), rule.id) != names.end();
}

}  // namespace

std::vector<std::string_view> audit_flags() {
  std::vector<std::string_view> out;
  for (const Flags::Known& one : known_flags())
    if (one.name.starts_with("--")) out.push_back(one.name);
  return out;
}

Result<AuditWish> read_audit_wish(std::span<char* const> args) {
  AuditWish wish;
  wish.colour = isatty(1) == 1;
  const std::vector<Flags::Known> known = known_flags();
  Flags flags{known, "audit"};
  IMMURE_TRY(flags.parse(args));
  for (const Flags::Said& said : flags.said) IMMURE_TRY(take(wish, said));
  for (std::string_view word : flags.words) wish.targets.push_back({{}, std::string(word)});
  for (const auto* names : {&wish.only, &wish.skip})
    for (const std::string& name : *names)
      if (auto rule = audit::rule_named(name); !rule) return tl::unexpected<Error>(std::move(rule.error()));
  IMMURE_TRY(check_outputs(wish));
  IMMURE_TRY(check_doing(wish));
  if (!wish.list && wish.explain.empty() && wish.undo.empty() && !wish.help && wish.targets.empty())
    return fail(Code::kUsage, "audit needs something to audit", {},
                "a folder, a running jail, --pid N, --host …: immure help audit");
  return wish;
}

std::vector<const Rule*> chosen_rules(const AuditWish& wish, const std::vector<const Rule*>& rules) {
  std::vector<const Rule*> out;
  for (const Rule* rule : rules)
    if ((wish.only.empty() || is_named(*rule, wish.only)) && !is_named(*rule, wish.skip)) out.push_back(rule);
  return out;
}

}  // namespace immure::cli

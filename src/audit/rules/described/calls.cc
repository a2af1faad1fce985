#include "audit/rules/described/rules.h"

namespace immure::audit {
namespace {

void check_filter(const Facts& facts, Answers& answers) {
  check_value(facts.described->filter, false, "system calls", "no filter", answers);
}

void check_calls(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (!jail.filter.is(true)) return;
  if (!jail.open_calls.known()) {
    if (jail.open_calls.word == Word::Unclear) answers.unknown(jail.open_calls.origin);
    return;
  }
  answers.checked();
  std::string strong, weak;
  for (const std::string& open : jail.open_calls.value)
    for (const DangerousCall& call : dangerous_calls())
      if (open == call.name)
        (call.strong ? strong : weak) += (call.strong ? strong : weak).empty() ? open : " " + open;
  if (!strong.empty()) {
    answers.found("the filter",
                  with("lets through " + strong + (weak.empty() ? "" : " " + weak), jail.open_calls.origin),
                  {}, strong + (weak.empty() ? "" : " " + weak));
  } else if (!weak.empty()) {
    answers.found(Severity::Low, "the filter", with("lets through " + weak, jail.open_calls.origin), {},
                  weak);
  }
}

}  // namespace

const Rule kDescribedFilter = {
    "described-filter",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Filter,
    "all system calls are open",
    "Every fault of the kernel that a system call reaches is within reach. Most ways out of jails of the last years went "
    "through a call that the program never needed.",
    "",
    "unit: SystemCallFilter=@system-service; OCI: linux.seccomp; bwrap: --seccomp with a compiled filter",
    "seccomp(2)",
    check_filter,
    Mend::None,
    "filter kernel"};
const Rule kDescribedCalls = {
    "described-calls",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Filter,
    "the filter lets dangerous calls through",
    "These calls mount, load code, trace, or reach large and young parts of the kernel. Hardly a program in a jail calls "
    "them.",
    "",
    "unit: deny them, SystemCallFilter=~@mount @debug …; OCI: a defaultAction of SCMP_ACT_ERRNO, and "
    "only what is needed allowed",
    "seccomp(2)",
    check_calls,
    Mend::None,
    "filter kernel"};

}  // namespace immure::audit

#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

void check_pattern(const Facts& facts, Answers& answers) {
  const Seen& seen = facts.host->setting("kernel.core_pattern");
  if (!seen.read())
    return answers.unknown("kernel.core_pattern: " + (seen.why.empty() ? "not there" : seen.why));
  answers.checked();
  const std::string& text = seen.text;
  if (text.starts_with('|')) {
    for (const KernelHelper& helper : facts.host->helpers)
      if (helper.setting == "kernel.core_pattern" && !helper.there)
        return answers.found(Severity::Low, "kernel.core_pattern",
                             "hands memory to a program that is not there: " + text);
    answers.found("kernel.core_pattern", "a program outside takes the memory of a jail as root: " + text);
  } else if (!text.empty() && text[0] != '/') {
    answers.found("kernel.core_pattern", "core files lie where the program was: " + text);
  }
}

void check_set_id(const Facts& facts, Answers& answers) {
  const Seen& seen = facts.host->setting("fs.suid_dumpable");
  const Seen& pattern = facts.host->setting("kernel.core_pattern");
  const std::optional<int64_t> value = seen.number();
  if (!value) return answers.unknown("fs.suid_dumpable: " + (seen.why.empty() ? "not there" : seen.why));
  answers.checked();
  if (*value == 1)
    answers.found("fs.suid_dumpable", "is 1: cores of set-id programs belong to whoever started them");
  if (*value == 2 && pattern.read() && !pattern.text.starts_with('|') && !pattern.text.starts_with('/'))
    answers.found("fs.suid_dumpable", "is 2, and kernel.core_pattern is the relative name " + pattern.text);
}

}  // namespace

const Rule kHostCorePattern = {
    "host-core-pattern",
    Look::Host,
    Severity::Advice,
    Concern::Monitoring,
    Point::Records,
    "who gets the memory of what crashes",
    "A handler reads what a jail hands it, with all rights and outside of it; handlers have been tricked that way. A "
    "relative name leaves memory, with what was secret in it, wherever the program was.",
    "",
    "ulimit -c 0 in jails, or a handler that enters the namespaces of what crashed",
    "core(5); CVE-2025-4598",
    check_pattern,
    Mend::None,
    "core-dump"};
const Rule kHostCoreSetId = {
    "host-core-set-id",
    Look::Host,
    Severity::Medium,
    Concern::Privilege,
    Point::HostKernel,
    "set-id programs leave core files",
    "Whoever starts a set-id program can make it crash, and reads in its core what only root may read. A relative name "
    "lets the starter choose where a file of root appears.",
    "sysctl -w fs.suid_dumpable=0",
    "",
    "proc_sys_fs(5); CVE-2006-2451",
    check_set_id};

}  // namespace immure::audit

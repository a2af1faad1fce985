#include "audit/rules/host/rules.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

std::string active_text(const HostState& host) {
  return "are " + host.modules_lsm.text + ": " + host.modules_lsm_by;
}

void check_module(const Facts& facts, Answers& answers) {
  const Seen& active = facts.host->modules_lsm;
  if (!active.read()) return answers.unknown("the active modules: " + active.why);
  answers.checked();
  for (const char* name : {"selinux", "apparmor", "smack", "tomoyo"})
    if (list_has(active.text, name)) return;
  answers.found("security modules", active_text(*facts.host));
}

void check_landlock(const Facts& facts, Answers& answers) {
  const Seen& active = facts.host->modules_lsm;
  if (!active.read()) return answers.unknown("the active modules: " + active.why);
  answers.checked();
  if (!list_has(active.text, "landlock")) answers.found("security modules", active_text(*facts.host));
}

void check_audit(const Facts& facts, Answers& answers) {
  if (!facts.host->audit_enabled) return answers.unknown(facts.host->audit_why);
  answers.checked();
  if (!*facts.host->audit_enabled) answers.found("audit", "is switched off, or not in the kernel");
}

}  // namespace

const Rule kHostModule = {
    "host-security-module",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::Module,
    "no security module confines programs",
    "With AppArmor, SELinux, Smack or TOMOYO a program that got out of its jail still has only what its profile says. "
    "Here it has all that its user has.",
    "",
    "boot with one of them in lsm=, and load its policy",
    "Documentation/admin-guide/LSM/index.rst",
    check_module,
    Mend::None,
    "security-modules"};
const Rule kHostLandlock = {
    "host-landlock",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::Module,
    "Landlock is not active",
    "A jail made without root has no other way to take rights to files and ports from its program for good. immure uses "
    "it wherever it is.",
    "",
    "boot with lsm=landlock in front of the modules that are there",
    "landlock(7)",
    check_landlock};
const Rule kHostAudit = {
    "host-audit",
    Look::Host,
    Severity::Advice,
    Concern::Monitoring,
    Point::Records,
    "the audit subsystem records nothing",
    "What a jail tried and was refused leaves no trace then, nor what was changed outside when it got out. Rules for "
    "module loading and for the system calls of an escape make it be noticed.",
    "auditctl -e 1",
    "",
    "auditctl(8); audit.rules(7)",
    check_audit,
    Mend::None,
    ""};

}  // namespace immure::audit

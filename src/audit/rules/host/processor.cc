#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

void check_processor(const Facts& facts, Answers& answers) {
  if (!facts.host->weaknesses_folder.read()) return answers.unknown(facts.host->weaknesses_folder.why);
  answers.checked();
  for (const auto& [name, text] : facts.host->weaknesses)
    if (text.starts_with("Vulnerable") || text.starts_with("KVM: Vulnerable") ||
        text.starts_with("Processor vulnerable"))
      answers.found("/sys/devices/system/cpu/vulnerabilities/" + name, text);
}

void check_threads(const Facts& facts, Answers& answers) {
  const Seen& smt = facts.host->smt_active;
  if (smt.state == Seen::State::Absent) return;
  if (!smt.number()) return answers.unknown("/sys/devices/system/cpu/smt/active: " + smt.why);
  answers.checked();
  if (smt.number() == 0) return;
  for (const auto& [name, text] : facts.host->weaknesses)
    if (text.find("SMT vulnerable") != std::string::npos)
      return answers.found(Severity::Low, "/sys/devices/system/cpu/smt", name + ": " + text);
  answers.found("/sys/devices/system/cpu/smt", "two programs share a processor at the same time");
}

}  // namespace

const Rule kHostProcessor = {
    "host-processor",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "a weakness of the processor is not mitigated",
    "A program reads memory of the kernel, of another program or of another machine by measuring time. No wall of a "
    "jail stops that.",
    "",
    "install the microcode, and take mitigations=off and its like from the command line of the kernel",
    "Documentation/admin-guide/hw-vuln/index.rst",
    check_processor};
const Rule kHostThreads = {
    "host-threads",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::HostKernel,
    "processors are shared by two threads",
    "What runs beside a jail on the same processor can be listened to through its caches and units. Where strangers "
    "run code, that is worth half of the processors.",
    "echo off >/sys/devices/system/cpu/smt/control",
    "that holds until the next boot; for good boot with nosmt, or keep jails of strangers on processors of their own",
    "Documentation/admin-guide/hw-vuln/core-scheduling.rst",
    check_threads};

}  // namespace immure::audit

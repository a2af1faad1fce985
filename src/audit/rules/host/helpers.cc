#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

void check_helper(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const KernelHelper& one : facts.host->helpers)
    if (!one.changeable.empty())
      answers.found(
          one.setting,
          one.path + ", and others than root may change " + one.changeable + " (" + one.changeable_why + ")",
          one.changeable);
}

void check_format(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const BinaryFormat& one : facts.host->formats)
    if (one.flags.find('C') != std::string::npos)
      answers.found("binfmt_misc " + one.name, one.interpreter + " has the flags " + one.flags);
}

}  // namespace

const Rule kHostHelper = {
    "host-kernel-helper",
    Look::Host,
    Severity::Critical,
    Concern::Isolation,
    Point::HostKernel,
    "a program that the kernel starts can be changed",
    "The kernel itself starts it, as root and outside of every jail. Whoever can change the file or a folder that leads "
    "to it is root at the next occasion.",
    "chown root:root {path} && chmod go-w {path}",
    "",
    "Documentation/admin-guide/sysctl/kernel.rst; core(5)",
    check_helper,
    Mend::None,
    "sysctl-modprobe sysctl-core-pattern sysctl-hotplug"};
const Rule kHostBinaryFormat = {
    "host-binary-format",
    Look::Host,
    Severity::Medium,
    Concern::Privilege,
    Point::HostKernel,
    "an interpreter gets the rights of what it reads",
    "With the flag C a set-id file of that kind gives its id to the interpreter. Every fault of the interpreter is then "
    "a way to that id, in jails as well.",
    "",
    "register it without C, unless set-id programs of another machine are meant",
    "Documentation/admin-guide/binfmt-misc.rst",
    check_format,
    Mend::None,
    "binfmt-register set-uid-program"};

}  // namespace immure::audit

#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

constexpr SettingTest kKeys = {"kernel.sysrq", is_one, nullptr};
constexpr SettingTest kDiscipline = {"dev.tty.ldisc_autoload", is_not_zero, nullptr};
constexpr SettingTest kInput = {"dev.tty.legacy_tiocsti", is_not_zero, nullptr};

}  // namespace

const Rule kHostSysrq = {
    "host-sysrq",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "all magic keys are open",
    "Whoever is at a keyboard or a serial line, or can send a break to it, ends processes, remounts and boots. A jail "
    "with a console of the host has that too.",
    "sysctl -w kernel.sysrq=176",
    "",
    "Documentation/admin-guide/sysrq.rst",
    check_setting<kKeys>};
const Rule kHostLineDiscipline = {
    "host-line-disciplines",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "line disciplines are loaded on demand",
    "An ioctl on any terminal, a pseudo terminal of a jail too, brings old drivers into the kernel. Several of them had "
    "faults that gave root.",
    "sysctl -w dev.tty.ldisc_autoload=0",
    "",
    "Linux 5.1; CVE-2017-2636; CVE-2023-6546",
    check_setting<kDiscipline>,
    Mend::None,
    "tty-discipline tty-discipline-high"};
const Rule kHostTerminalInput = {
    "host-terminal-input",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "programs may type into their terminal",
    "With TIOCSTI a jail that shares the terminal of its caller types commands, which the shell of the caller runs when "
    "the jail has ended. Every jail has to filter the ioctl, or have a terminal of its own.",
    "sysctl -w dev.tty.legacy_tiocsti=0",
    "",
    "ioctl_tty(2); Linux 6.2; CVE-2017-5226",
    check_setting<kInput>,
    Mend::None,
    "tty-type tty-type-high"};

}  // namespace immure::audit

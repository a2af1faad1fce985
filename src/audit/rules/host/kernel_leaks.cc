#include "audit/rules/host/rules.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

constexpr SettingTest kPointers = {"kernel.kptr_restrict", is_zero, nullptr};
constexpr SettingTest kLog = {"kernel.dmesg_restrict", is_zero, nullptr};
bool below_page(int64_t value) { return value < 32768; }
constexpr SettingTest kLow = {"vm.mmap_min_addr", below_page, nullptr};

void check_hidepid(const Facts& facts, Answers& answers) {
  const Seen& options = facts.host->proc_options;
  if (!options.read())
    return answers.unknown("the options of /proc: " +
                           (options.why.empty() ? "it is not mounted" : options.why));
  answers.checked();
  for (const char* hides :
       {"hidepid=1", "hidepid=2", "hidepid=4", "hidepid=noaccess", "hidepid=invisible", "hidepid=ptraceable"})
    if (list_has(options.text, hides)) return;
  answers.found("/proc", "mounted " + options.text + ", without hidepid");
}

void check_layout(const Facts& facts, Answers& answers) {
  const Seen& seen = facts.host->setting("kernel.randomize_va_space");
  const std::optional<int64_t> value = seen.number();
  if (!value)
    return answers.unknown("kernel.randomize_va_space: " + (seen.why.empty() ? "not there" : seen.why));
  answers.checked();
  if (*value == 0)
    answers.found(Severity::High, "kernel.randomize_va_space", "is 0: nothing is at a random place");
  if (*value == 1)
    answers.found(Severity::Low, "kernel.randomize_va_space", "is 1: the heap is beside the program");
}

}  // namespace

const Rule kHostKptr = {
    "host-kernel-pointers",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "addresses of the kernel are shown",
    "With kptr_restrict 0 files of /proc and /sys show where the kernel lies to more readers than need it. Whoever has "
    "a fault of the kernel in hand then need not guess.",
    "sysctl -w kernel.kptr_restrict=1",
    "",
    "Documentation/admin-guide/sysctl/kernel.rst",
    check_setting<kPointers>,
    Mend::None,
    "proc-kallsyms proc-module-addresses"};
const Rule kHostDmesg = {
    "host-kernel-log",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "everybody reads the kernel log",
    "The log holds addresses, names of devices and of processes, and what other jails did wrong. A jail without a "
    "filter of system calls reads it with syslog(2).",
    "sysctl -w kernel.dmesg_restrict=1",
    "",
    "syslog(2)",
    check_setting<kLog>,
    Mend::None,
    "kernel-log-size kernel-log-read"};
const Rule kHostHidepid = {
    "host-hidepid",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::HostKernel,
    "/proc shows every process to every user",
    "A program that got out of its jail, or that was given the host's /proc, sees the command lines of everybody. "
    "Words of commands hold paths, names and at times passwords.",
    "mount -o remount,hidepid=2 /proc",
    "some services need the group of gid= then; systemd(1) tells",
    "proc(5)",
    check_hidepid,
    Mend::None,
    "proc-strangers process-outside"};
const Rule kHostLayout = {
    "host-address-layout",
    Look::Host,
    Severity::High,
    Concern::Isolation,
    Point::HostKernel,
    "memory is not laid out at random",
    "A fault in any program can be used without knowing where its memory lies. What serves a jail from outside is "
    "attacked through the same faults.",
    "sysctl -w kernel.randomize_va_space=2",
    "",
    "proc_sys_kernel(5)",
    check_layout};
const Rule kHostLowPages = {
    "host-low-pages",
    Look::Host,
    Severity::Medium,
    Concern::Isolation,
    Point::HostKernel,
    "pages near address 0 can be mapped",
    "A kernel that follows a null pointer by mistake then reads what a program has put there. That turns a crash of "
    "the kernel into code that runs in it.",
    "sysctl -w vm.mmap_min_addr=65536",
    "",
    "Documentation/admin-guide/sysctl/vm.rst",
    check_setting<kLow>};

}  // namespace immure::audit

#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

constexpr SettingTest kYama = {"kernel.yama.ptrace_scope", is_zero, nullptr};
constexpr SettingTest kBpf = {"kernel.unprivileged_bpf_disabled", is_zero, nullptr};
constexpr SettingTest kFault = {"vm.unprivileged_userfaultfd", is_not_zero, nullptr};
constexpr SettingTest kRing = {"kernel.io_uring_disabled", is_zero, nullptr};
bool open_to_users(int64_t value) { return value < 2; }
constexpr SettingTest kPerf = {"kernel.perf_event_paranoid", open_to_users, nullptr};

// Where there is no such setting, no command sets it.
void check_yama(const Facts& facts, Answers& answers) {
  const Seen& seen = facts.host->setting(kYama.name);
  if (seen.state == Seen::State::Unread) return answers.unknown(std::string(kYama.name) + ": " + seen.why);
  answers.checked();
  if (seen.state == Seen::State::Absent) answers.found(kYama.name, "the kernel has no Yama");
}

void check_jit(const Facts& facts, Answers& answers) {
  const Seen &harden = facts.host->setting("net.core.bpf_jit_harden"),
             &enable = facts.host->setting("net.core.bpf_jit_enable");
  if (harden.state == Seen::State::Absent || enable.number() == 0) return;
  if (!harden.number()) return answers.unknown("net.core.bpf_jit_harden: " + harden.why);
  answers.checked();
  if (harden.number() == 0) answers.found("net.core.bpf_jit_harden", "is 0");
}

}  // namespace

const Rule kHostPtrace = {
    "host-ptrace-scope",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "a user may trace all of its own processes",
    "A program that gets out of its jail with the user id of a person reads the memory of everything that person "
    "runs. Two jails of one user id that share a pid namespace can take each other over.",
    "sysctl -w kernel.yama.ptrace_scope=1",
    "",
    "ptrace(2); Documentation/admin-guide/LSM/Yama.rst",
    check_setting<kYama>,
    Mend::None,
    "trace-attach trace-seize memory-read memory-write"};
const Rule kHostYama = {
    "host-yama",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "nothing limits who traces whom",
    "Without Yama a user may trace all of its own processes, and no setting takes that away. What gets out of a jail with "
    "the user id of a person reads the memory of everything that person runs.",
    "",
    "boot with yama among the modules of lsm=, or a kernel that has it; until then each jail gets a user id of its own",
    "ptrace(2); Documentation/admin-guide/LSM/Yama.rst",
    check_yama,
    Mend::None,
    "trace-attach trace-seize memory-read memory-write"};
const Rule kHostBpf = {
    "host-bpf-users",
    Look::Host,
    Severity::Medium,
    Concern::Isolation,
    Point::HostKernel,
    "bpf(2) is open to everybody",
    "The checker of bpf programs has let wrong programs through again and again, and each was a way from a plain user "
    "to the kernel. A jail without a filter of system calls has this door.",
    "sysctl -w kernel.unprivileged_bpf_disabled=1",
    "",
    "bpf(2); CVE-2021-3490; CVE-2022-23222",
    check_setting<kBpf>,
    Mend::None,
    "bpf-map bpf-program"};
const Rule kHostBpfJit = {
    "host-bpf-jit",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::HostKernel,
    "the bpf compiler does not blind constants",
    "Numbers of a program become bytes of kernel code in memory that can be executed. With another fault they make it "
    "easier to run chosen code in the kernel.",
    "sysctl -w net.core.bpf_jit_harden=2",
    "",
    "Documentation/admin-guide/sysctl/net.rst",
    check_jit};
const Rule kHostPerf = {
    "host-perf",
    Look::Host,
    Severity::Medium,
    Concern::Isolation,
    Point::HostKernel,
    "performance events of the kernel are open to users",
    "Below 2 a plain user measures the kernel itself and whole processors, and sees addresses and the doings of "
    "others. The code behind it has had faults that gave root.",
    "sysctl -w kernel.perf_event_paranoid=2",
    "",
    "perf_event_open(2); CVE-2023-6931",
    check_setting<kPerf>,
    Mend::None,
    "perf-own perf-kernel perf-processor perf-process"};
const Rule kHostUserfaultfd = {
    "host-userfaultfd",
    Look::Host,
    Severity::Low,
    Concern::Isolation,
    Point::HostKernel,
    "users may hold up faults of the kernel",
    "A page fault of the kernel waits until the program answers it, so that a race in a system call is won at leisure. "
    "Many ways from a plain user to the kernel have used this.",
    "sysctl -w vm.unprivileged_userfaultfd=0",
    "",
    "userfaultfd(2); Linux 5.2",
    check_setting<kFault>,
    Mend::None,
    "fault-kernel"};
const Rule kHostIoUring = {
    "host-io-uring",
    Look::Host,
    Severity::Advice,
    Concern::Isolation,
    Point::HostKernel,
    "io_uring is open to everybody",
    "What is asked through a ring passes by filters of system calls, and the code is large and young. Where no program "
    "needs it, it can be closed for all but a group.",
    "sysctl -w kernel.io_uring_disabled=1",
    "",
    "io_uring_setup(2); Linux 6.6; CVE-2023-2598",
    check_setting<kRing>,
    Mend::None,
    "ring-make ring-kernel-thread ring-socket"};

}  // namespace immure::audit

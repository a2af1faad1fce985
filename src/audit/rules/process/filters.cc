// What system calls reach the kernel. Where a thread has no filter at all one rule says so, and those of the
// families have nothing to say.
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <span>

#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

using filter::Arch;

// The filters that hold some thread. False, and the answer given, when a rule of a family has nothing to say.
bool stacks_of(const Live& live, Answers& answers, std::vector<const FilterStack*>& out) {
  for (const ThreadView& thread : live.threads) {
    if (thread.seccomp < 0) return answers.unknown("this kernel does not show filters"), false;
    if (thread.seccomp == 0) return false;
    if (thread.seccomp == 1) continue;
    const FilterStack& stack = live.filters[thread.filter];
    if (!stack.unknown.empty())
      return answers.unknown("the filter could not be read: " + stack.unknown), false;
    if (std::find(out.begin(), out.end(), &stack) == out.end()) out.push_back(&stack);
  }
  answers.checked();
  return !out.empty();
}

// "mount, umount2": what of `calls` some thread may call by the native entry. The others have rules of their
// own.
std::vector<std::string> open_calls(const std::vector<const FilterStack*>& stacks,
                                    std::span<const Call> calls) {
  std::vector<std::string> open;
  for (const Call& call : calls)
    for (const FilterStack* stack : stacks) {
      if (!lets_through(*stack, Arch::X86_64, call).value_or(false)) continue;
      if (open.empty() || open.back() != call.name) open.push_back(call.name);
      break;
    }
  return open;
}

void family(const Live& live, Answers& answers, std::span<const Call> calls, Severity severity) {
  std::vector<const FilterStack*> stacks;
  if (!stacks_of(live, answers, stacks)) return;
  std::vector<std::string> open = open_calls(stacks, calls);
  if (!open.empty()) answers.found(severity, "seccomp", "let through: " + some_of(open));
}

bool has_cap(const Live& live, unsigned capability) {
  return ((any_thread(live, &ThreadView::effective) | any_thread(live, &ThreadView::permitted)) &
          bit(capability)) != 0;
}

constexpr uint64_t kNewUser = CLONE_NEWUSER, kSigchld = 17;
constexpr Call kMakeUsers[] = {{"unshare", {kNewUser}}, {"clone", {kNewUser | kSigchld}}};
constexpr Call kMounts[] = {{"mount"},   {"umount2"},    {"pivot_root"},           {"fsopen"},
                            {"fsmount"}, {"move_mount"}, {"open_tree", {0, 0, 1}}, {"mount_setattr"}};
constexpr Call kEnter[] = {{"setns", {3, 0}}, {"setns", {3, 0x20000}}};
constexpr Call kClone3[] = {{"clone3"}};
constexpr Call kTrace[] = {{"ptrace", {16, 1}},   {"ptrace", {0x4206, 1}}, {"process_vm_readv"},
                           {"process_vm_writev"}, {"pidfd_getfd"},         {"kcmp"}};
constexpr Call kBpf[] = {{"bpf", {0}}, {"bpf", {5}}};
constexpr Call kKeys[] = {{"keyctl", {0}}, {"keyctl", {11}}, {"add_key"}, {"request_key"}};
constexpr Call kFaults[] = {{"userfaultfd"}};
constexpr Call kRings[] = {{"io_uring_setup"}, {"io_uring_enter"}, {"io_uring_register"}};
constexpr Call kKexec[] = {
    {"kexec_load"}, {"kexec_file_load"}, {"reboot", {0xfee1dead, 672274793, 0x1234567}}};
constexpr Call kModuleCalls[] = {{"init_module"}, {"finit_module"}, {"delete_module"}};
constexpr Call kPerf[] = {{"perf_event_open"}};
constexpr Call kHandles[] = {{"open_by_handle_at"}};
constexpr Call kMachineCalls[] = {{"settimeofday"}, {"clock_settime"}, {"swapon"},        {"swapoff"},
                                  {"acct"},         {"iopl", {3}},     {"ioperm"},        {"quotactl"},
                                  {"syslog", {2}},  {"sethostname"},   {"lookup_dcookie"}};
constexpr uint64_t kInsert = 0x5412, kLinux = 0x541c, kHigh = uint64_t{1} << 32;
constexpr Call kTyping[] = {{"ioctl", {0, kInsert}},
                            {"ioctl", {0, kLinux}},
                            {"ioctl", {0, kInsert | kHigh}},
                            {"ioctl", {0, kLinux | kHigh}}};
constexpr Call kSockets[] = {{"socket", {AF_PACKET, SOCK_RAW, 3}},   {"socket", {AF_INET, SOCK_RAW, 1}},
                             {"socket", {AF_ALG, SOCK_SEQPACKET}},   {"socket", {AF_VSOCK, SOCK_STREAM}},
                             {"socket", {AF_NETLINK, SOCK_RAW, 12}}, {"socket", {AF_BLUETOOTH, SOCK_RAW}},
                             {"socket", {AF_TIPC, SOCK_STREAM}},     {"socket", {AF_RDS, SOCK_SEQPACKET}},
                             {"socket", {AF_CAN, SOCK_RAW}}};
constexpr Call kPlain[] = {{"read"}, {"write"}, {"openat"}, {"getpid"}, {"exit_group"}, {"execve"}};

void mounts(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kMounts, has_cap(*facts.live, 21) ? Severity::High : Severity::Low);
}
void users(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kMakeUsers, Severity::Medium);
}
void enter(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kEnter, has_cap(*facts.live, 21) ? Severity::High : Severity::Low);
}

// Its flags are in memory, where no filter looks: what clone denies goes through.
void clone3(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  std::vector<const FilterStack*> stacks;
  if (!stacks_of(live, answers, stacks)) return;
  bool elsewhere = !open_calls(stacks, kMakeUsers).empty();
  std::vector<std::string> open = open_calls(stacks, kClone3);
  if (!open.empty() && !elsewhere)
    answers.found("seccomp", "clone and unshare may not make a user namespace, and may by " + some_of(open));
}

void trace(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kTrace, shares(*facts.live, "pid") ? Severity::Medium : Severity::Low);
}
void bpf(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kBpf,
         has_cap(*facts.live, 39) || has_cap(*facts.live, 21) ? Severity::High : Severity::Medium);
}
void keys(const Facts& facts, Answers& answers) { family(*facts.live, answers, kKeys, Severity::Medium); }
void faults(const Facts& facts, Answers& answers) { family(*facts.live, answers, kFaults, Severity::Medium); }
void rings(const Facts& facts, Answers& answers) { family(*facts.live, answers, kRings, Severity::Medium); }
void kexec(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kKexec, has_cap(*facts.live, 22) ? Severity::High : Severity::Low);
}
void modules(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kModuleCalls, has_cap(*facts.live, 16) ? Severity::High : Severity::Low);
}
void perf(const Facts& facts, Answers& answers) { family(*facts.live, answers, kPerf, Severity::Medium); }
void handles(const Facts& facts, Answers& answers) {
  bool may = has_cap(*facts.live, 2) && !has_own_users(*facts.live);
  family(*facts.live, answers, kHandles, may ? Severity::High : Severity::Low);
}
void machine(const Facts& facts, Answers& answers) {
  family(*facts.live, answers, kMachineCalls, Severity::Low);
}
void sockets(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  std::vector<const FilterStack*> stacks;
  if (!stacks_of(live, answers, stacks)) return;
  constexpr const char* kNames[] = {
      "packet", "raw IP", "crypto (AF_ALG)", "vsock", "netlink of netfilter", "bluetooth", "tipc",
      "rds",    "can"};
  std::vector<std::string> open;
  for (size_t i = 0; i < std::size(kSockets); i++)
    for (const FilterStack* stack : stacks)
      if (lets_through(*stack, Arch::X86_64, kSockets[i]).value_or(false)) {
        open.push_back(kNames[i]);
        break;
      }
  if (!open.empty()) answers.found("seccomp", "kinds of sockets let through: " + some_of(open));
}

void typing(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  std::vector<const FilterStack*> stacks;
  if (!stacks_of(live, answers, stacks)) return;
  std::vector<std::string> open;
  constexpr const char* kNames[] = {"TIOCSTI", "TIOCLINUX", "TIOCSTI with a high bit set",
                                    "TIOCLINUX with a high bit set"};
  for (size_t i = 0; i < 4; i++)
    for (const FilterStack* stack : stacks)
      if (lets_through(*stack, Arch::X86_64, kTyping[i]).value_or(false)) {
        // With the high bit it is the same request for the kernel, so it counts where the plain one is
        // denied.
        if (i < 2 || open.empty()) open.push_back(kNames[i]);
        break;
      }
  if (open.empty()) return;
  bool shared = live.terminal != 0 && !live.terminal_sharers.empty() && live.steal_input;
  answers.found(shared ? Severity::High : Severity::Low, "seccomp", "ioctl lets through: " + some_of(open));
}

template <Arch arch>
void entry(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  std::vector<const FilterStack*> stacks;
  if (!stacks_of(live, answers, stacks)) return;
  std::vector<std::string> past, plain;
  auto look = [&](std::span<const Call> calls) {
    for (const Call& call : calls)
      for (const FilterStack* stack : stacks) {
        bool open = lets_through(*stack, arch, call).value_or(false);
        bool denied = !lets_through(*stack, Arch::X86_64, call).value_or(true);
        if (open && denied && (past.empty() || past.back() != call.name)) past.push_back(call.name);
        if (open) plain.push_back(call.name);
      }
  };
  look(kPlain);
  if (plain.empty()) return;
  for (std::span<const Call> calls :
       {std::span<const Call>(kMounts), std::span<const Call>(kMakeUsers), std::span<const Call>(kTrace),
        std::span<const Call>(kKeys), std::span<const Call>(kModuleCalls), std::span<const Call>(kKexec),
        std::span<const Call>(kBpf), std::span<const Call>(kRings)})
    look(calls);
  if (past.empty())
    answers.found(Severity::Low, "seccomp", "the entry is open, with the same calls denied");
  else
    answers.found(Severity::High, "seccomp", "lets through what the native entry denies: " + some_of(past));
}

void none(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  for (const ThreadView& thread : live.threads) {
    if (thread.seccomp < 0) answers.unknown("this kernel does not show filters");
    if (thread.seccomp > 0) answers.checked();
    if (thread.seccomp != 0) continue;
    answers.found("seccomp" + of_thread(thread, live), "no filter: every system call reaches the kernel");
    return;
  }
}

void logs_only(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  std::vector<const FilterStack*> stacks;
  if (!stacks_of(live, answers, stacks)) return;
  for (const FilterStack* stack : stacks)
    for (const Call& call : kPlain)
      if (verdict_of(*stack, Arch::X86_64, call) == SECCOMP_RET_LOG) {
        answers.found("seccomp", std::string(call.name) + " is logged and goes on: the filter only watches");
        return;
      }
}

constexpr const char* kDeny = "deny it in the filter: immure run, SystemCallFilter= of systemd";

}  // namespace

// A row for each family, alike but for what they say.
#define FAMILY(variable, id, severity, title, why, reference, check, predicts)                              \
  const Rule variable = {id,    Look::Process, severity, Concern::Isolation, Point::Filter, title, why, "", \
                         kDeny, reference,     check,    Mend::None,         predicts};

const Rule kProcessFilterNone = {
    "process-filter-none",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Filter,
    "no system call filter",
    "Every one of more than 350 system calls reaches the kernel, those of rare and young parts too, where holes "
    "are found most. A hole in the kernel is a way out of every jail.",
    "",
    "immure run, SystemCallFilter=@system-service of systemd",
    "seccomp(2)",
    none,
    Mend::None,
    "filter kernel processes privilege network root resources devices descriptors information"};
FAMILY(
    kProcessFilterLog, "process-filter-log", Severity::Medium, "the filter only logs",
    "A filter in trial mode records calls and lets all of them go on. It was meant to be made strict later.",
    "seccomp(2)", logs_only, "filter kernel")
FAMILY(
    kProcessFilterMount, "process-filter-mount", Severity::Low, "the filter lets mounts through",
    "Mounting needs a capability that it may have, or gain in a user namespace. File systems from hostile images "
    "are among the weakest parts of the kernel.",
    "mount(2); fsopen(2)", mounts, "root filter privilege links")
FAMILY(
    kProcessFilterUsers, "process-filter-userns", Severity::Medium, "the filter lets user namespaces through",
    "In a user namespace of its own making it has all capabilities, and with them reaches parts of the kernel "
    "that are root's else. Most ways from a user to root in the last years began there.",
    "user_namespaces(7); CVE-2022-0185", users, "privilege filter root kernel network")
FAMILY(
    kProcessFilterClone3, "process-filter-clone3", Severity::Medium, "clone3 passes by what clone is denied",
    "The flags of clone3 are in memory, where no filter looks. It must be answered with ENOSYS, so that programs "
    "fall back to clone.",
    "clone(2)", clone3, "privilege filter userns-clone3")
FAMILY(
    kProcessFilterEnter, "process-filter-setns", Severity::Low, "the filter lets setns through",
    "With a descriptor of a namespace and the capability over it, it enters what it was kept out of. Descriptors of namespaces lie in every /proc that shows others.",
    "setns(2)", enter, "processes root filter")
FAMILY(
    kProcessFilterTrace, "process-filter-ptrace", Severity::Low, "the filter lets tracing through",
    "It reads and writes the memory of processes of its user, and takes their descriptors. Whatever one process of the user holds, all others then hold.",
    "ptrace(2); process_vm_readv(2)", trace, "processes filter descriptors privilege")
FAMILY(
    kProcessFilterBpf, "process-filter-bpf", Severity::Medium, "the filter lets bpf through",
    "The checker of BPF programs has been fooled many times, and each time the kernel was read and written. Few programs in jails need it.",
    "bpf(2); CVE-2021-3490", bpf, "kernel filter")
FAMILY(
    kProcessFilterKeys, "process-filter-keys", Severity::Medium, "the filter lets keyrings through",
    "Keyrings are not divided by jails: keys of the user and of the session that started it are within reach, and "
    "the code behind has had holes. Tokens of file systems and of logins lie there.",
    "keyctl(2); CVE-2016-0728", keys, "privilege kernel filter")
FAMILY(
    kProcessFilterFaults, "process-filter-userfaultfd", Severity::Medium,
    "the filter lets userfaultfd through",
    "It stops the kernel in the middle of a copy for as long as it likes, which makes races in the kernel easy to "
    "win. Published exploits of such races used it.",
    "userfaultfd(2)", faults, "kernel filter")
FAMILY(
    kProcessFilterRings, "process-filter-io-uring", Severity::Medium, "the filter lets io_uring through",
    "Rings carry out calls that the filter never sees, and their code is young and had many holes. A filter that allows them allows what it was made to deny.",
    "io_uring_setup(2); CVE-2022-29582", rings, "kernel filter descriptors resources network")
FAMILY(
    kProcessFilterKexec, "process-filter-kexec", Severity::Low, "the filter lets kexec and reboot through",
    "Only a capability stands between it and another kernel. A filter costs nothing and stands when that fails.",
    "kexec_load(2); reboot(2)", kexec, "kernel filter")
FAMILY(kProcessFilterModules, "process-filter-modules", Severity::Low,
       "the filter lets kernel modules through",
       "Only a capability stands between it and code in the kernel. No program of a jail needs the call.",
       "init_module(2)", modules, "kernel filter")
FAMILY(
    kProcessFilterPerf, "process-filter-perf", Severity::Medium, "the filter lets perf_event_open through",
    "Counters tell of what runs beside it, and the interface is large and had holes. Programs that measure themselves are its only users.",
    "perf_event_open(2)", perf, "kernel filter processes")
FAMILY(
    kProcessFilterTyping, "process-filter-terminal", Severity::Low,
    "the filter lets typing into a terminal through",
    "TIOCSTI puts characters into the input of a terminal, as if somebody had typed them: a shell outside that "
    "reads there executes them. The kernel looks at the low 32 bits alone, so the filter has to as well.",
    "TIOCSTI(2const); CVE-2017-5226; CVE-2019-10063", typing, "devices filter")
FAMILY(
    kProcessFilterHandles, "process-filter-handles", Severity::Low,
    "the filter lets files be opened by handle",
    "A handle names a file by its inode, past every path and every root. It takes CAP_DAC_READ_SEARCH, and then "
    "all files of that file system are within reach.",
    "open_by_handle_at(2)", handles, "descriptors links filter kernel")
FAMILY(
    kProcessFilterMachine, "process-filter-machine", Severity::Low,
    "the filter lets calls of administrators through",
    "Clocks, swap, accounting, ports and the log of the kernel are root's work. No program of a jail needs these "
    "calls, and one wall more stands without them.",
    "capabilities(7)", machine, "kernel filter resources information")
FAMILY(
    kProcessFilterSockets, "process-filter-sockets", Severity::Medium, "the filter lets rare sockets through",
    "Each family of sockets is code of its own in the kernel, loaded when first asked for; holes are found in the "
    "rare ones. Some of them reach outside of the network namespace.",
    "socket(2); vsock(7); CVE-2017-6074", sockets, "network filter kernel")
FAMILY(
    kProcessFilterI386, "process-filter-i386", Severity::High, "the 32-bit entry is open",
    "Calls have other numbers at the 32-bit entry, so a list of denied numbers holds nothing there. Every program may "
    "use it, whatever it was compiled for.",
    "seccomp(2)", entry<Arch::I386>, "filter kernel privilege root processes")
FAMILY(
    kProcessFilterX32, "process-filter-x32", Severity::High, "the x32 entry is open",
    "x32 calls have the same architecture as native ones and a bit more in their number, which lists of denied "
    "numbers forget. Where the kernel has this entry they pass.",
    "seccomp(2)", entry<Arch::X32>, "filter kernel privilege root processes")
#undef FAMILY

}  // namespace immure::audit

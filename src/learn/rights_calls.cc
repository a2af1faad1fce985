#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.h"
#include "filter/filter.h"
#include "learn/deciding.h"
#include "learn/rights_parts.h"

namespace immure::learn {
namespace {

using filter::Arch;

// Why each stands here: the launch (between the filter and the program), the end of any program, its signals,
// its memory, its clocks, and what the C library does when something goes wrong (abort, perror, a full pipe,
// a lock that is contended). What a run does not show, the thousandth does.
constexpr std::string_view kConstant[] = {"arch_prctl",
                                          "brk",
                                          "clock_gettime",
                                          "clock_nanosleep",
                                          "close",
                                          "exit",
                                          "exit_group",
                                          "fstat",
                                          "futex",
                                          "getpid",
                                          "getrandom",
                                          "gettid",
                                          "gettimeofday",
                                          "lseek",
                                          "madvise",
                                          "mmap",
                                          "mprotect",
                                          "mremap",
                                          "munmap",
                                          "nanosleep",
                                          "newfstatat",
                                          "prlimit64",
                                          "read",
                                          "restart_syscall",
                                          "rseq",
                                          "rt_sigaction",
                                          "rt_sigprocmask",
                                          "rt_sigreturn",
                                          "sched_yield",
                                          "set_robust_list",
                                          "set_tid_address",
                                          "sigaltstack",
                                          "tgkill",
                                          "time",
                                          "write",
                                          "writev"};

// What the same work calls at another moment: a run shows the one or the other.
constexpr std::pair<std::string_view, std::string_view> kOrElse[] = {
    {"wait4", "rt_sigsuspend"},  // a shell that waits before its child has ended
    {"pause", "rt_sigsuspend"},      {"epoll_wait", "epoll_ctl"}, {"fdatasync", "fsync"},
    {"accept4", "getsockname"},      {"connect", "getsockopt"},   {"sendmsg", "recvmsg"},
    {"timer_create", "timer_delete"}};

// Where a tracer of the host has put a probe, the program meets these (filter/default_calls.inc).
constexpr std::string_view kProbes[] = {"uprobe", "uretprobe"};

// Reaches nothing that a jail has not.
constexpr std::string_view kOpensItself[] = {"io_setup",      "io_destroy",    "io_submit",
                                             "io_cancel",     "io_getevents",  "io_pgetevents",
                                             "mbind",         "set_mempolicy", "set_mempolicy_home_node",
                                             "get_mempolicy", "migrate_pages", "name_to_handle_at",
                                             "clock_getres",  "sysinfo"};

struct Danger {
  const char* call;
  const char* why;
  const char* answer;
};
constexpr Danger kDangers[] = {
    {"ptrace", "it reaches into other processes of the jail and changes their calls",
     "weaken: ptrace = true"},
    {"process_vm_readv", "it reads other processes of the jail", "weaken: ptrace = true"},
    {"process_vm_writev", "it changes other processes of the jail", "weaken: ptrace = true"},
    {"unshare", "with a user namespace it reaches kernel code that only owners of namespaces reach",
     "weaken: nested-userns = true"},
    {"clone", "a flag makes a namespace: with a user namespace it reaches kernel code that only owners reach",
     "weaken: nested-userns = true"},
    {"io_uring_setup", "its requests pass by the filter, and its code had many faults",
     "allow-syscall = [\"@io-uring\"]"},
    {"bpf", "it loads programs into the kernel", "allow-syscall = [\"bpf\"]"},
    {"userfaultfd", "it holds the kernel at a fault, which makes races easy",
     "allow-syscall = [\"userfaultfd\"]"},
    {"keyctl", "keyrings are shared with the outside", "allow-syscall = [\"@keyring\"]"},
    {"add_key", "keyrings are shared with the outside", "allow-syscall = [\"@keyring\"]"},
    {"perf_event_open", "it measures the host, and its code had many faults", "allow-syscall = [\"@perf\"]"},
    {"chroot", "a second root inside, for which sys_chroot is needed as well",
     "allow-syscall = [\"chroot\"]"},
    {"mount", "it changes what the jail is made of", "allow-syscall = [\"mount\"]"},
    {"setns", "it enters other namespaces", "allow-syscall = [\"setns\"]"},
    {"socket", "another family than the default allows: a seldom travelled way into the kernel",
     "allow-syscall = [\"socket\"]"},
};

// Most programs ask for these and do without.
constexpr std::string_view kDoesWithout[] = {
    "clone3", "rseq",    "statx",       "io_uring_setup", "openat2", "faccessat2", "ioctl", "prctl",
    "fcntl",  "madvise", "personality", "memfd_create",   "seccomp", "socket",     "mbind", "set_mempolicy"};

const filter::ArchPolicy* native(const filter::Policy& policy) {
  for (const filter::ArchPolicy& arch : policy.arches)
    if (arch.arch == Arch::X86_64) return &arch;
  return nullptr;
}

bool is_in(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool allows_something(const filter::CallPolicy& call) {
  return call.otherwise == filter::kAllow ||
         std::any_of(call.rules.begin(), call.rules.end(),
                     [](const filter::Rule& rule) { return rule.verdict == filter::kAllow; });
}

void question(const std::string& call, const Item& item, Rights& rights) {
  std::string seen = "it called " + call + ", which the filter denied";
  if (item.times > 1) seen += " (" + num(item.times) + " times)";
  for (const Danger& row : kDangers)
    if (call == row.call) return rights.questions.push_back({seen, row.why, row.answer});
  rights.questions.push_back({seen, "it ran on without", "allow-syscall = [\"" + call + "\"]"});
}

void arguments_of(const Needs& needs, const std::set<std::string>& calls, Rights& rights) {
  std::map<std::pair<std::string, uint8_t>, std::set<uint64_t>> seen;
  for (const auto& [name, item] : needs.of(Part::Argument)) {
    std::optional<ArgumentKey> key = parse_argument_key(name);
    if (!key || (item.uses & kDenied) != 0 || !calls.contains(std::string(key->call))) continue;
    seen[{std::string(key->call), key->index}].insert(key->value);
  }
  for (const auto& [where, values] : seen)
    rights.arguments.push_back({where.first, where.second, {values.begin(), values.end()}});
}

constexpr std::pair<uint64_t, const char*> kFamilies[] = {
    {1, "AF_UNIX"},    {2, "AF_INET"}, {10, "AF_INET6"}, {16, "AF_NETLINK"},
    {17, "AF_PACKET"}, {38, "AF_ALG"}, {40, "AF_VSOCK"}};

}  // namespace

std::vector<std::string_view> constant_calls() {
  std::set<std::string_view> all(std::begin(kConstant), std::end(kConstant));
  for (std::string_view call : filter::launch_calls(true)) all.insert(call);
  return {all.begin(), all.end()};
}

std::vector<std::string> default_calls() {
  auto policy = filter::default_policy({});
  std::vector<std::string> names;
  const filter::ArchPolicy* arch = policy ? native(*policy) : nullptr;
  if (arch == nullptr) return names;
  for (const filter::CallPolicy& call : arch->calls)
    if (allows_something(call)) names.emplace_back(filter::syscall_name(Arch::X86_64, call.nr));
  std::sort(names.begin(), names.end());
  return names;
}

bool opens_itself(std::string_view call) { return is_in(kOpensItself, call); }

void calls_of(const Needs& needs, Rights& rights) {
  const std::vector<std::string> open = default_calls();
  std::set<std::string> calls;
  for (std::string_view call : constant_calls()) calls.emplace(call);
  for (const auto& [name, item] : needs.of(Part::Call)) {
    if (name.starts_with("i386:")) {
      rights.compat32 = rights.compat32 || (item.uses & kDenied) == 0;
      continue;
    }
    bool is_default = std::binary_search(open.begin(), open.end(), name);
    bool only_denied = (item.uses & kDenied) != 0 && (item.uses & (kWorked | kMissing | kRefused)) == 0;
    if (!only_denied) {
      if (filter::syscall_number(Arch::X86_64, name)) calls.insert(name);
      if (!is_default && !is_in(kProbes, name) && name != "clone3") rights.opened.push_back(name);
    } else if (is_default) {
      calls.insert(name);  // with other arguments than the filter lets by
      if (!is_in(kDoesWithout, name)) question(name, item, rights);
    } else if (!is_in(kDoesWithout, name) || name == "socket") {
      question(name, item, rights);
    }
  }
  for (const auto& [seen, other] : kOrElse)
    if (calls.contains(std::string(seen))) calls.emplace(other);
  for (const std::string& name : open)
    if (!calls.contains(name) && !is_in(kProbes, name)) rights.closed.push_back(name);
  rights.calls.assign(calls.begin(), calls.end());
  arguments_of(needs, calls, rights);
  for (const CallArguments& one : rights.arguments)
    if (one.call == "socket" && one.index == 0)
      for (uint64_t value : one.values)
        for (const auto& [number, name] : kFamilies)
          if (value == number) rights.families.emplace_back(name);
  for (const auto& [name, item] : needs.of(Part::Capability)) {
    if ((item.uses & kWorked) != 0 && (item.uses & kSure) != 0) {
      rights.capabilities.push_back(name);
    } else if ((item.uses & kRefused) != 0) {
      rights.questions.push_back({"it was refused what " + name + " gives: " + item.note,
                                  (item.uses & kSure) != 0 ? "the kernel asks for it"
                                                           : "it may have been refused for another reason",
                                  "cap-add = [\"" + name + "\"]"});
    }
  }
}

}  // namespace immure::learn

#include "learn/deciding.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <charconv>
#include <utility>

#include "base/text.h"

namespace immure::learn {
namespace {

using watch::Event;

constexpr uint64_t kAll = ~uint64_t{0};
constexpr uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr uint64_t kParent = CLONE_PARENT;
constexpr uint64_t kSocketType = 0xf;  // without SOCK_NONBLOCK and SOCK_CLOEXEC

constexpr Deciding kDeciding[] = {
    {"socket", 0, kAll, true},
    {"socket", 1, kSocketType, true},
    {"socketpair", 0, kAll, true},
    {"ioctl", 1, kAll, true},
    {"prctl", 0, kAll, true},
    {"personality", 0, kAll, true},
    {"fcntl", 1, kAll, true},
    {"fcntl64", 1, kAll, true},
    {"clone", 0, kNamespaces | kParent, false},
    {"unshare", 0, kNamespaces, false},
    {"setns", 1, kAll, true},
    {"madvise", 2, kAll, true},
    {"seccomp", 0, kAll, true},
    {"arch_prctl", 0, kAll, true},
    {"keyctl", 0, kAll, true},
    {"ptrace", 0, kAll, true},
    {"bpf", 0, kAll, true},
};

bool refused(const Event& event, int error) { return event.result && *event.result == -error; }
bool low_port(const Event& event) {
  return (event.address.family == AF_INET || event.address.family == AF_INET6) && event.address.port != 0 &&
         event.address.port < 1024;
}
bool raw_socket(const Event& event) {
  return event.args[0] == AF_PACKET || ((event.args[0] == AF_INET || event.args[0] == AF_INET6) &&
                                        (event.args[1] & kSocketType) == SOCK_RAW);
}
bool node(const Event& event, size_t mode_at) {
  auto type = static_cast<mode_t>(event.args[mode_at]) & S_IFMT;
  return type == S_IFCHR || type == S_IFBLK;
}
bool other_namespaces(const Event& event) {
  return (event.args[0] & kNamespaces & ~uint64_t{CLONE_NEWUSER}) != 0;
}
bool bounding(const Event& event) {
  return event.args[0] == PR_CAPBSET_DROP || event.args[0] == PR_SET_SECUREBITS;
}
bool interface_change(const Event& event) {
  // SIOCADDRT to SIOCSIFMAP: those that set are even but for a few reads, which nothing refuses.
  auto request = static_cast<uint32_t>(event.args[1]);
  return request >= 0x890b && request <= 0x8937;
}

struct Row {
  const char* call;
  const char* capability;
  bool sure;  // whoever calls it needs it
  int error;  // how the kernel refuses who has it not
  bool (*when)(const Event&) = nullptr;
};
// Source: capabilities(7) and the manual page of each call.
constexpr Row kAsks[] = {
    {"chown", "chown", false, EPERM},
    {"fchown", "chown", false, EPERM},
    {"lchown", "chown", false, EPERM},
    {"fchownat", "chown", false, EPERM},
    {"chmod", "fowner", false, EPERM},
    {"fchmod", "fowner", false, EPERM},
    {"fchmodat", "fowner", false, EPERM},
    {"setuid", "setuid", false, EPERM},
    {"setreuid", "setuid", false, EPERM},
    {"setresuid", "setuid", false, EPERM},
    {"setgid", "setgid", false, EPERM},
    {"setregid", "setgid", false, EPERM},
    {"setresgid", "setgid", false, EPERM},
    {"setgroups", "setgid", true, EPERM},
    {"bind", "net_bind_service", true, EACCES, low_port},
    {"socket", "net_raw", true, EPERM, raw_socket},
    {"ioctl", "net_admin", false, EPERM, interface_change},
    {"chroot", "sys_chroot", true, EPERM},
    {"mknod", "mknod", true, EPERM, [](const Event& e) { return node(e, 1); }},
    {"mknodat", "mknod", true, EPERM, [](const Event& e) { return node(e, 2); }},
    {"kill", "kill", false, EPERM},
    {"capset", "setpcap", false, EPERM},
    {"prctl", "setpcap", true, EPERM, bounding},
    {"setpriority", "sys_nice", false, EACCES},
    {"sched_setscheduler", "sys_nice", false, EPERM},
    {"sched_setattr", "sys_nice", false, EPERM},
    {"ioprio_set", "sys_nice", false, EPERM},
    {"setrlimit", "sys_resource", false, EPERM},
    {"prlimit64", "sys_resource", false, EPERM},
    {"mlock", "ipc_lock", false, EPERM},
    {"mlockall", "ipc_lock", false, EPERM},
    {"ptrace", "sys_ptrace", false, EPERM},
    {"mount", "sys_admin", true, EPERM},
    {"umount2", "sys_admin", true, EPERM},
    {"pivot_root", "sys_admin", true, EPERM},
    {"fsopen", "sys_admin", true, EPERM},
    {"fsmount", "sys_admin", true, EPERM},
    {"move_mount", "sys_admin", true, EPERM},
    {"setns", "sys_admin", true, EPERM},
    {"unshare", "sys_admin", true, EPERM, other_namespaces},
    {"clone", "sys_admin", true, EPERM, other_namespaces},
    {"sethostname", "sys_admin", true, EPERM},
    {"setdomainname", "sys_admin", true, EPERM},
    {"clock_settime", "sys_time", true, EPERM},
    {"settimeofday", "sys_time", true, EPERM},
    {"init_module", "sys_module", true, EPERM},
    {"finit_module", "sys_module", true, EPERM},
    {"delete_module", "sys_module", true, EPERM},
    {"reboot", "sys_boot", true, EPERM},
    {"syslog", "syslog", false, EPERM},
    {"acct", "sys_pacct", true, EPERM},
    {"iopl", "sys_rawio", true, EPERM},
    {"open_by_handle_at", "dac_read_search", true, EPERM},
};

}  // namespace

std::vector<Deciding> deciding(std::string_view call) {
  std::vector<Deciding> all;
  for (const Deciding& row : kDeciding)
    if (call == row.call) all.push_back(row);
  return all;
}

std::string argument_key(std::string_view call, uint8_t index, uint64_t value) {
  return std::string(call) + " " + num(index) + " " + hex(value);
}

std::optional<ArgumentKey> parse_argument_key(std::string_view key) {
  std::vector<std::string_view> words = split(key, ' ');
  if (words.size() != 3 || words[1].size() != 1 || words[1][0] < '0' || words[1][0] > '5' ||
      !words[2].starts_with("0x"))
    return std::nullopt;
  ArgumentKey read{words[0], static_cast<uint8_t>(words[1][0] - '0'), 0};
  const char *begin = words[2].data() + 2, *end = words[2].data() + words[2].size();
  auto [stop, error] = std::from_chars(begin, end, read.value, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return read;
}

Asks asks_for(const Event& event, std::string_view call) {
  if (event.verdict == watch::Verdict::Denied) return {};  // the filter's answer, not the kernel's
  for (const Row& row : kAsks) {
    if (call != row.call || (row.when != nullptr && !row.when(event))) continue;
    bool done = event.result && *event.result >= 0;
    if (refused(event, row.error)) return {row.capability, row.sure};
    if (done && row.sure) return {row.capability, true};
  }
  return {};
}

}  // namespace immure::learn

#include <errno.h>
#include <linux/audit.h>

#include <algorithm>

#include "filter/filter.h"

namespace immure::filter {
namespace {

constexpr std::string_view kLaunch[] = {"execve", "sendmsg"};

CallPolicy allowed(std::string_view name) {
  std::optional<uint32_t> nr = syscall_number(Arch::X86_64, name);
  return {nr.value_or(~0U), {}, kAllow};
}

// A list that knows no other call, no other entry, and ends what tries.
Policy closed(std::vector<CallPolicy> calls) {
  std::sort(calls.begin(), calls.end(), [](const CallPolicy& a, const CallPolicy& b) { return a.nr < b.nr; });
  ArchPolicy native{Arch::X86_64, std::move(calls), SECCOMP_RET_KILL_PROCESS, syscall_limit(Arch::X86_64),
                    SECCOMP_RET_KILL_PROCESS};
  Policy policy;
  policy.arches.push_back(std::move(native));
  policy.foreign = SECCOMP_RET_KILL_PROCESS;
  return policy;
}

}  // namespace

Policy strict_policy(int exec_fd) {
  constexpr uint64_t kSetFs = 0x1002;  // ARCH_SET_FS: the thread pointer, which every C library sets first
  std::vector<CallPolicy> calls;
  for (std::string_view name : {"read", "write", "exit", "exit_group", "rt_sigreturn", "set_tid_address"})
    calls.push_back(allowed(name));
  CallPolicy thread_pointer = allowed("arch_prctl");
  thread_pointer.rules.push_back({{{ArgTest::Op::Eq, 0, true, kSetFs}}, kAllow});
  thread_pointer.otherwise = SECCOMP_RET_KILL_PROCESS;
  calls.push_back(std::move(thread_pointer));
  if (exec_fd < 0) {
    calls.push_back(allowed("execve"));
  } else {
    CallPolicy exec = allowed("execveat");
    exec.rules.push_back({{{ArgTest::Op::Eq, 0, true, static_cast<uint32_t>(exec_fd)}}, kAllow});
    exec.otherwise = SECCOMP_RET_KILL_PROCESS;
    calls.push_back(std::move(exec));
  }
  return closed(std::move(calls));
}

Policy init_policy() {
  std::vector<CallPolicy> calls;
  for (std::string_view name :
       {"wait4", "waitid", "kill", "tgkill", "read", "write", "recvmsg", "sendmsg", "sendto", "recvfrom", "ppoll",
        "poll", "rt_sigprocmask", "rt_sigtimedwait", "rt_sigreturn", "rt_sigaction", "signalfd4", "close", "getpid",
        "getppid", "exit", "exit_group", "restart_syscall", "getrusage"})
    calls.push_back(allowed(name));
  return closed(std::move(calls));
}

std::span<const std::string_view> launch_calls(bool listener) { return {kLaunch, listener ? 2U : 1U}; }

Status check_launch(const Policy& policy, bool listener) {
  for (std::string_view name : launch_calls(listener)) {
    seccomp_data call{};
    call.arch = AUDIT_ARCH_X86_64;
    call.nr = static_cast<int>(syscall_number(Arch::X86_64, name).value_or(~0U));
    Verdict verdict = decide(policy, call);
    if (verdict == kAllow || verdict == SECCOMP_RET_LOG) continue;
    return fail(Code::kFilter, "the filter denies " + std::string(name) + ", so no program could be started",
                name == "execve" ? "the program is started with it after the filter is in force"
                                 : "the filter's listener is handed to the supervisor with it",
                "allow " + std::string(name));
  }
  return {};
}

}  // namespace immure::filter

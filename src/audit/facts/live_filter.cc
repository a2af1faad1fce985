#include "audit/facts/live_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <thread>

#include "base/fd.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "uapi/syscalls.h"

namespace immure::audit {
namespace {

using filter::Arch;

constexpr long kSeize = 0x4206, kInterrupt = 0x4207, kGetFilter = 0x420c;
constexpr int kStopEvent = 128;        // PTRACE_EVENT_STOP
constexpr int kNoThread = 0x20000000;  // __WNOTHREAD: only what this thread traces
constexpr int kMaxFilters = 256;

long trace(long request, int tid, long address = 0, long data = 0) {
  return sys::call(__NR_ptrace, request, tid, address, data);
}

int32_t action(filter::Verdict verdict) { return static_cast<int32_t>(verdict & SECCOMP_RET_ACTION_FULL); }

bool alive(int proc) {
  char text[64];
  return read_small(proc, "stat", text) > 0;
}

// The signal to hand on when it is let go; -1: it did not stop, -2: it has ended.
int wait_for_stop(int tid) {
  timespec now{}, start{};
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    int status = 0;
    int got = waitpid(tid, &status, __WALL | WNOHANG | kNoThread);
    if (got == tid && WIFSTOPPED(status)) return status >> 16 == kStopEvent ? 0 : WSTOPSIG(status);
    if (got == tid || (got < 0 && errno == ECHILD)) return -2;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t passed = (now.tv_sec - start.tv_sec) * 1'000'000'000 + now.tv_nsec - start.tv_nsec;
    if (passed > 500'000'000) return -1;
    timespec pause{0, 10'000};
    nanosleep(&pause, nullptr);
  }
}

std::string take(int tid, FilterStack& stack) {
  for (int i = 0; i < kMaxFilters; i++) {
    long length = trace(kGetFilter, tid, i);
    if (length == -ENOENT) return {};
    if (length == -EACCES) return "reading filters takes CAP_SYS_ADMIN in the first user namespace";
    if (length == -EMEDIUMTYPE) return "a filter is not of the kind that can be read";
    if (length == -EIO || length == -EINVAL) return "this kernel does not hand filters out";
    if (length <= 0 || length > BPF_MAXINSNS) return "the kernel did not hand a filter out";
    std::vector<sock_filter> program(static_cast<size_t>(length));
    if (trace(kGetFilter, tid, i, sys::arg(program.data())) != length) return "a filter changed while read";
    stack.programs.push_back(std::move(program));
  }
  return "more filters than are looked at";
}

// Runs in the thread that traces. What is not let go here is when the thread ends.
FilterStack read_one(const FilterRequest& request) {
  FilterStack stack;
  long seized = trace(kSeize, request.tid);
  if (seized == -EPERM) stack.unknown = "not permitted, or another one traces it";
  if (seized == -ESRCH) stack.unknown = "it has ended meanwhile";
  if (seized != 0) {
    if (stack.unknown.empty()) stack.unknown = "the kernel refused";
    return stack;
  }
  // Now the number cannot be another's: had it been so before, the descriptor would be dead.
  bool same = alive(request.proc);
  trace(kInterrupt, request.tid);
  int signal = wait_for_stop(request.tid);
  if (signal == -1) stack.unknown = "it did not stop within 500 ms";
  if (signal == -2) stack.unknown = "it has ended meanwhile";
  if (signal < 0) return stack;
  if (same) stack.unknown = take(request.tid, stack);
  trace(PTRACE_DETACH, request.tid, 0, signal);
  if (!same) stack.unknown = "it has ended meanwhile";
  if (!stack.unknown.empty()) stack.programs.clear();
  return stack;
}

constexpr size_t kMostThreads = 16;

void read_all(std::span<const FilterRequest> requests, std::vector<FilterStack>& out) {
  size_t taken = 0;
  std::vector<std::pair<int, size_t>> seen;  // filters, which request
  auto like = [&](const FilterRequest& request) {
    return std::find_if(seen.begin(), seen.end(),
                        [&](const auto& one) { return one.first == request.filters; });
  };
  for (bool waiting : {false, true}) {
    for (size_t i = 0; i < requests.size(); i++) {
      if (requests[i].waiting != waiting) continue;
      auto known = like(requests[i]);
      if (known != seen.end() && (waiting || taken >= kMostThreads)) {
        out[i] = out[known->second];
        continue;
      }
      out[i] = read_one(requests[i]);
      taken++;
      if (out[i].unknown.empty()) seen.push_back({requests[i].filters, i});
    }
  }
}

}  // namespace

bool FilterStack::operator==(const FilterStack& other) const {
  auto same = [](const std::vector<sock_filter>& a, const std::vector<sock_filter>& b) {
    return a.size() == b.size() && memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0;
  };
  return unknown == other.unknown &&
         std::equal(programs.begin(), programs.end(), other.programs.begin(), other.programs.end(), same);
}

filter::Verdict verdict_of(const FilterStack& stack, Arch arch, const Call& call) {
  filter::Verdict strictest = filter::kAllow;
  auto number = filter::syscall_number(arch, call.name);
  if (!number) return filter::kAllow;
  seccomp_data data{};
  data.nr = static_cast<int>(*number);
  data.arch = arch == Arch::I386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
  data.instruction_pointer = 0x7f0000001000;
  for (size_t i = 0; i < 6; i++)
    data.args[i] = arch == Arch::I386 ? static_cast<uint32_t>(call.arguments[i]) : call.arguments[i];
  for (const auto& program : stack.programs) {
    auto verdict = filter::evaluate(program, data);
    filter::Verdict word = verdict ? *verdict : SECCOMP_RET_KILL_PROCESS;
    if (action(word) < action(strictest)) strictest = word;
  }
  return strictest;
}

std::optional<bool> lets_through(const FilterStack& stack, Arch arch, const Call& call) {
  if (!filter::syscall_number(arch, call.name)) return std::nullopt;
  auto word = action(verdict_of(stack, arch, call));
  return word == action(SECCOMP_RET_ALLOW) || word == action(SECCOMP_RET_LOG);
}

std::vector<FilterStack> read_filters(std::span<const FilterRequest> requests) {
  std::vector<FilterStack> out(requests.size());
  if (requests.empty()) return out;
  std::thread([&] { read_all(requests, out); }).join();
  return out;
}

bool waits_in_fragile_call(int proc) {
  char text[256];
  long n = read_small(proc, "syscall", text);
  if (n <= 0) return false;
  std::string_view rest(text, static_cast<size_t>(n));
  std::string_view word = next_word(rest);
  for (long number : {__NR_epoll_wait, __NR_epoll_pwait, __NR_epoll_pwait2, __NR_semop, __NR_semtimedop,
                      __NR_rt_sigtimedwait, __NR_io_getevents, __NR_io_pgetevents, __NR_io_uring_enter,
                      __NR_msgrcv, __NR_msgsnd})
    if (word == std::to_string(number)) return true;
  return false;
}

}  // namespace immure::audit

#include "watch/sources/tracer.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "kernel/proc.h"
#include "watch/sources/follower.h"

namespace immure::watch {
namespace {

// Calls that have not returned keep what was read of them. Beyond this they are told as entered, without a
// result.
constexpr size_t kMostPending = 32 << 20;
constexpr uint64_t kMostLeaving = 2'000'000'000;  // nanoseconds
constexpr int kCallStop = SIGTRAP | 0x80;

long trace(int request, pid_t tid, unsigned long address = 0, unsigned long data = 0) {
  return ptrace(static_cast<__ptrace_request>(request), tid, address, data);
}

uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

bool is_stop_signal(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

// The flags of the call that has just made a process: its registers are still those of the call.
uint64_t birth_flags(pid_t tid) {
  user_regs_struct regs{};
  if (trace(PTRACE_GETREGS, tid, 0, reinterpret_cast<unsigned long>(&regs)) != 0) return 0;
  constexpr uint64_t kCompatSegment = 0x23;
  const bool compat = regs.cs == kCompatSegment;
  const uint32_t arch = compat ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
  const std::string_view name = name_of_call(arch, static_cast<uint32_t>(regs.orig_rax));
  const uint64_t first = compat ? static_cast<uint32_t>(regs.rbx) : regs.rdi;
  if (name == "clone") return static_cast<uint32_t>(first);
  if (name == "vfork") return CLONE_VM | CLONE_VFORK | SIGCHLD;
  uint64_t flags = SIGCHLD;
  if (name == "clone3") read_memory(tid, first, &flags, sizeof flags);
  return flags;
}

pid_t process_of(pid_t tid, pid_t& parent) {
  std::array<char, 4096> buffer;
  const ProcStatus status =
      parse_status(read_view(("/proc/" + std::to_string(tid) + "/status").c_str(), buffer));
  parent = status.ppid;
  return status.tgid;
}

}  // namespace

bool Tracer::racy(pid_t pid) const {
  auto found = groups_.find(pid);
  return found == groups_.end() || found->second.threads > 1 || found->second.shares;
}

void Tracer::emit(RecordWriter& writer, const Thread& thread) {
  CallRecord& head = writer.head();
  head.pid = thread.pid;
  head.tid = thread.tid;
  head.time = now();
  queue_.put(writer.record());
}

void Tracer::add(pid_t tid, pid_t pid) {
  Thread& thread = threads_[tid];
  if (thread.tid != 0) return;
  thread.tid = tid;
  thread.pid = pid;
  groups_[pid].threads++;
}

// Who stops without having been heard of is a child that was faster than the news of its birth.
Tracer::Thread& Tracer::known(pid_t tid) {
  if (auto found = threads_.find(tid); found != threads_.end()) return found->second;
  pid_t parent = 0;
  const pid_t pid = process_of(tid, parent);
  add(tid, pid > 0 ? pid : tid);
  Thread& thread = threads_[tid];
  early_[tid] = thread.pid == tid ? parent : thread.pid;
  RecordWriter writer(kStageBorn);
  writer.head().args[0] = static_cast<uint64_t>(thread.pid == tid ? parent : thread.pid);
  writer.head().args[1] = thread.pid == tid ? 0 : CLONE_THREAD;
  groups_[thread.pid].shares = true;  // not known to be otherwise
  emit(writer, thread);
  return thread;
}

void Tracer::go_on(Thread& thread, int signal) {
  const int request = !target_.stops_for_tracer || thread.waits_for_exit ? PTRACE_SYSCALL : PTRACE_CONT;
  trace(request, thread.tid, 0, static_cast<unsigned long>(signal));
}

// ---- calls

void Tracer::entered(Thread& thread) {
  const CallRow* row = row_of(thread.call.arch, thread.call.nr);
  if (!watched(row, level_, thread.call.args)) return;
  RecordWriter writer(kStageEntered);
  CallRecord& head = writer.head();
  head.arch = thread.call.arch;
  head.nr = thread.call.nr;
  std::copy(std::begin(thread.call.args), std::end(thread.call.args), head.args);
  thread.exec = row != nullptr && row->action == Action::Exec;
  // The words of an exec that succeeds are the kernel's afterwards; of one that fails they are still there.
  if (row != nullptr) read_items(thread.call, *row, false, writer);
  if (racy(thread.pid)) head.marks |= kMarkRacy;
  if (pending_bytes_ > kMostPending && !thread.exec) {
    emit(writer, thread);
    return;
  }
  std::span<const uint8_t> record = writer.record();
  thread.pending.assign(record.begin(), record.end());
  pending_bytes_ += record.size();
  thread.waits_for_exit = true;
}

void Tracer::left(Thread& thread, int64_t result) {
  thread.waits_for_exit = false;
  if (thread.pending.empty()) return;
  RecordWriter writer(thread.pending);
  writer.head().stage = kStageLeft;
  writer.head().result = result;
  if (thread.exec)
    if (const CallRow* row = row_of(thread.call.arch, thread.call.nr)) read_words(thread.call, *row, writer);
  pending_bytes_ -= thread.pending.size();
  thread.pending.clear();
  thread.exec = false;
  emit(writer, thread);
}

void Tracer::give_up(Thread& thread) {
  if (thread.pending.empty()) return;
  RecordWriter writer(thread.pending);
  pending_bytes_ -= thread.pending.size();
  thread.pending.clear();
  thread.waits_for_exit = thread.exec = false;
  emit(writer, thread);
}

void Tracer::at_call(Thread& thread) {
  __ptrace_syscall_info info{};
  if (trace(PTRACE_GET_SYSCALL_INFO, thread.tid, sizeof info, reinterpret_cast<unsigned long>(&info)) <= 0)
    return;
  if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
    left(thread, info.exit.rval);
    return;
  }
  // It will stop once more if it is of those that are wanted.
  if (target_.stops_for_tracer && info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    give_up(thread);
    return;
  }
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY && info.op != PTRACE_SYSCALL_INFO_SECCOMP) return;
  give_up(thread);  // a call whose end was not seen
  thread.call.tid = thread.tid;
  thread.call.arch = info.arch;
  thread.call.nr = static_cast<uint32_t>(info.entry.nr);
  std::copy(std::begin(info.entry.args), std::end(info.entry.args), thread.call.args);
  entered(thread);
}

// ---- births, changes, ends

void Tracer::born(Thread& parent) {
  unsigned long message = 0;
  if (trace(PTRACE_GETEVENTMSG, parent.tid, 0, reinterpret_cast<unsigned long>(&message)) != 0) return;
  const pid_t tid = static_cast<pid_t>(message), parent_pid = parent.pid;
  const uint64_t flags = birth_flags(parent.tid);
  const bool shares = (flags & CLONE_VM) != 0;
  const bool alone = (flags & CLONE_VFORK) != 0 && groups_[parent_pid].threads == 1;
  if (early_.erase(tid) != 0 || threads_.contains(tid)) {  // it was faster, and is told already; or even gone
    if ((flags & CLONE_THREAD) == 0 && threads_.contains(tid)) groups_[tid].shares = shares && !alone;
  } else {
    const bool is_thread = (flags & CLONE_THREAD) != 0;
    add(tid, is_thread ? parent_pid : tid);
    RecordWriter writer(kStageBorn);
    writer.head().args[0] = static_cast<uint64_t>(parent_pid);
    writer.head().args[1] = flags;
    if (!is_thread) groups_[tid].shares = shares && !alone;
    emit(writer, threads_[tid]);
  }
  if (shares && (flags & (CLONE_THREAD | CLONE_VFORK)) == 0) groups_[parent_pid].shares = true;
}

void Tracer::changed(Thread& leader) {
  unsigned long former = 0;
  trace(PTRACE_GETEVENTMSG, leader.tid, 0, reinterpret_cast<unsigned long>(&former));
  const pid_t pid = leader.pid;
  // Who made the call is the first thread now, whichever it was; all others are gone, some without a word.
  if (auto found = threads_.find(static_cast<pid_t>(former));
      found != threads_.end() && &found->second != &leader) {
    give_up(leader);
    leader.call = found->second.call;
    leader.pending.swap(found->second.pending);
    leader.exec = found->second.exec;
    found->second.pending.clear();
  }
  for (auto one = threads_.begin(); one != threads_.end();) {
    if (one->second.pid != pid || one->first == pid) {
      ++one;
      continue;
    }
    give_up(one->second);
    one = threads_.erase(one);
  }
  const bool was_racy = racy(pid);
  groups_[pid] = {1, false};

  RecordWriter writer(kStageChanged);
  if (!leader.pending.empty()) {
    writer = RecordWriter(leader.pending);
    pending_bytes_ -= leader.pending.size();
    leader.pending.clear();
  }
  leader.exec = leader.waits_for_exit = false;
  CallRecord& head = writer.head();
  head.stage = kStageChanged;
  head.marks = was_racy ? kMarkRacy : kMarkSettled;
  head.result = 0;
  std::array<char, kMostItemBytes> buffer;
  const std::string folder = "/proc/" + std::to_string(pid) + "/";
  const long words = read_small(AT_FDCWD, (folder + "cmdline").c_str(), buffer);
  if (words > 0) writer.item(kItemWords, 255, {buffer.data(), static_cast<size_t>(words)});
  const ssize_t length = readlink((folder + "exe").c_str(), buffer.data(), buffer.size());
  if (length > 0) writer.item(kItemExecutable, 255, {buffer.data(), static_cast<size_t>(length)});
  emit(writer, leader);
}

void Tracer::ended(pid_t tid, int status) {
  auto found = threads_.find(tid);
  if (found == threads_.end()) return;
  Thread& thread = found->second;
  give_up(thread);
  RecordWriter writer(kStageEnded);
  writer.head().result = status;
  emit(writer, thread);
  auto group = groups_.find(thread.pid);
  if (group != groups_.end() && --group->second.threads <= 0) {
    // Who was killed has no news to tell any more.
    std::erase_if(early_, [&](const auto& one) { return one.second == thread.pid; });
    groups_.erase(group);
  }
  threads_.erase(found);
}

// ---- stops

void Tracer::stopped(Thread& thread, int status) {
  const int signal = WSTOPSIG(status), event = status >> 16;
  if (signal == kCallStop && event == 0) {
    at_call(thread);
    go_on(thread);
    return;
  }
  switch (event) {
    case 0: go_on(thread, signal); return;  // a signal that is to be delivered
    case PTRACE_EVENT_SECCOMP: at_call(thread); break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE: born(thread); break;
    case PTRACE_EVENT_EXEC: changed(thread); break;
    case PTRACE_EVENT_STOP:
      if (is_stop_signal(signal)) {
        trace(PTRACE_LISTEN, thread.tid);  // stopped it stays
        return;
      }
      break;
    default: break;
  }
  go_on(thread);
}

void Tracer::begin_to_leave() {
  leaving_ = true;
  leave_until_ = now() + kMostLeaving;
  for (auto& [tid, thread] : threads_) trace(PTRACE_INTERRUPT, tid);
}

void Tracer::let_go(Thread& thread, int status) {
  const int signal = WSTOPSIG(status), event = status >> 16;
  // The child is traced as well, and stops by itself.
  if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) born(thread);
  const bool delivers = event == 0 && signal != kCallStop;
  give_up(thread);
  trace(PTRACE_DETACH, thread.tid, 0, static_cast<unsigned long>(delivers ? signal : 0));
}

void Tracer::run() {
  Follower follower;
  while (true) {
    if (stopping_ && !leaving_) begin_to_leave();
    int status = 0;
    const pid_t tid = waitpid(-1, &status, __WALL | __WNOTHREAD);
    if (tid < 0 && errno == EINTR) {
      // Whoever waits for a child of vfork(2) does not stop. When this thread ends the kernel lets go of it.
      if (leaving_ && now() > leave_until_) break;
      continue;
    }
    if (tid < 0) break;  // ECHILD: nobody is left
    if (is_stranger(tid, status)) continue;
    if (!WIFSTOPPED(status)) {
      ended(tid, status);
      continue;
    }
    follower.stopped(tid);
    Thread& thread = known(tid);
    if (leaving_)
      let_go(thread, status);
    else
      stopped(thread, status);
  }
  queue_.close();
}

}  // namespace immure::watch

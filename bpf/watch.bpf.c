// The kernel's side of the source `ebpf`: every call of the watched processes is counted, and those of the
// level are written down when they come back, with what the caller's memory and the kernel's own objects say.
//
// Calls are looked at on their way out. A call that the jail's filter denies never comes to where calls are
// seen on their way in, and that is how it is told apart. What the kernel has just read of the caller's
// memory is there, and can be read without a fault.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
// The order of these matters.
#include <linux/bpf.h>
//
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <linux/audit.h>

#include "kernel.h"
#include "kernel/call_record.h"
#include "watch/sources/ebpf_tables.h"
//
#include "record.h"
//
#include "file.h"

char terms[] SEC("license") = "GPL";

// Constants from the loader on.
const volatile struct EbpfRow rows[kEbpfMostRows] = {};
const volatile uint16_t row_of_call[kEbpfEntries][kEbpfMostNumbers] = {};  // 0: not in the table
const volatile uint64_t values[kEbpfMostValues] = {};
const volatile bool everything = false;  // all are watched but those whose bit is set; else those whose is
const volatile bool each_call = false;   // also those that are only a number are written, none is counted
const volatile bool signals = false;
const volatile uint32_t jail_namespace = 0, jail_level = 0;  // whoever is born into it is watched

// By process. The loader sets bits for those that were there before.
__u64 chosen[kEbpfMostPids / 64];
__u64 ended[kEbpfMostPids / 64];
__s64 alive;  // of those chosen

// By thread, each written by itself alone.
// kTaskKnown: its next call will be seen on its way in, or is denied.
enum { kTaskKnown = 1, kTaskInCall = 2, kTaskNewborn = 4 };
__u8 tasks[kEbpfMostPids];
// Ways in cost as much again as ways out, and tell only what a filter denied: they are looked at from when on
// a watched process has one.
bool wants_entries;
bool has_entries;  // they are, says the loader: who is born now is known from its first call on

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, kEbpfMostCounted);
  __type(key, struct EbpfCounted);
  __type(value, __u64);
} counted SEC(".maps");

static __always_inline bool set_bit(__u64* bits, __u32 pid) {
  __u64 bit = 1ULL << (pid & 63);
  return __sync_fetch_and_or(&bits[pid / 64 % (kEbpfMostPids / 64)], bit) & bit;
}
static __always_inline bool clear_bit(__u64* bits, __u32 pid) {
  __u64 bit = 1ULL << (pid & 63);
  return __sync_fetch_and_and(&bits[pid / 64 % (kEbpfMostPids / 64)], ~bit) & bit;
}
static __always_inline bool is_chosen(__u32 pid) {
  return chosen[pid / 64 % (kEbpfMostPids / 64)] >> (pid & 63) & 1;
}
static __always_inline bool is_watched(__u32 pid) { return is_chosen(pid) != everything; }
static __always_inline __u8* state_of(__u32 tid) { return &tasks[tid % kEbpfMostPids]; }

struct call {
  __u32 arch, nr, entry, row;
};

enum { kCompat = 2, kX32 = 0x40000000, kFilterMode = 2 };

static __always_inline struct call call_of(struct task_struct* task, struct pt_regs* regs) {
  struct call call = {.arch = AUDIT_ARCH_X86_64, .nr = regs->orig_ax};
  if (task->thread_info.status & kCompat) {
    call.arch = AUDIT_ARCH_I386;
    call.entry = 1;
  } else if (call.nr & kX32 && call.nr != ~0U) {
    call.entry = 2;
  }
  // What a signal's handler returns with puts back the registers of another time.
  if (call.nr == ~0U) call.nr = call.entry == 1 ? 173 : 15;
  __u32 number = call.entry == 2 ? call.nr & ~kX32 : call.nr;
  if (number < kEbpfMostNumbers) call.row = row_of_call[call.entry][number];
  return call;
}

static __always_inline void read_args(uint64_t* args, struct pt_regs* regs, bool compat) {
  if (compat) {
    args[0] = (__u32)regs->bx, args[1] = (__u32)regs->cx, args[2] = (__u32)regs->dx;
    args[3] = (__u32)regs->si, args[4] = (__u32)regs->di, args[5] = (__u32)regs->bp;
  } else {
    args[0] = regs->di, args[1] = regs->si, args[2] = regs->dx;
    args[3] = regs->r10, args[4] = regs->r8, args[5] = regs->r9;
  }
}

static __always_inline void count(int pid, const struct call* call) {
  struct EbpfCounted key = {.pid = pid, .call = call->nr | (call->entry == 1 ? 1U << 31 : 0)};
  if ((call->nr & ~kX32) >= kEbpfMostNumbers) key.call = kEbpfMostNumbers;
  __u64 one = 1, *counter = bpf_map_lookup_elem(&counted, &key);
  if (!counter) {
    if (bpf_map_update_elem(&counted, &key, &one, BPF_NOEXIST) == 0) return;
    counter = bpf_map_lookup_elem(&counted, &key);  // another thread of it was quicker
  }
  if (counter)
    __sync_fetch_and_add(counter, 1);
  else
    __sync_fetch_and_add(&lost, 1);
}

__noinline int is_one_of(__u32 first, __u32 number, __u64 value, __u64 mask) {
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < kEbpfMostTested; i++) {
    if (i >= number) break;
    if ((values[(first + i) % kEbpfMostValues] & mask) == value) return 1;
  }
  return 0;
}

struct arguments {
  uint64_t is[6];
};

// One of the tests of a row.
__noinline int holds(__u32 number, __u32 which, const struct arguments* args) {
  if (!args || which >= kEbpfMostTests) return 0;
  const volatile struct EbpfTest* test = &rows[number % kEbpfMostRows].test[which];
  __u32 first = test->first % kEbpfMostValues, argument = test->argument;
  if (argument >= 6) return 0;
  __u64 mask = test->whole ? ~0ULL : 0xffffffff, value = args->is[argument] & mask, set = values[first];
  switch (test->kind) {
    case kEbpfAnyBit: return (value & set) != 0;
    case kEbpfNoBit: return (value & set) == 0;
    case kEbpfAllBits: return (value & set) == set;
    case kEbpfOneOf: return is_one_of(first, test->count, value, mask);
    case kEbpfNoneOf: return !is_one_of(first, test->count, value, mask);
  }
  return 0;
}

static __always_inline bool is_wanted(__u32 number, const struct arguments* args) {
  __u32 tests = rows[number % kEbpfMostRows].tests;
  if (tests == 0) return true;
  for (__u32 i = 0; i < kEbpfMostTests; i++)
    if (i < tests && holds(number, i, args)) return true;
  return false;
}

// Another thread, or what the call itself wrote: both may have changed the memory since the kernel read it.
static __always_inline bool is_racy(struct task_struct* task, const uint64_t* args, __u32 argument,
                                    bool writes) {
  if (task->mm->mm_users.counter > 1) return true;
  if (!writes) return false;
  for (__u32 i = 0; i < 6; i++)
    if (i != argument && args[i] - args[argument] + 4096 < 8192) return true;
  return false;
}

// The row's capture of that number. 1: there is none.
__noinline int put_capture(struct scratch* to, __u32 number, __u32 which, __u32 entry) {
  const volatile struct EbpfRow* row = &rows[number % kEbpfMostRows];
  if (!to || which >= kEbpfMostCaptures || which >= row->captures) return 1;
  const volatile struct EbpfCapture* capture = &row->capture[which];
  __u32 argument = capture->argument, length = capture->length, in = capture->length_in, kind = capture->kind;
  if (argument >= 6 || to->head.args[argument] == 0) return 0;
  __u64 address = to->head.args[argument];
  if (is_racy(bpf_get_current_task_btf(), to->head.args, argument, row->writes)) to->head.marks |= kMarkRacy;
  if (in < 6 && (__u32)to->head.args[in] < length) length = to->head.args[in];
  if (kind == kItemPath || kind == kItemText)
    put_text(to, kind, argument, address);
  else if (kind == kItemWords)
    put_words(to, argument, address, entry == 0 ? 8 : 4);
  else
    put_bytes(to, kind, argument, address, length);
  return 0;
}

static __always_inline void put_captures(struct scratch* to, __u32 number, __u32 entry) {
  for (__u32 i = 0; i < kEbpfMostCaptures; i++)
    if (put_capture(to, number, i, entry)) break;
}

enum { kErestartFirst = -516, kErestartLast = -512, kEintr = -4, kEinprogress = -115 };

static __always_inline void tell(struct scratch* to, const struct call* call, struct task_struct* task,
                                 long result, bool denied) {
  const volatile struct EbpfRow* row = &rows[call->row % kEbpfMostRows];
  if (denied) to->head.marks |= kMarkDenied;
  __u8 special = row->special;
  bool done = false;
  if (special == kEbpfConnects && (result == 0 || result == kEinprogress))
    done = put_peer(to, (__u64)file_of(task, to->head.args[0]));
  if (done) {
    to->head.marks |= kMarkSettled;
  } else {
    put_captures(to, call->row, call->entry);
  }
  if (special == kEbpfOpens && result >= 0 && !denied) {
    struct file* file = file_of(task, result);
    if (file) {
      put_path(to, kItemResolved, (__u64)file);
      to->head.marks |= kMarkSettled;
    }
  }
  finish(to, false);
}

static __always_inline void want_entries(void) {
  wants_entries = true;
  void* nothing = bpf_ringbuf_reserve(&ring, 8, 0);
  if (nothing) bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs* regs, long nr) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (task->seccomp.mode == kFilterMode && is_watched(task->tgid))
    *state_of(task->pid) = kTaskKnown | kTaskInCall;
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs* regs, long result) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (!is_watched(task->tgid)) return 0;
  __u8* state = state_of(task->pid);
  __u8 before = *state;
  *state = has_entries ? kTaskKnown : 0;
  if (before & kTaskNewborn) return 0;  // the other end of its parent's call
  bool denied = false;
  if (task->seccomp.mode == kFilterMode) {
    denied = before == kTaskKnown;
    if (!wants_entries) want_entries();
  }
  struct call call = call_of(task, regs);
  if (call.row == 0 && !each_call && !denied) {
    count(task->tgid, &call);
    return 0;
  }
  struct arguments args;
  read_args(args.is, regs, call.entry == 1);
  const volatile struct EbpfRow* row = &rows[call.row % kEbpfMostRows];
  if (call.row != 0 && !each_call && !denied && !is_wanted(call.row, &args)) {
    count(task->tgid, &call);
    return 0;
  }
  // What it became is told by on_exec.
  if (row->special == kEbpfExecs && result == 0) return 0;
  struct scratch* to = begin(kScratchCalls, kStageLeft, task->tgid, task->pid);
  if (!to) return 0;
  __builtin_memcpy(to->head.args, &args, sizeof args);
  to->head.arch = call.arch;
  to->head.nr = call.nr;
  to->head.result = result >= kErestartFirst && result <= kErestartLast ? kEintr : result;
  if (call.row == 0 && !denied)
    finish_plain(to);
  else
    tell(to, &call, task, result, denied);
  return 0;
}

enum { kThread = 0x00200000 };

static __always_inline bool is_born_inside(struct task_struct* task) {
  if (jail_namespace == 0) return false;
  struct pid* pid = task->thread_pid;
  if (BPF_CORE_READ(pid, level) < jail_level) return false;
  struct upid at = {};
  const void* numbers = &pid->numbers;
  bpf_probe_read_kernel(&at, sizeof at, numbers + jail_level * sizeof at);
  return BPF_CORE_READ(at.ns, ns.inum) == jail_namespace;
}

// What the child shares and what not, in the words of clone(2): found by comparing, so that no memory of the
// caller's is believed.
static __always_inline __u64 clone_flags(struct task_struct* parent, struct task_struct* child) {
  struct nsproxy *old = parent->nsproxy, *new = child->nsproxy;
  __u64 flags = 0;
  if (child->mm == parent->mm) flags |= 0x100;
  if (child->fs == parent->fs) flags |= 0x200;
  if (child->files == parent->files) flags |= 0x400;
  if (child->tgid == parent->tgid) flags |= 0x10000;
  if (new&& old&& new != old) {
    if (new->mnt_ns != old->mnt_ns) flags |= 0x20000;
    if (new->cgroup_ns != old->cgroup_ns) flags |= 0x2000000;
    if (new->uts_ns != old->uts_ns) flags |= 0x4000000;
    if (new->ipc_ns != old->ipc_ns) flags |= 0x8000000;
    if (new->pid_ns_for_children != old->pid_ns_for_children) flags |= 0x20000000;
    if (new->net_ns != old->net_ns) flags |= 0x40000000;
  }
  if (child->cred->user_ns != parent->cred->user_ns) flags |= 0x10000000;
  return flags;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct* parent, struct task_struct* child) {
  bool process = child->tgid != parent->tgid;
  if (everything) {
    if (child->flags & kThread) return 0;
    if (process) clear_bit(ended, child->tgid);
    if (is_chosen(parent->tgid)) {
      if (process) set_bit(chosen, child->tgid);
      return 0;
    }
    if (process) clear_bit(chosen, child->tgid);
  } else {
    if (!is_chosen(parent->tgid) && !is_born_inside(child)) return 0;
    if (process && !set_bit(chosen, child->tgid)) __sync_fetch_and_add(&alive, 1);
  }
  *state_of(child->pid) = kTaskInCall | kTaskNewborn | (has_entries ? kTaskKnown : 0);
  struct scratch* to = begin(kScratchProcesses, kStageBorn, child->tgid, child->pid);
  if (!to) return 0;
  to->head.args[0] = parent->tgid;
  to->head.args[1] = clone_flags(parent, child);
  finish(to, false);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* task, int old_tid, struct linux_binprm* program) {
  if (!is_watched(task->tgid)) return 0;
  *state_of(task->pid) = kTaskInCall | (has_entries ? kTaskKnown : 0);
  struct scratch* to = begin(kScratchProcesses, kStageChanged, task->tgid, task->pid);
  if (!to) return 0;
  struct call call = call_of(task, (struct pt_regs*)bpf_task_pt_regs(task));
  to->head.arch = call.arch;
  to->head.nr = call.nr;
  to->head.marks = kMarkSettled;
  put_path(to, kItemExecutable, (__u64)BPF_CORE_READ(program, file));
  __u32 room;
  unsigned char* bytes = item_bytes(to, &room);
  if (bytes) {
    long got = bpf_probe_read_kernel_str(bytes, at_most(kMostItemBytes, room), program->filename);
    if (got > 0) end_item(to, kItemPath, 0, got == room ? kItemCut : kItemWhole, got - 1);
  }
  __u64 first = task->mm->arg_start, behind = task->mm->arg_end;
  if (behind > first) put_bytes(to, kItemWords, 1, first, behind - first > 65536 ? 65536 : behind - first);
  finish(to, false);
  return 0;
}

enum { kGroupExit = 4 };

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_end, struct task_struct* task) {
  *state_of(task->pid) = 0;
  struct signal_struct* group = task->signal;
  if (!is_watched(task->tgid)) {
    if (everything && group->live.counter == 0) clear_bit(chosen, task->tgid);
    return 0;
  }
  // The last threads of a process may end together, and both see that nobody is left.
  if (group->live.counter != 0) return 0;
  bool last = false;
  if (everything) {
    if (set_bit(ended, task->tgid)) return 0;
  } else {
    if (!clear_bit(chosen, task->tgid)) return 0;
    last = alive == 1;
  }
  struct scratch* to = begin(kScratchProcesses, kStageEnded, task->tgid, task->pid);
  if (to) {
    to->head.result = group->flags & kGroupExit ? group->group_exit_code : task->group_leader->exit_code;
    finish(to, last);
  }
  // Not before the record is there: who sees that nobody is left takes what is in the ring, and goes.
  if (!everything) __sync_fetch_and_add(&alive, -1);
  return 0;
}

// Of those that the kernel sends: faults, limits, and what the filter or the lack of memory ends.
enum {
  kKernelSends = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 11 | 1 << 24 | 1 << 25 | 1 << 31
};

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int number, struct kernel_siginfo* info, struct task_struct* to_whom, int group,
             int result) {
  if (!signals || result != 0 || number == 17) return 0;
  __u64 plain = (__u64)info;
  int code = plain == 0 ? 0 : plain == 1 ? 0x80 : info->si_code;
  bool sent = code == 0 || code == -1 || code == -6;  // by kill, sigqueue, tgkill; not by a timer
  struct task_struct* task = bpf_get_current_task_btf();
  if (!sent && !((__u32)kKernelSends >> (number & 31) & 1)) return 0;
  if (!is_watched(to_whom->tgid) && !(sent && is_watched(task->tgid))) return 0;
  // It may come while another record is being written.
  struct CallRecord record = {.size = sizeof record, .stage = kStageSignal, .marks = kMarkSettled};
  record.arch = AUDIT_ARCH_X86_64;
  record.nr = number;
  record.pid = sent ? task->tgid : to_whom->tgid;
  record.tid = sent ? task->pid : to_whom->pid;
  record.time = bpf_ktime_get_ns();
  record.args[0] = to_whom->tgid;
  record.args[1] = (__u64)(__s64)code;
  send(&record, sizeof record, false);
  return 0;
}

// Other processes: their memory, files, signals, priorities.
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include <cerrno>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium,
                   kHigh = Severity::High;

// Whether the process that is named is not the caller. In a pid namespace numbers are others than the
// watcher's, so that a process which names itself by number looks like another one: severities allow for it.
bool of_other(const Event& event) {
  return event.other > 0 && event.other != event.pid && event.other != event.tid;
}
bool of_first(const Event& event) { return event.other == 1; }
bool second_is_other(const Event& event) {
  const auto other = static_cast<int32_t>(event.args[1]);
  return other > 0 && other != event.pid && other != event.tid;
}
template <unsigned long request>
bool asks(const Event& event) {
  return event.args[0] == request;
}

constexpr Step kTraceSteps[] = {
    calls("trace-first", kHigh, "ptrace", "attaches to the jail's first process",
          [](const Event& e) { return (asks<PTRACE_ATTACH>(e) || asks<PTRACE_SEIZE>(e)) && e.args[1] == 1; }),
    calls("trace-attach", kMedium, "ptrace", "attaches to another process", asks<PTRACE_ATTACH>),
    calls("trace-seize", kMedium, "ptrace", "seizes another process", asks<PTRACE_SEIZE>),
    calls("filter-tracer-read", kMedium, "ptrace", "reads a filter of system calls",
          asks<PTRACE_SECCOMP_GET_FILTER>),
    calls("filter-tracer-suspend", kHigh, "ptrace", "asks that a filter of system calls is suspended",
          [](const Event& e) {
            constexpr uint64_t kSuspend = 1 << 21;
            return asks<PTRACE_SETOPTIONS>(e) && (e.args[3] & kSuspend) != 0;
          }),
    calls("filter-tracer-number", kLow, "ptrace", "changes the registers of a process that it traces",
          [](const Event& e) {
            return asks<PTRACE_SETREGS>(e) || asks<PTRACE_POKEUSER>(e) || asks<PTRACE_SETREGSET>(e);
          }),
    calls("trace-me", kLow, "ptrace", "has itself traced", asks<PTRACE_TRACEME>),
    calls("memory-read-first", kHigh, "process_vm_readv", "reads the memory of the jail's first process",
          of_first),
    calls("memory-read", kMedium, "process_vm_readv", "reads the memory of another process", of_other),
    calls("memory-write-first", kHigh, "process_vm_writev", "writes the memory of the jail's first process",
          of_first),
    calls("memory-write", kHigh, "process_vm_writev", "writes the memory of another process", of_other),
    calls("copy-descriptors", kMedium, "pidfd_getfd", "takes a descriptor of another process"),
    calls("compare-first", kMedium, "kcmp", "compares itself with the jail's first process",
          [](const Event& e) { return e.args[0] == 1 || e.args[1] == 1; }),
    calls("compare-process", kLow, "kcmp", "compares processes",
          [](const Event& e) { return of_other(e) || second_is_other(e); }),
    calls("memory-advise", kLow, "process_madvise", "advises the kernel about the memory of another process"),
    calls("memory-release", kLow, "process_mrelease", "has the memory of another process taken away"),
    calls("page-places", kLow, "move_pages", "moves or finds the pages of another process", of_other),
    calls("page-migration", kLow, "migrate_pages", "moves the pages of another process", of_other),
    calls("perf-process", kLow, "perf_event_open", "counts what another process does",
          [](const Event& e) {
            return static_cast<int32_t>(e.args[1]) > 0 && static_cast<int32_t>(e.args[1]) != e.pid;
          }),
    calls("robust-list", kLow, "get_robust_list", "asks for the locks of another process",
          [](const Event& e) { return e.args[0] != 0; }),
    calls("memory-advise", kNotice, "pidfd_open", "takes a descriptor of a process"),
};

extern const Detector kTracing;
const Detector kTracing = {
    "into-processes",
    kMedium,
    "reach into another process",
    "A tracer is its tracee: it reads and writes its memory, takes its descriptors and makes calls in its name. "
    "Debuggers and tracers do it to programs that they started; little else does.",
    "ptrace(2); process_vm_readv(2); pidfd_getfd(2); T1055",
    "trace-* memory-read memory-read-* memory-write memory-write-* memory-advise memory-release compare-* "
    "robust-list page-* perf-process copy-descriptors leaked-pidfd-copy filter-tracer-* advise-other signal-pidfd "
    "enter-by-descriptor enter-first-by-descriptor setns-own-pidfd",
    bit(Kind::Trace) | bit(Kind::Module) | bit(Kind::Other),
    start_steps<kTracing, kTraceSteps>};

// ---- signals, priorities

bool none_there(const Event& event) { return failed_with(event, ESRCH); }

constexpr Step kSignalSteps[] = {
    calls("signal-everybody", kMedium, "kill", "sends a signal to everybody",
          [](const Event& e) { return static_cast<int32_t>(e.args[0]) == -1; }),
    calls("signal-kill", kMedium, "kill", "sends a signal to a process that is not its own",
          [](const Event& e) { return failed_with(e, EPERM) || e.verdict == Verdict::Denied; }),
    calls("signal-kill", kNotice, "kill", "sends a signal to a process that is not there", none_there),
    calls("signal-queue", kNotice, "rt_sigqueueinfo", "queues a signal for another process", of_other),
    calls("signal-thread", kNotice, "tgkill", "sends a signal to a thread of another process", of_other),
    calls("signal-old-thread", kNotice, "tkill", "sends a signal to a thread by its number alone", of_other),
    calls("signal-thread-queue", kNotice, "rt_tgsigqueueinfo", "queues a signal for a thread", of_other),
    calls("signal-pidfd", kNotice, "pidfd_send_signal", "sends a signal by a process descriptor"),
    calls("leaked-pidfd", kMedium, "pidfd_send_signal",
          "sends a signal by a descriptor that it does not have",
          [](const Event& e) { return failed_with(e, EBADF); }),
    calls("signal-group", kNotice, "kill", "sends a signal to a group of processes",
          [](const Event& e) { return static_cast<int32_t>(e.args[0]) < -1; }),
    calls("signal-kill", kNotice, "kill", "sends a signal to another process", of_other),
    calls("signal-owner", kNotice, "fcntl", "names a process that the kernel sends signals to",
          [](const Event& e) { return e.args[1] == 8 || e.args[1] == 15; }),
    calls("signal-group", kNotice, "getpgid getsid", "asks after a process that is not there", none_there),
};

extern const Detector kSignals;
const Detector kSignals = {
    "signals",
    kNotice,
    "signals to processes of others",
    "A signal ends, stops or confuses who gets it, and a refusal tells that somebody is there. Shells and "
    "services send signals to processes that they started: those are remarks.",
    "kill(2); signal(7); T1489",
    "signal-* leaked-pidfd",
    bit(Kind::Signal) | bit(Kind::Other),
    start_steps<kSignals, kSignalSteps>};

constexpr uint64_t kFifo = 1, kRoundRobin = 2, kDeadline = 6, kIoRealTime = 1;
bool schedules(const Event& event, uint64_t policy) { return (event.args[1] & 0xff) == policy; }
template <uint32_t policy>
bool attribute_policy(const Event& event) {
  uint32_t value = 0;
  if (event.bytes.size() < 8) return false;
  __builtin_memcpy(&value, event.bytes.data() + 4, sizeof value);
  return value == policy;
}

constexpr Step kPriorityStep[] = {
    calls("real-time", kLow, "sched_setscheduler", "asks for real-time scheduling",
          [](const Event& e) { return schedules(e, kFifo); }),
    calls("real-time-round", kLow, "sched_setscheduler", "asks for real-time scheduling in turns",
          [](const Event& e) { return schedules(e, kRoundRobin); }),
    calls("schedule-deadline", kMedium, "sched_setattr", "asks for a deadline", attribute_policy<kDeadline>),
    calls("schedule-real-time", kMedium, "sched_setattr", "asks for real-time scheduling",
          attribute_policy<kFifo>),
    calls("scheduler-other", kLow, "sched_setscheduler sched_setparam sched_setattr",
          "changes how another process is scheduled", of_other),
    calls("affinity-other", kLow, "sched_setaffinity", "changes the processors of another process", of_other),
    calls("nice-own", kLow, "setpriority", "asks for a lower nice value",
          [](const Event& e) { return static_cast<int32_t>(e.args[2]) < 0; }),
    calls("nice-other", kLow, "setpriority", "changes the nice value of another process",
          [](const Event& e) {
            return static_cast<int32_t>(e.args[1]) > 0 && static_cast<int32_t>(e.args[1]) != e.pid;
          }),
    calls("io-real-time", kLow, "ioprio_set", "asks for the real-time class at the disks",
          [](const Event& e) { return (e.args[2] >> 13) == kIoRealTime; }),
    calls("io-priority-other", kLow, "ioprio_set", "changes the disk priority of another process",
          second_is_other),
    calls("limits-other", kLow, "prlimit64", "reads or changes the limits of another process", of_other),
    calls("affinity-other", kNotice, "sched_getaffinity",
          "asks for the processors of a process that is not there", none_there),
    calls("scheduler-other", kNotice, "sched_getscheduler",
          "asks how a process is scheduled that is not there", none_there),
    calls("nice-other", kNotice, "getpriority", "asks for the priority of a process that is not there",
          none_there),
    calls("io-priority-other", kNotice, "ioprio_get",
          "asks for the disk priority of a process that is not there", none_there),
    calls("raise-limit", kLow, "prlimit64 setrlimit", "raises a limit that it may not raise",
          [](const Event& e) { return failed_with(e, EPERM) || e.verdict == Verdict::Denied; }),
    calls("kept-nice", kNotice, "getpriority", "asks for its own priority"),
    calls("kept-io-priority", kNotice, "ioprio_get", "asks for its own priority at the disks"),
};

extern const Detector kPriorities;
const Detector kPriorities = {
    "priorities",
    kLow,
    "priorities and limits, its own and those of others",
    "Who runs before everybody takes the machine; who changes the limits of others stops them. Sound servers and "
    "databases ask for real time of their own; a nice value above zero is nobody's harm.",
    "sched(7); setpriority(2); prlimit(2); T1499",
    "real-time real-time-* nice-* io-* affinity-other scheduler-other limits-other schedule-* raise-limit "
    "priority-raise run-before-all kept-nice kept-io-priority",
    bit(Kind::Limit) | bit(Kind::Other),
    start_steps<kPriorities, kPriorityStep>};

// ---- their files in /proc

constexpr Step kProcessFileSteps[] = {
    file("exe-overwrite-init", kHigh, Use::Write, "/proc/1/exe",
         "opens the first process's program to write"),
    file("exe-overwrite-self", kHigh, Use::Write, "/proc/self/exe /proc/thread-self/exe /proc/#/exe",
         "opens the program file of a process to write"),
    file("map-files-write", kMedium, Use::Write, "/proc/self/map_files/* /proc/#/map_files/*",
         "opens a mapped file to write"),
    file("proc-first-mem-write", kHigh, Use::Write, "/proc/1/mem",
         "opens the first process's memory to write"),
    file("proc-first-mem", kHigh, Use::Any, "/proc/1/mem", "opens the memory of the first process"),
    file("proc-mem-write", kMedium, Use::Write, "/proc/#/mem /proc/#/task/#/mem",
         "opens the memory of a process to write"),
    file("proc-mem", kMedium, Use::Any, "/proc/#/mem /proc/#/task/#/mem", "opens the memory of a process"),
    file("proc-mem-write", kLow, Use::Write, "/proc/self/mem /proc/thread-self/mem",
         "opens its own memory as a file, to write"),
    file("proc-first-environ", kLow, Use::Any, "/proc/1/environ", "reads the first process's environment"),
    file("proc-environ", kLow, Use::Any, "/proc/#/environ", "reads the environment of a process"),
    file("proc-first-root", kMedium, Use::Any, "/proc/1/root /proc/1/root/*",
         "goes through the first process's root"),
    file("proc-first-cwd", kMedium, Use::Any, "/proc/1/cwd /proc/1/cwd/*",
         "goes through the first process's working directory"),
    file("proc-task-walk", kMedium, Use::Any, "/proc/#/task/#/root/* /proc/#/task/#/cwd/*",
         "goes through the root of another thread"),
    file("proc-root", kLow, Use::Any, "/proc/#/root /proc/#/root/*", "goes through the root of a process"),
    file("proc-cwd", kLow, Use::Any, "/proc/#/cwd /proc/#/cwd/*",
         "goes through the working directory of a process"),
    file("proc-first-fd", kLow, Use::Any, "/proc/1/fd /proc/1/fd/*",
         "looks at the first process's descriptors"),
    file("proc-fd", kLow, Use::Any, "/proc/#/fd /proc/#/fd/*", "looks at the descriptors of a process"),
    file("proc-first-maps", kLow, Use::Any, "/proc/1/maps /proc/1/smaps",
         "reads the first process's address layout"),
    file("proc-maps", kLow, Use::Any, "/proc/#/maps /proc/#/smaps", "reads the address layout of a process"),
    file("proc-stack", kLow, Use::Any, "/proc/#/stack", "reads the kernel stack of a process"),
    file("proc-syscall", kLow, Use::Any, "/proc/#/syscall", "reads the system call of a process"),
    file("proc-io", kNotice, Use::Any, "/proc/#/io", "reads what a process reads and writes"),
    file("proc-oom", kLow, Use::Write, "/proc/#/oom_score_adj /proc/#/oom_adj",
         "changes who is ended when memory is short"),
    file("oom-score", kNotice, Use::Write, "/proc/self/oom_score_adj /proc/self/oom_adj",
         "changes whether it is ended when memory is short"),
    file("proc-clear-refs", kLow, Use::Write, "/proc/#/clear_refs", "clears the marks of a process's memory"),
    file("proc-first-exe", kNotice, Use::Any, "/proc/1/exe", "looks at the first process's program"),
    file("proc-exe", kNotice, Use::Any, "/proc/#/exe", "looks at the program of a process"),
    file("uptime-init", kNotice, Use::Any, "/proc/1/stat", "reads when the first process began"),
    file("first-arguments", kNotice, Use::Any, "/proc/1/cmdline", "reads the first process's arguments"),
    file("process-outside", kNotice, Use::Any, "/proc/#/comm", "reads the name of a process"),
    file("proc-strangers", kNotice, Use::Read, "/proc", "opens the list of processes"),
};

extern const Detector kProcessFiles;
const Detector kProcessFiles = {
    "process-files",
    kLow,
    "files of other processes in /proc",
    "A process's root, working directory and descriptors in /proc lead to where that process is, its memory and "
    "environment to what it knows. Tools that show processes read names and states, which are remarks; root, "
    "memory and environment are read by debuggers.",
    "proc(5); CVE-2019-5736; T1611",
    "proc-root proc-root-* proc-task-walk proc-cwd proc-cwd-* proc-fd proc-fd-* proc-environ proc-mem proc-mem-* "
    "proc-maps proc-stack proc-syscall proc-io proc-oom proc-clear-refs proc-exe proc-first-* proc-strangers "
    "proc-any-* exe-overwrite-* map-files-write oom-score uptime-init first-arguments process-outside "
    "secret-variable-* copy-descriptors signal-everybody",
    bit(Kind::File),
    start_steps<kProcessFiles, kProcessFileSteps>};

constexpr StepDetector kProcessDetectors[] = {{&kTracing, kTraceSteps},
                                              {&kSignals, kSignalSteps},
                                              {&kPriorities, kPriorityStep},
                                              {&kProcessFiles, kProcessFileSteps}};

}  // namespace

std::span<const StepDetector> process_detectors() { return kProcessDetectors; }

}  // namespace immure::watch

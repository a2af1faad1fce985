// Into the memory and the course of other processes.
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "probes/processes/others.h"

namespace immure::probes {
namespace {

constexpr long kNowhere = 8;                    // an address that nobody has mapped
constexpr unsigned kMadviseCold = 20;           // MADV_COLD
constexpr unsigned long kCompareVm = 1;         // KCMP_VM
constexpr long kMadvise = 440, kRelease = 448;  // process_madvise, process_mrelease

long trace(int request, pid_t pid) { return syscall(SYS_ptrace, request, pid, 0, 0); }

// Seizing does not stop it, and ends with the descriptor's holder.
long seize(pid_t pid) {
  long result = trace(PTRACE_SEIZE, pid);
  if (result == 0) {
    // To let go it has to stand still for a moment.
    trace(PTRACE_INTERRUPT, pid);
    for (int i = 0; i < 100 && waitpid(pid, nullptr, WNOHANG | __WALL) == 0; ++i) poll(nullptr, 0, 5);
    trace(PTRACE_DETACH, pid);
  }
  return result;
}

// Comes with a stop, which has to be taken away before it is let go.
long attach(pid_t pid) {
  long result = trace(PTRACE_ATTACH, pid);
  if (result == 0) {
    for (int i = 0; i < 100 && waitpid(pid, nullptr, WNOHANG | __WALL) == 0; ++i) poll(nullptr, 0, 5);
    trace(PTRACE_DETACH, pid);
  }
  return result;
}

long copy(long call, pid_t pid) {
  char byte = 0;
  iovec here{&byte, 1}, there{reinterpret_cast<void*>(kNowhere), 1};
  return syscall(call, pid, &here, 1, &there, 1, 0);
}
long read_memory(pid_t pid) { return copy(SYS_process_vm_readv, pid); }
long write_memory(pid_t pid) { return copy(SYS_process_vm_writev, pid); }

long advise(pid_t pid) {
  int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return -1;
  iovec there{reinterpret_cast<void*>(4096), 4096};
  return syscall(kMadvise, fd, &there, 1, kMadviseCold, 0);
}
// Only who is dying anyway is released: everybody else is refused with EINVAL, after the right has been
// looked at.
long release(pid_t pid) {
  int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return fd < 0 ? -1 : syscall(kRelease, fd, 0);
}
long compare(pid_t pid) { return syscall(SYS_kcmp, pid, getpid(), kCompareVm, 0, 0); }
long robust_list(pid_t pid) {
  void* head = nullptr;
  size_t length = 0;
  return syscall(SYS_get_robust_list, pid, &head, &length);
}
// Without places to go to it tells where pages are, and moves none.
long where_pages_are(pid_t pid) {
  void* page = reinterpret_cast<void*>(4096);
  int status = 0;
  return syscall(SYS_move_pages, pid, 1UL, &page, nullptr, &status, 0);
}
// From no node to none.
long migrate(pid_t pid) {
  unsigned long nodes = 0;
  return syscall(SYS_migrate_pages, pid, 8UL * sizeof nodes, &nodes, &nodes);
}
long measure(pid_t pid) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.exclude_kernel = 1;
  return syscall(SYS_perf_event_open, &attributes, pid, -1, -1, 0);
}

struct Way {
  const char* call;
  long (*go)(pid_t pid);
};
enum : long {
  kAttach,
  kSeize,
  kRead,
  kWrite,
  kAdvise,
  kMrelease,
  kCompare,
  kRobust,
  kWhere,
  kMigrate,
  kMeasure
};
constexpr Way kWays[] = {
    {"ptrace attach", attach},
    {"ptrace seize", seize},
    {"process_vm_readv", read_memory},
    {"process_vm_writev", write_memory},
    {"process_madvise", advise},
    {"process_mrelease", release},
    {"kcmp", compare},
    {"get_robust_list", robust_list},
    {"move_pages", where_pages_are},
    {"migrate_pages", migrate},
    {"perf_event_open", measure},
};

Attempt go(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  const Way& way = kWays[row.number];
  Attempt attempt = door_to(way.call, way.go(pid));
  return attempt;
}

Attempt trace_me(const Yard&, const Probe&) {
  if (trace(PTRACE_TRACEME, 0) != 0) return stopped("ptrace");
  return exposed("ptrace is open: a traced process can change its calls behind a filter's back");
}

constexpr Probe outside(const char* id, const char* technique, const char* about, const char* reference,
                        long way) {
  return {id,          Category::Processes,
          technique,   about,
          reference,   by(Layer::PidNs, Layer::UserNs, Layer::Seccomp),
          Proof::None, kBare,
          go,          kPlain,
          kWitness,    way};
}
// In the jail it is the jail's own first process, which has seen the host.
constexpr Probe first(const char* id, const char* technique, const char* about, const char* reference,
                      long way) {
  Probe row = outside(id, technique, about, reference, way);
  row.word = kFirst;
  row.control = kNamespaced;
  row.stopped_by = by(Layer::Capabilities, Layer::Seccomp);
  return row;
}

constexpr Probe kTracing[] = {
    outside("trace-attach", "ptrace attaches to a process outside",
            "Attaches to a process of the caller's and lets it go at once. A tracer reads and writes memory "
            "and registers: it makes the process do whatever it likes, with that process's files and rights.",
            "ptrace(2)", kAttach),
    outside("trace-seize", "ptrace seizes a process outside",
            "Seizes the process, which since 3.4 is attaching without a stop, and lets it go. A program that "
            "is seized can be stopped, read and changed at any later moment.",
            "ptrace(2)", kSeize),
    first("trace-first", "ptrace seizes the jail's first process",
          "Seizes process 1. In a jail that is a process of the launcher's, often with more rights and with "
          "descriptors from outside: who traces it has these.",
          "ptrace(2)", kSeize),
    {"trace-me", Category::Processes, "ptrace is there at all",
     "Asks to be traced by its own parent. Tracing one's own processes was a way around system call filters "
     "until 4.8, and an error in the call, CVE-2019-13272, made root of every user.",
     "CVE-2019-13272", by(Layer::Seccomp), Proof::None, loosened("--weaken ptrace"), trace_me},
    outside("memory-read", "process_vm_readv of a process outside",
            "Reads from the memory of a process outside, at an address which nobody has: refused with "
            "EFAULT, but after the right has been looked at. In the kernel since 3.2.",
            "process_vm_readv(2)", kRead),
    outside("memory-write", "process_vm_writev to a process outside",
            "Writes to the memory of a process outside, at an address which nobody has. With a true one it "
            "changes data and return addresses of a program that is not in the jail.",
            "process_vm_writev(2)", kWrite),
    first("memory-read-first", "process_vm_readv of the jail's first process",
          "Reads from the memory of process 1, in which the launcher's arguments, environment and secrets "
          "may be. The address is one that nobody has, so that only the right is tried.",
          "process_vm_readv(2)", kRead),
    first("memory-write-first", "process_vm_writev to the jail's first process",
          "Writes to the memory of process 1, at an address which nobody has. With a true one the program "
          "would go on in that process, outside its own limits.",
          "process_vm_writev(2)", kWrite),
    outside("memory-advise", "process_madvise on a process outside",
            "Gives the kernel advice about pages of a process outside. It can push them out, and tell from "
            "the time that it takes to come back which were in use. In the kernel since 5.10.",
            "process_madvise(2)", kAdvise),
    outside("memory-release", "process_mrelease of a process outside",
            "Asks to have the memory of a process outside taken away at once, which is refused for one that "
            "is not dying. In the kernel since 5.15.",
            "process_mrelease(2)", kMrelease),
    outside(
        "compare-process", "kcmp with a process outside",
        "Asks whether it shares memory with a process outside. The answer orders addresses of the kernel's "
        "objects, and tells that the process can be traced.",
        "kcmp(2)", kCompare),
    first("compare-first", "kcmp with the jail's first process",
          "Compares itself with process 1. What it answers depends on the right to trace that process.",
          "kcmp(2)", kCompare),
    outside("robust-list", "list of locks of a process outside",
            "Asks where a process outside keeps its list of robust locks. The answer is an address in its "
            "memory, which undoes the random layout.",
            "get_robust_list(2)", kRobust),
    outside("page-places", "move_pages on a process outside",
            "Asks on which memory node a page of a process outside lies. With places given it would move the "
            "pages, and slow the process down.",
            "move_pages(2)", kWhere),
    outside("page-migration", "migrate_pages of a process outside",
            "Asks to move all pages of a process outside from no node to none. With nodes given all its "
            "memory would be moved about.",
            "migrate_pages(2)", kMigrate),
    outside("perf-process", "performance counters of a process outside",
            "Opens a counter for a process outside. With better ones it reads from cache misses what that "
            "process works on.",
            "perf_event_open(2)", kMeasure),
};

}  // namespace

std::span<const Probe> tracing() { return kTracing; }

}  // namespace immure::probes

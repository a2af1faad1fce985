// Calls that few programs need and that have brought holes: what they reach is code that is seldom travelled.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr long kProcessMadvise = 440, kMemfdSecret = 447, kCachestat = 451, kLsmListModules = 461;
constexpr uint32_t kHostRoot = by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs);

Attempt faults(const Yard&, const Probe& row) {
  int fd = static_cast<int>(syscall(SYS_userfaultfd, static_cast<int>(row.number) | O_CLOEXEC));
  if (fd < 0) return stopped("userfaultfd");
  close(fd);
  return exposed("userfaultfd gave a descriptor");
}

Attempt persona(const Yard&, const Probe& row) {
  if (syscall(SYS_personality, row.number) < 0) return stopped("personality");
  return exposed("the personality is now %#lx",
                 static_cast<unsigned long>(syscall(SYS_personality, 0xffffffffUL)));
}

Attempt splice_memory(const Yard&, const Probe&) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return stopped("pipe2");
  char byte = 0;
  iovec one{&byte, 1};
  return door("vmsplice", syscall(SYS_vmsplice, ends[1], &one, 1UL, 0));
}

Attempt segment(const Yard&, const Probe&) {
  struct {
    unsigned entry, base, limit, flags;
  } code = {0, 0, 0xfffff, 0x1 | 0x2 << 1 | 0x10};  // 32 bits, code, limit in pages
  return door("modify_ldt", syscall(SYS_modify_ldt, 1, &code, sizeof code));
}

Attempt remap(const Yard&, const Probe&) {
  void* memory = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return stopped("mmap");
  return door("remap_file_pages", syscall(SYS_remap_file_pages, memory, 4096UL, 0, 1UL, 0));
}

Attempt secret(const Yard&, const Probe&) {
  int fd = static_cast<int>(syscall(kMemfdSecret, 0));
  if (fd < 0) return stopped("memfd_secret");
  close(fd);
  return exposed("memfd_secret gave memory that the host cannot look into");
}

Attempt cached(const Yard&, const Probe&) {
  int fd = memfd_create("immure-probe", MFD_CLOEXEC);  // one's own file, which newer kernels ask for
  if (fd < 0) return stopped("memfd_create");
  uint64_t range[2] = {0, 0}, seen[5] = {};
  if (syscall(kCachestat, fd, range, seen, 0) != 0) return stopped("cachestat");
  return exposed("cachestat: %lu pages of a file are in memory", static_cast<unsigned long>(seen[0]));
}

Attempt security_modules(const Yard&, const Probe&) {
  uint64_t ids[32];
  uint32_t size = sizeof ids;
  long n = syscall(kLsmListModules, ids, &size, 0);
  return n < 0 ? stopped("lsm_list_modules") : exposed("the host has %ld security modules in force", n);
}

Attempt place_memory(const Yard&, const Probe& row) {
  long result = row.number == SYS_set_mempolicy ? syscall(SYS_set_mempolicy, 0, nullptr, 0UL)
                : row.number == SYS_mbind       ? syscall(SYS_mbind, nullptr, 0UL, 0UL, nullptr, 0UL, 0)
                : row.number == SYS_move_pages ? syscall(SYS_move_pages, 0, 0UL, nullptr, nullptr, nullptr, 0)
                                               : syscall(SYS_migrate_pages, 0, 0UL, nullptr, nullptr);
  return door(row.word, result);
}

Attempt asynchronous(const Yard&, const Probe&) {
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, 1, &context) != 0) return stopped("io_setup");
  syscall(SYS_io_destroy, context);
  return exposed("io_setup gave a context");
}

Attempt watch(const Yard&, const Probe& row) {
  int fd = static_cast<int>(syscall(SYS_fanotify_init, static_cast<unsigned>(row.number) | 1U, 0U));
  if (fd < 0) return stopped("fanotify_init");
  close(fd);
  return exposed("fanotify_init gave a group");
}

Attempt handle(const Yard&, const Probe&) {
  struct {
    unsigned bytes;
    int type;
    unsigned char data[128];
  } name = {128, 0, {}};
  int mount = 0;
  long result = syscall(SYS_name_to_handle_at, AT_FDCWD, "/proc/self/exe", &name, &mount, AT_SYMLINK_FOLLOW);
  if (result != 0) return stopped("name_to_handle_at");
  return exposed("a handle of %u bytes, which holds where the path does not", name.bytes);
}

// The address is nobody's, so that no page is hurt; who lacks the right hears EPERM before.
Attempt poison(const Yard&, const Probe& row) {
  void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED || munmap(page, 4096) != 0) return stopped("mmap");
  int result = madvise(page, 4096, static_cast<int>(row.number));
  if (result != 0 && errno == EINVAL) return not_applicable("this kernel does not know of broken pages");
  if (result != 0 && errno != EFAULT && errno != ENOMEM) return stopped("madvise");
  return exposed("madvise looks for the page to poison: %s", strerror(errno));
}

Attempt merge(const Yard&, const Probe&) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return stopped("mmap");
  return madvise(page, 4096, 12) != 0 ? stopped("madvise")
                                      : exposed("the page may be merged with pages of others");
}

Attempt advise_other(const Yard&, const Probe&) {
  return door("process_madvise", syscall(kProcessMadvise, -1, nullptr, 0UL, 0, 0U));
}

Attempt old_numbers(const Yard&, const Probe&) {
  long known = syscall(SYS_sysfs, 3);
  return known < 0 ? stopped("sysfs") : exposed("the kernel knows %ld file systems", known);
}

Attempt old_statistics(const Yard&, const Probe&) {
  struct stat root {};
  if (stat("/", &root) != 0) return stopped("stat");
  char buffer[64];
  // A device that is not mounted is told by EINVAL: by number, every mounted one of the host is found.
  return door("ustat", syscall(SYS_ustat, static_cast<unsigned>(root.st_dev), buffer));
}

Attempt old_library(const Yard&, const Probe&) {
  return door("uselib", syscall(SYS_uselib, "/immure-no-such-library"));
}

// In a process of its own, which ends at once.
Attempt deadline(const Yard&, const Probe& row) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } wish = {48, static_cast<uint32_t>(row.number), 0, 0, 0, 1000000, 1000000000, 1000000000};
  if (row.number == SCHED_FIFO) wish.priority = 1, wish.runtime = wish.deadline = wish.period = 0;
  if (syscall(SYS_sched_setattr, 0, &wish, 0) != 0) return stopped("sched_setattr");
  return exposed("the process runs before all ordinary ones of the host");
}
Attempt urgent(const Yard& yard, const Probe& row) { return apart(deadline, yard, row); }

constexpr Probe open_call(const char* id, const char* technique, const char* about, const char* reference,
                          const char* control, Attempt (*run)(const Yard&, const Probe&),
                          const char* word = "", long number = 0) {
  return {id,          Category::Kernel,  technique, about,  reference, by(Layer::Seccomp),
          Proof::None, loosened(control), run,       kPlain, word,      number};
}
constexpr Probe for_root(const char* id, const char* technique, const char* about, const char* reference,
                         uint32_t layers, Attempt (*run)(const Yard&, const Probe&), const char* word = "",
                         long number = 0) {
  return {id,  Category::Kernel, technique, about, reference, layers, Proof::None, kBare,
          run, kPlain,           word,      number};
}

constexpr Probe kSeldomCalls[] = {
    open_call("fault-own", "handle page faults of the own memory",
              "userfaultfd lets a program hold up whatever touches its memory. With faults of user mode "
              "alone it is open to every user since Linux 5.11, and still code that brought holes.",
              "userfaultfd(2)", "--allow-syscall userfaultfd", faults, "", 1),
    for_root("fault-kernel", "handle page faults of the kernel",
             "Holds the kernel up in the middle of copying from the program's memory, for as long as wanted: "
             "this made races in the kernel into reliable exploits for years, until "
             "vm.unprivileged_userfaultfd. The attempt makes such a descriptor and closes it.",
             "userfaultfd(2)", kHostRoot, faults),
    open_call("personality-randomize", "switch address randomization off",
              "A personality without randomization is inherited by every program that is started from then "
              "on, so that an attack on them needs no guessing. The attempt changes its own process alone.",
              "personality(2)", "--allow-syscall personality", persona, "", ADDR_NO_RANDOMIZE),
    open_call("personality-executable", "make all readable memory executable",
              "With READ_IMPLIES_EXEC each mapping that can be read can be executed, so that data becomes "
              "code in the next program. The attempt changes its own process alone.",
              "personality(2)", "--allow-syscall personality", persona, "", READ_IMPLIES_EXEC),
    open_call("vmsplice", "give memory pages to a pipe",
              "vmsplice hands pages of the program to the kernel by reference. In 2008 a missing check of "
              "addresses gave root to every user (CVE-2008-0600), in 2020 pages stayed shared after fork "
              "(CVE-2020-29374).",
              "vmsplice(2), CVE-2008-0600", "--allow-syscall vmsplice", splice_memory),
    open_call("segment-table", "write the local descriptor table",
              "Segments of its own take a process into parts of the entry code that nobody else uses; a "
              "fault of the stack segment there gave root in CVE-2014-9322. Only very old 16- and 32-bit "
              "programs need them.",
              "modify_ldt(2), CVE-2014-9322", "--allow-syscall modify_ldt", segment),
    open_call("remap-file-pages", "rearrange pages of a mapping",
              "An obsolete way to map a file out of order, which the kernel imitates since Linux 4.0. No "
              "program of today needs it, and what nothing needs is a way into the kernel for nothing.",
              "remap_file_pages(2)", "--allow-syscall remap_file_pages", remap),
    open_call("secret-memory", "memory that the host cannot look into",
              "memfd_secret takes pages out of the kernel's own map. What is there escapes whoever examines "
              "the jail from outside, and it keeps the machine from hibernation.",
              "memfd_secret(2)", "--allow-syscall memfd_secret", secret),
    open_call("page-cache-state", "which pages of a shared file are cached",
              "Tells which parts of a file that the host shares were read lately, and by that what others "
              "do. mincore was closed for files of others in 2019 (CVE-2019-5489); cachestat came in 6.5 "
              "without that and had to follow. The attempt asks about a file of its own.",
              "mm/filemap.c, kernel 6.5", "--allow-syscall cachestat", cached),
    open_call("security-modules", "list the host's security modules",
              "Says which security modules the host has in force, for an attacker to choose by. Which of "
              "them are there decides which way out is worth trying.",
              "security/lsm_syscalls.c, kernel 6.8", "--allow-syscall lsm_list_modules", security_modules),
    open_call("memory-policy", "choose the nodes of the own memory",
              "The parsing of masks of nodes leaked kernel memory (CVE-2017-7616); few programs need it. The "
              "attempt sets the policy that its process has anyway.",
              "set_mempolicy(2), CVE-2017-7616", "--allow-syscall set_mempolicy", place_memory,
              "set_mempolicy", SYS_set_mempolicy),
    open_call("memory-bind", "bind a range of memory to nodes",
              "The same for a range of addresses. The attempt names a range of no length.", "mbind(2)",
              "--allow-syscall mbind", place_memory, "mbind", SYS_mbind),
    open_call("memory-move", "move pages between nodes",
              "Moves pages of a process, or only tells where each is, and did so for processes of others "
              "until 2017: CVE-2017-14140 undid their randomization. The attempt moves nothing.",
              "move_pages(2), CVE-2017-14140", "--allow-syscall move_pages", place_memory, "move_pages",
              SYS_move_pages),
    open_call("memory-migrate", "migrate a process between nodes",
              "Moves all memory of a process; for processes of the same user id outside, too, where their "
              "ids can be named. The attempt moves nothing.",
              "migrate_pages(2)", "--allow-syscall migrate_pages", place_memory, "migrate_pages",
              SYS_migrate_pages),
    open_call(
        "asynchronous-io", "the older asynchronous input and output",
        "io_setup maps a ring of the kernel's into the program. CVE-2014-0206 read kernel memory through it.",
        "io_setup(2), CVE-2014-0206", "--allow-syscall @aio", asynchronous),
    open_call("watch-files", "watch files by fanotify",
              "Since Linux 5.13 every user may have a group that reports files by handles; it sees what "
              "others do to files that the jail shares. The attempt makes a group and watches nothing.",
              "fanotify_init(2)", "--allow-syscall fanotify_init", watch, "", 0x200),
    for_root("watch-and-decide", "decide who may open files, by fanotify",
             "A group of class content is asked before files are opened, and can hold everybody up, or let "
             "them read what it has prepared. It takes CAP_SYS_ADMIN of the host.",
             "fanotify_init(2)", kHostRoot, watch, "", 4),
    open_call("file-handle", "name a file by its handle",
              "A handle names a file by its inode, and holds in any namespace. It is the first half of "
              "open_by_handle_at, by which containers with CAP_DAC_READ_SEARCH were left in 2014.",
              "name_to_handle_at(2)", "--allow-syscall name_to_handle_at", handle),
    for_root("memory-poison", "report a memory page as broken",
             "MADV_HWPOISON takes a page of the machine out of use for good, whoever shares it. The attempt "
             "names an address where nothing is mapped.",
             "madvise(2), MADV_HWPOISON", by(Layer::Capabilities, Layer::UserNs), poison, "", 100),
    open_call("memory-merge", "have pages merged with pages of others",
              "Equal pages become one, and a write to such a page takes longer: by that a program finds out "
              "what others have in memory. The attempt offers one page of its own.",
              "madvise(2), MADV_MERGEABLE", "--allow-syscall madvise", merge),
    open_call(
        "advise-other", "advise about memory of another process",
        "process_madvise has another process's pages swapped out or made huge. The descriptor here is none.",
        "process_madvise(2)", "--allow-syscall process_madvise", advise_other),
    open_call("obsolete-sysfs", "ask what file systems the kernel knows, by sysfs",
              "An obsolete call that still answers. Nothing needs it, and what nothing needs is best not "
              "there.",
              "sysfs(2)", "--allow-syscall sysfs", old_numbers),
    open_call("obsolete-ustat", "statistics of a file system by device number",
              "Takes a number in place of a path, so that it tells about every mounted device of the host, "
              "also such that no path inside leads to. The attempt asks for the device of its own root.",
              "ustat(2)", "--allow-syscall ustat", old_statistics),
    open_call("obsolete-uselib", "load a library by uselib",
              "The loader of a.out times; CVE-2004-1235 gave root through it. Kernels of today are built "
              "without it.",
              "uselib(2), CVE-2004-1235", "--allow-syscall uselib", old_library),
    for_root("schedule-deadline", "a process with a deadline",
             "A deadline task runs before everything else, its share of the processor is taken from the "
             "host, and a deadlock of it is the host's. The attempt is a process that asks for a thousandth "
             "of the time and ends at once.",
             "sched(7)", by(Layer::Capabilities, Layer::UserNs), urgent, "", 6),
    for_root("schedule-real-time", "a process with real-time priority",
             "A real-time task that does not sleep leaves ordinary processes of its processor a twentieth of "
             "the time. The attempt is a process that ends as soon as it has the priority.",
             "sched(7)", by(Layer::Capabilities, Layer::UserNs, Layer::Rlimits), urgent, "", SCHED_FIFO),
};

}  // namespace

std::span<const Probe> seldom_calls() { return kSeldomCalls; }

}  // namespace immure::probes

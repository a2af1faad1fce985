// Files of /proc through which the kernel tells about itself: its memory, its addresses, its hardware.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"
#include "probes/kernel/look.h"

namespace immure::probes {
namespace {

Attempt nothing_there(const char* where) { return stopped(where, ENODATA); }

// Lines that begin with an address, after `number` words; noughts stand where the reader may not know it.
Attempt read_addresses(const Yard&, const Probe& row) {
  FILE* file = std::fopen(row.word, "re");
  if (file == nullptr) return stopped("open");
  char line[512], seen[64] = "";
  for (int i = 0; i < 200 && seen[0] == '\0' && std::fgets(line, sizeof line, file) != nullptr; ++i) {
    const char* at = line;
    for (long skip = row.number; skip > 0 && *at != '\0'; --skip) {
      at += std::strcspn(at, " ");
      at += std::strspn(at, " ");
    }
    at += std::strspn(at, " ");
    char* end = nullptr;
    unsigned long start = std::strtoul(at, &end, 16);
    // A range tells by its end: the first one begins with 0.
    if (end != at && *end == '-') start = std::strtoul(end + 1, nullptr, 16);
    if (start != 0) std::snprintf(seen, sizeof seen, "%.*s", static_cast<int>(std::strcspn(at, "\n")), at);
  }
  std::fclose(file);
  return seen[0] == '\0' ? nothing_there("read") : exposed("%s: %s", row.word, seen);
}

// Where the own memory lies in the machine's.
Attempt read_page_frame(const Yard&, const Probe& row) {
  static char page[4096];
  page[0] = 1;
  int fd = open(row.word, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return stopped("open");
  uint64_t entry = 0;
  ssize_t n =
      pread(fd, &entry, sizeof entry, static_cast<off_t>(reinterpret_cast<uintptr_t>(page) / 4096 * 8));
  Attempt attempt = stopped("pread");
  close(fd);
  if (n != sizeof entry) return attempt;
  uint64_t frame = entry & ((uint64_t{1} << 55) - 1);
  return frame == 0 ? nothing_there("pread") : exposed("the own page is frame %#lx", frame);
}

// Whoever is not this user.
Attempt read_key_users(const Yard&, const Probe& row) {
  FILE* file = std::fopen(row.word, "re");
  if (file == nullptr) return stopped("open");
  char line[512];
  Attempt attempt = nothing_there("read");
  while (attempt.outcome == Outcome::Stopped && std::fgets(line, sizeof line, file) != nullptr) {
    char* end = nullptr;
    unsigned long uid = std::strtoul(line, &end, 10);
    if (end != line && *end == ':' && uid != getuid())
      attempt = exposed("%.*s", static_cast<int>(std::strcspn(line, "\n")), line);
  }
  std::fclose(file);
  return attempt;
}

constexpr uint32_t kRootsFile = by(Layer::UserNs, Layer::Root), kMasked = by(Layer::Mounts, Layer::Root);
constexpr uint32_t kAsked = by(Layer::Capabilities, Layer::UserNs, Layer::Root);
constexpr Control kProcFull = loosened("--weaken proc-full");

constexpr Probe row(const char* id, const char* technique, const char* about, const char* reference,
                    uint32_t layers, Control control, Attempt (*run)(const Yard&, const Probe&),
                    const char* path, long number = 0) {
  return {id,          Category::Kernel, technique, about,  reference, layers,
          Proof::None, control,          run,       kPlain, path,      number};
}

constexpr Probe kKernelFiles[] = {
    row("proc-kcore", "read all memory by /proc/kcore",
        "The machine's memory as a core file: every password, key and page of every process. It is for root "
        "with CAP_SYS_RAWIO of the host; a container that is neither mapped nor dropped has both.",
        "proc_kcore(5)", kAsked, kBare, read_some, "/proc/kcore"),
    row("proc-kmsg", "open the kernel's log in /proc",
        "The log by its file, in place of syslog. Whoever reads it also takes its lines away from the host's "
        "own logger.",
        "proc_kmsg(5)", kAsked, kBare, open_to_read, "/proc/kmsg"),
    row("proc-kallsyms", "addresses of the kernel's symbols",
        "With the addresses of its functions the randomization of the kernel is undone. Without CAP_SYSLOG "
        "the file shows noughts at the usual settings.",
        "proc_kallsyms(5)", kAsked, kBare, read_addresses, "/proc/kallsyms"),
    row("proc-module-addresses", "addresses of loaded modules",
        "Names every module of the host with its size, and to who has the right with its address. With the "
        "address of a module an exploit knows where to jump.",
        "proc_modules(5)", by(Layer::Capabilities, Layer::UserNs, Layer::Root, Layer::Mounts), kBare,
        read_addresses, "/proc/modules", 5),
    row("proc-iomem", "the map of physical memory",
        "Where memory, the kernel and each device lie in physical addresses, for attacks on either. Others "
        "see noughts; the attempt looks for a number among them.",
        "proc_iomem(5)", kAsked, kBare, read_addresses, "/proc/iomem"),
    row("proc-ioports", "the map of the hardware's ports",
        "Which device of the host answers at which port; noughts without CAP_SYS_ADMIN of the host. The "
        "attempt looks for a number among them.",
        "proc_ioports(5)", kAsked, kBare, read_addresses, "/proc/ioports"),
    row("proc-timer-list", "timers of every process",
        "Lists all timers of the host with the names of the processes that set them. Container runtimes mask "
        "it, since it tells about neighbours.",
        "proc_timer_list(5)", kRootsFile, kBare, read_some, "/proc/timer_list"),
    row("proc-sched-debug", "the scheduler's view of every process",
        "Lists every task of the host, whatever namespace of processes the reader is in. Newer kernels have "
        "it in debugfs alone.",
        "kernel/sched/debug.c before 5.13", kMasked, kBare, read_some, "/proc/sched_debug"),
    row("proc-slabinfo", "the kernel's object caches",
        "Counts of the kernel's objects are what exploits of the heap steer by. The file is for root alone.",
        "slabinfo(5)", kRootsFile, kBare, read_some, "/proc/slabinfo"),
    row("proc-vmallocinfo", "the kernel's large allocations",
        "Areas of the kernel's address space with sizes and callers, for privileged readers with their "
        "addresses. It is for root alone.",
        "proc_vmallocinfo(5)", kRootsFile, kBare, read_some, "/proc/vmallocinfo"),
    row("proc-pagetypeinfo", "free pages by kind",
        "How the host's memory is split up, which helps to place pages next to each other for attacks on "
        "memory cells. It is for root alone.",
        "Documentation/filesystems/proc.rst", kRootsFile, kBare, read_some, "/proc/pagetypeinfo"),
    row("proc-kpagecount", "how often each page is mapped",
        "A number for each physical page of the machine tells which of them are shared, and with whom. It is "
        "for root of the host alone, which root of a container without a user namespace is.",
        "proc_kpagecount(5)", kRootsFile, kBare, read_some, "/proc/kpagecount"),
    row("proc-kpageflags", "what each page is used for",
        "Flags for each physical page of the machine; with them an attacker finds the pages of others. It is "
        "for root of the host alone, which root of a container without a user namespace is.",
        "proc_kpageflags(5)", kRootsFile, kBare, read_some, "/proc/kpageflags"),
    row("proc-kpagecgroup", "whose each page is",
        "The control group of each physical page of the machine, of all jails. It is for root of the host "
        "alone, which root of a container without a user namespace is.",
        "proc_kpagecgroup(5)", kRootsFile, kBare, read_some, "/proc/kpagecgroup"),
    row("proc-page-frames", "physical addresses of the own memory",
        "pagemap told every user where his pages lie in the machine, until Rowhammer attacks used it in "
        "2015. Since Linux 4.2 the number is nought without CAP_SYS_ADMIN of the host.",
        "proc_pid_pagemap(5)", kAsked, kBare, read_page_frame, "/proc/self/pagemap"),
    row("proc-kernel-stack", "the own kernel stack",
        "The functions in which the kernel holds the process show how it is built and where it waits. It is "
        "for root of the host alone.",
        "proc_pid_stack(5)", kAsked, kBare, read_some, "/proc/self/stack"),
    row("proc-key-users", "who has keys in /proc/key-users",
        "Tells which users of the host have keys and how many, as far as their ids are mapped in the "
        "reader's namespace. A line of a user other than its own is what the attempt looks for.",
        "proc_key-users(5)", by(Layer::UserNs, Layer::Root), kBare, read_key_users, "/proc/key-users"),
    row("proc-latency", "where every process waits",
        "Statistics of the whole host about what its processes wait for. Kernels have it where they were "
        "built with latencytop.",
        "kernel/latencytop.c", kMasked, kBare, read_some, "/proc/latency_stats"),
    row("proc-acpi", "power management of the host",
        "The folder has switches for waking the machine and, with some drivers, for its keyboard's lights "
        "and its Bluetooth radio: CVE-2018-10892 is that Docker left it open to root inside. An empty folder "
        "is covered, or has nothing to tell.",
        "CVE-2018-10892", kMasked, kProcFull, list_some, "/proc/acpi"),
    row("proc-scsi", "the host's disks in /proc/scsi",
        "Here a disk of the host could be taken away by one line, CVE-2017-16539, wherever the folder was "
        "left in containers. An empty folder is covered, or has nothing to tell.",
        "CVE-2017-16539", kMasked, kBare, list_some, "/proc/scsi"),
    row("proc-bus", "the host's buses in /proc/bus",
        "Configuration space of PCI devices stands here as files; root of the host can write to them. "
        "Whoever reads them has the list of the machine's devices.",
        "pci(5)", kMasked, kProcFull, list_some, "/proc/bus"),
    row("proc-driver", "drivers in /proc/driver",
        "Drivers without a better place put their files here: clocks, graphics cards, storage. What stands "
        "there differs from host to host, and nobody has looked at all of it from inside a jail.",
        "proc(5)", kMasked, kProcFull, list_some, "/proc/driver"),
    row("proc-fs", "file systems in /proc/fs",
        "State and switches of the host's mounted file systems, with the names of its disks. Some of the "
        "files change the mounted file system when they are written.",
        "proc(5)", kMasked, kProcFull, list_some, "/proc/fs"),
    row("proc-sound", "sound cards in /proc/asound",
        "Cards and their state tell whether somebody plays or records sound outside. That says whether "
        "somebody sits at the machine.",
        "proc(5)", kMasked, kBare, list_some, "/proc/asound"),
};

}  // namespace

std::span<const Probe> kernel_files() { return kKernelFiles; }

}  // namespace immure::probes

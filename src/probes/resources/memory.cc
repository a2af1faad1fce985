// Memory, by every way that it can be had; each takes as much as the yard says, keeps it for a while and gives it back.
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/resources/take.h"

namespace immure::probes {
namespace {

constexpr char kUnit[] = "MiB";
char block[1 << 16];

// To take it may take as long as a look at it and no longer: only who still has it a while later has more than a burst,
// which the page on threats tells of.
constexpr useconds_t kHeldFor = 100'000;

Attempt held(int64_t bytes, const char* unit) {
  usleep(kHeldFor);
  return took(bytes / kMiB, unit);
}

Attempt unknown() { return not_applicable("it is not said how much it should try"); }

Attempt verdict(int64_t have, int64_t wanted, const char* where) {
  return have >= wanted ? held(have, kUnit) : refused(where, have / kMiB, kUnit);
}

Attempt of_one(const Yard& yard, const Probe&) {
  if (yard.memory == 0) return unknown();
  return verdict(touch(yard.memory), yard.memory, "mmap");
}

// Every process stays below what one of them may have.
Attempt of_eight(const Yard& yard, const Probe&) {
  constexpr int kProcesses = 8;
  if (yard.memory == 0) return unknown();
  int64_t each = yard.memory / kProcesses;
  int64_t have = together(
      kProcesses, [](int64_t bytes) { return touch(bytes) == bytes && usleep(kHeldFor) == 0; }, each);
  if (have == kProcesses) return took(yard.memory / kMiB, "MiB in 8 processes");
  return refused("mmap", have * each / kMiB, "MiB in 8 processes");
}

Attempt shared(const Yard& yard, const Probe&) {
  if (yard.memory == 0) return unknown();
  auto size = static_cast<size_t>(yard.memory);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return stopped("mmap");
  for (size_t at = 0; at < size; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
  Attempt attempt = held(yard.memory, "MiB of shared memory");
  munmap(memory, size);
  return attempt;
}

int64_t fill(int fd, int64_t wanted) {
  int64_t have = 0;
  while (have < wanted) {
    ssize_t n = write(fd, block, sizeof block);
    if (n <= 0) break;
    have += n;
  }
  return have;
}

Attempt memory_file(const Yard& yard, const Probe&) {
  if (yard.memory == 0) return unknown();
  signal(SIGXFSZ, SIG_IGN);
  int fd = memfd_create("immure-probe", MFD_CLOEXEC);
  if (fd < 0) return stopped("memfd_create");
  return verdict(fill(fd, yard.memory), yard.memory, "write");
}

Attempt segment(const Yard& yard, const Probe&) {
  if (yard.memory == 0) return unknown();
  auto size = static_cast<size_t>(yard.memory);
  int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
  if (id < 0) return stopped("shmget");
  void* memory = shmat(id, nullptr, 0);
  int error = errno;
  shmctl(id, IPC_RMID, nullptr);  // it goes with the last who is attached
  if (memory == reinterpret_cast<void*>(-1)) return stopped("shmat", error);
  for (size_t at = 0; at < size; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
  Attempt attempt = held(yard.memory, "MiB in a System V segment");
  shmdt(memory);
  return attempt;
}

// Full pipes that nobody reads.
Attempt pipes(const Yard& yard, const Probe&) {
  raise_open_files();
  constexpr int kPipeSize = 1 << 20;
  if (yard.memory == 0) return unknown();
  // Beyond 64 MiB the kernel gives a user pipes of two pages only, and descriptors are soon all taken.
  const int64_t wanted = yard.memory < 100 * kMiB ? yard.memory : 100 * kMiB;
  int64_t have = 0;
  while (have < wanted) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return refused("pipe2", have / kMiB, kUnit);
    fcntl(ends[1], F_SETPIPE_SZ, kPipeSize);
    int64_t more = fill(ends[1], kPipeSize);
    close(ends[1]);   // the other end keeps what is in it, and takes one descriptor less
    if (more <= 0) return refused("write", have / kMiB, kUnit);
    have += more;
  }
  return held(have, "MiB in pipes");
}

// Messages under way in sockets that nobody reads.
Attempt sockets(const Yard& yard, const Probe&) {
  raise_open_files();
  if (yard.memory == 0) return unknown();
  int64_t have = 0;
  while (have < yard.memory) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      return refused("socketpair", have / kMiB, kUnit);
    int size = 1 << 24;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    int64_t more = 0;
    for (ssize_t n = 0; (n = send(ends[0], block, 8192, MSG_NOSIGNAL)) > 0;) more += n;
    if (more == 0) return refused("send", have / kMiB, kUnit);
    have += more;
  }
  return held(have, "MiB in sockets");
}

// One page is touched in every 2 MiB: each needs a table of 4 KiB, beside the page itself.
Attempt tables(const Yard& yard, const Probe&) {
  constexpr int64_t kSpan = 2 * kMiB, kPage = 4096;
  if (yard.memory == 0) return unknown();
  const int64_t wanted = yard.memory / kPage;
  auto size = static_cast<size_t>(wanted * kSpan);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return stopped("mmap");
  madvise(memory, size, MADV_NOHUGEPAGE);
  // Only read: the page is the one of zeros, and what is taken is tables alone.
  for (int64_t i = 0; i < wanted * 2; ++i) {
    auto at = static_cast<size_t>(i % wanted * kSpan + i / wanted * kPage);
    (void)static_cast<volatile char*>(memory)[at];
  }
  Attempt attempt = held(wanted * kPage, "MiB of page tables");
  munmap(memory, size);
  return attempt;
}

Attempt locked(const Yard& yard, const Probe&) {
  if (yard.memory == 0) return unknown();
  auto size = static_cast<size_t>(yard.memory);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return stopped("mmap");
  if (mlock(memory, size) != 0) return stopped("mlock");
  munlock(memory, size);
  return took(yard.memory / kMiB, "MiB that are never swapped");
}

// In a file of `row.word`, which is memory where it is a tmpfs.
Attempt folder(const Yard& yard, const Probe& row) {
  if (yard.memory == 0) return unknown();
  signal(SIGXFSZ, SIG_IGN);
  char path[64];
  std::snprintf(path, sizeof path, "%s/immure-probe-fill-%d", row.word, getpid());
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return stopped("open");
  unlink(path);
  int64_t have = fill(fd, yard.memory);
  Attempt attempt = verdict(have, yard.memory, "write");
  close(fd);
  return attempt;
}

constexpr uint32_t kBy = by(Layer::Cgroup);
constexpr uint32_t kByBoth = by(Layer::Cgroup, Layer::Mounts);
constexpr Control kOff = loosened("--memory none");

constexpr auto kMuchMemory = limited("--memory 96M", {
    {"memory-one", Category::Resources, "memory in one process",
     "Takes memory and touches every page of it. Without a limit the kernel ends, when nothing is left, a "
     "process that it chooses, and it need not be this one.",
     "mmap(2), cgroups(7), memory controller", kBy, Proof::None, kOff, of_one, kSolo},
    {"memory-eight", Category::Resources, "memory in eight processes together",
     "Takes an eighth of it in each of eight processes. Limits that hold one process only, as those of "
     "setrlimit do, let it pass; so do the sandboxes that have no others.",
     "getrlimit(2), RLIMIT_AS", kBy, Proof::None, kOff, of_eight, kSolo},
    {"memory-shared", Category::Resources, "memory that is shared",
     "Takes memory of a kind that belongs to no process alone, and is not in what programs are said to use "
     "of their own. Sums of what each process has for itself miss it.",
     "mmap(2), MAP_SHARED", kBy, Proof::None, kOff, shared, kSolo},
    {"memory-file", Category::Resources, "memory in a file without a name",
     "Writes to a file that is in memory alone. No mapping is needed for it, and no size of a mounted file "
     "system bounds it.",
     "memfd_create(2)", by(Layer::Cgroup, Layer::Rlimits, Layer::Seccomp), Proof::None,
     loosened("--memory none --allow-syscall memfd_create"), memory_file, kSolo},
    {"memory-segment", Category::Resources, "memory in a System V segment",
     "Takes a segment of System V and touches it. Such a segment stays when its maker ends, until somebody "
     "removes it.",
     "shmget(2)", kBy, Proof::None, kOff, segment, kSolo},
    {"memory-pipes", Category::Resources, "memory in full pipes",
     "Fills pipes that nobody reads, and keeps them for a tenth of a second. Their pages are the kernel's, and were in no account at all before they "
     "were counted for each user in 2016.",
     "pipe(7), /proc/sys/fs/pipe-user-pages-soft; CVE-2016-2847", by(Layer::Cgroup, Layer::Rlimits),
     Proof::None, kBare, pipes, kSolo, "", 0, "--memory 64M"},
    {"memory-sockets", Category::Resources, "memory in full sockets",
     "Sends messages to sockets that nobody reads. The kernel holds them, many times as large as what is in "
     "them.",
     "socket(7), SO_SNDBUF", by(Layer::Cgroup, Layer::Rlimits), Proof::None,
     kBare, sockets, kSolo},
    {"memory-tables", Category::Resources, "memory in page tables",
     "Reads one page of zeros at places far apart, so that the kernel has to make a table for each. What "
     "programs are said to use does not grow by it: who sums that, instead of asking a control group, sees "
     "nothing.",
     "proc(5), VmPTE; mm/memory.c", kBy, Proof::None, kOff, tables, kSolo},
    {"memory-locked", Category::Resources, "memory that cannot be swapped",
     "Asks for memory to be kept from the swap. Locked memory is taken from everybody for good.",
     "mlock(2), RLIMIT_MEMLOCK", by(Layer::Rlimits, Layer::Cgroup, Layer::Capabilities, Layer::UserNs),
     Proof::None, kBare, locked, kSolo},
    {"memory-tmp", Category::Resources, "memory, or the disk, by a file in /tmp",
     "Fills a file in /tmp. In a jail that is memory or a part of the disk, and either is full for everybody "
     "when nothing bounds it. It has no name any more while it is filled.",
     "tmpfs(5), size", kByBoth, Proof::None, loosened("--memory none --tmp-size 16G"), folder, kSolo, "/tmp", 0,
     "--tmp-size 32M"},
    {"memory-shm", Category::Resources, "memory by a file in /dev/shm",
     "Fills a file in /dev/shm, whose size is half of the machine's memory when nobody says another one. Who "
     "bounds /tmp and forgets this one has bounded nothing.",
     "shm_overview(7), tmpfs(5)", kByBoth, Proof::None, kBare, folder, kSolo, "/dev/shm", 0,
     "--tmp-size 32M"},
});

}  // namespace

std::span<const Probe> much_memory() { return kMuchMemory; }

}  // namespace immure::probes

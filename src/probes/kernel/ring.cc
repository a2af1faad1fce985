// io_uring: work that is asked for in shared memory, where no filter of system calls sees it.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr uint8_t kOpSocket = 45;  // IORING_OP_SOCKET, since 5.19

Attempt set_up(const Yard&, const Probe& row) {
  io_uring_params parameters;
  std::memset(&parameters, 0, sizeof parameters);
  parameters.flags = static_cast<uint32_t>(row.number);
  int fd = static_cast<int>(syscall(SYS_io_uring_setup, 1, &parameters));
  if (fd < 0) return stopped("io_uring_setup");
  close(fd);
  return exposed("io_uring_setup gave a ring");
}

struct Ring {
  int fd = -1;
  char* queues = nullptr;
  io_uring_sqe* entries = nullptr;
  io_uring_params parameters;
};

bool make(Ring& ring) {
  std::memset(&ring.parameters, 0, sizeof ring.parameters);
  ring.fd = static_cast<int>(syscall(SYS_io_uring_setup, 1, &ring.parameters));
  if (ring.fd < 0) return false;
  const int access = PROT_READ | PROT_WRITE;
  void* queues = mmap(nullptr, 4096, access, MAP_SHARED, ring.fd, static_cast<off_t>(IORING_OFF_SQ_RING));
  void* entries = mmap(nullptr, 4096, access, MAP_SHARED, ring.fd, static_cast<off_t>(IORING_OFF_SQES));
  if (queues == MAP_FAILED || entries == MAP_FAILED) return false;
  ring.queues = static_cast<char*>(queues);
  ring.entries = static_cast<io_uring_sqe*>(entries);
  return true;
}

// One entry, and what came of it; `error` of the way there in errno, else the result, which may be negative
// too.
bool ask(Ring& ring, const io_uring_sqe& entry, int& result) {
  if ((ring.parameters.features & IORING_FEAT_SINGLE_MMAP) == 0) return errno = ENOSYS, false;
  ring.entries[0] = entry;
  auto at = [&](uint32_t offset) { return reinterpret_cast<uint32_t*>(ring.queues + offset); };
  *at(ring.parameters.sq_off.array) = 0;
  __atomic_store_n(at(ring.parameters.sq_off.tail), 1U, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0UL) != 1) return false;
  result = reinterpret_cast<io_uring_cqe*>(ring.queues + ring.parameters.cq_off.cqes)->res;
  return true;
}

Attempt open_socket(const Yard&, const Probe&) {
  Ring ring;
  if (!make(ring)) return stopped("io_uring_setup");
  // Generic netlink: any user may have it, and a tight filter denies it to socket(2).
  io_uring_sqe entry;
  std::memset(&entry, 0, sizeof entry);
  entry.opcode = kOpSocket;
  entry.fd = AF_NETLINK;
  entry.off = SOCK_RAW | SOCK_CLOEXEC;
  entry.len = 16;
  int result = 0;
  if (!ask(ring, entry, result)) return stopped("io_uring_enter");
  if (result < 0) return stopped("ring socket", -result);
  return exposed("the ring opened a socket of generic netlink");
}

Attempt make_set_id(const Yard& yard, const Probe&) {
  char path[128];
  if (!scratch_path(yard, "ring", path, sizeof path)) return not_applicable("nothing is writable for a file");
  Ring ring;
  if (!make(ring)) return stopped("io_uring_setup");
  io_uring_sqe entry;
  std::memset(&entry, 0, sizeof entry);
  entry.opcode = IORING_OP_OPENAT;
  entry.fd = AT_FDCWD;
  entry.addr = reinterpret_cast<uint64_t>(path);
  entry.open_flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC;
  entry.len = 04700;
  int result = 0;
  if (!ask(ring, entry, result)) return stopped("io_uring_enter");
  if (result < 0) return stopped("ring openat", -result);
  struct stat made {};
  bool is_set = fstat(result, &made) == 0 && (made.st_mode & S_ISUID) != 0;
  unlink(path);
  return is_set ? exposed("the ring made a set-user-id file") : stopped("ring openat", EPERM);
}

constexpr Control kWithRings = loosened("--allow-syscall @io-uring");

constexpr Probe kRings[] = {
    {"ring-make", Category::Kernel, "make an io_uring",
     "io_uring is one of the parts of the kernel that brought most exploits of recent years, among them "
     "CVE-2021-41073 and CVE-2022-29582; every user may make a ring unless a sysctl or a filter says no. The "
     "attempt makes one and closes it.",
     "io_uring_setup(2), CVE-2022-29582", by(Layer::Seccomp), Proof::None, kWithRings, set_up, kPlain, "", 0},
    {"ring-kernel-thread", Category::Kernel, "make an io_uring with a kernel thread",
     "With IORING_SETUP_SQPOLL a thread of the kernel works for the program without a single further system "
     "call, out of sight of filters, tracers and audit. The thread ends with the ring, which is closed at "
     "once.",
     "io_uring_setup(2), IORING_SETUP_SQPOLL", by(Layer::Seccomp), Proof::None, kWithRings, set_up, kPlain,
     "", IORING_SETUP_SQPOLL},
    {"ring-socket", Category::Kernel, "a denied socket by way of an io_uring",
     "A filter looks at socket(2); a ring opens sockets by an entry in memory, since Linux 5.19. Where rings "
     "are open, every rule about families and protocols is void.",
     "io_uring_enter(2), IORING_OP_SOCKET", by(Layer::Seccomp), Proof::None, kWithRings, open_socket},
    {"ring-set-id", Category::Kernel, "a set-user-id file by way of an io_uring",
     "Where a filter denies modes with the set-id bits, a ring makes such a file all the same: what it is to "
     "open, and with which mode, stands in memory. In a writable folder of the host the file outlives the "
     "jail.",
     "io_uring_enter(2), IORING_OP_OPENAT", by(Layer::Seccomp), Proof::None, kWithRings, make_set_id},
};

}  // namespace

std::span<const Probe> rings() { return kRings; }

}  // namespace immure::probes

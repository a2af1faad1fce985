// The mistakes of a careless launcher, made on purpose: what it leaves open must not be open inside.
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/text.h"
#include "probes/yard.h"
#include "prove/yard.h"

namespace immure::prove {

using namespace probes;  // the numbers of the leaked descriptors

namespace {

constexpr int kSameFile = -1;
constexpr int kThisProcess = 1;  // IOPRIO_WHO_PROCESS
constexpr unsigned kKeySeconds = 600;
constexpr unsigned kReadableKey = 0x3f3f0000;  // everything to its possessor and to its user

// A connection to the witness, or -1.
int connected(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || path.size() >= sizeof address.sun_path) return fd;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

Terminal::Terminal() {
  master.reset(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[64] = {};
  struct stat node {};
  if (!master || grantpt(master.get()) != 0 || unlockpt(master.get()) != 0 ||
      ptsname_r(master.get(), name, sizeof name) != 0 || stat(name, &node) != 0)
    return;
  path = name;
  facts = {"terminal=" + num(node.st_rdev), "terminal_device=" + num(node.st_dev)};
}

void Yard::prepare_leaks() {
  // Kept above all the numbers that they will have, so that putting one into its place closes no other.
  auto keep = [&](int fd, int number, int flags = kSameFile) {
    if (fd < 0) return;
    held_.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, kLeakedHigh + 1));
    close(fd);
    if (held_.back()) leaks_.push_back({held_.back().get(), number, flags});
  };
  keep(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), kLeakedFolder);
  keep(open((folder_ + "/canary").c_str(), O_RDONLY | O_CLOEXEC), kLeakedFile, O_RDONLY);
  keep(open((folder_ + "/writable").c_str(), O_RDWR | O_CLOEXEC), kLeakedWritable, O_RDWR);
  keep(open("/", O_PATH | O_CLOEXEC), kLeakedTop);
  keep(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), kLeakedNamespace);
  keep(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), kLeakedHigh);
  keep(static_cast<int>(syscall(SYS_pidfd_open, witness_.pid(), 0)), kLeakedPidfd);
  keep(epoll_create1(EPOLL_CLOEXEC), kLeakedEpoll);
  int memory = memfd_create("immure-canary", MFD_CLOEXEC);
  if (memory >= 0) (void)write_fd(memory, line_ + "\n", "a file in memory");
  keep(memory, kLeakedMemory, O_RDONLY);
  char parameters[120] = {};
  keep(static_cast<int>(syscall(SYS_io_uring_setup, 4, parameters)), kLeakedRing);
}

// A key that all sessions of the caller's user reach. It goes by itself should nobody be left to take it
// away.
void Yard::share_key() {
  long& key = remains_.left().user_key;
  key = syscall(SYS_add_key, "user", key_.c_str(), line_.data(), line_.size(), KEY_SPEC_USER_KEYRING);
  if (key < 0) return;
  (void)syscall(SYS_keyctl, KEYCTL_SETPERM, key, kReadableKey);
  (void)syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, kKeySeconds);
}

void Yard::be_careless(const Terminal& terminal) const {
  setsid();
  if (!terminal.path.empty()) {
    int fd = open(terminal.path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd >= 0) (void)ioctl(fd, TIOCSCTTY, 0);
  }
  if (int asker = connected(folder_ + kAsk); asker >= 0) dup2(asker, kLeakedSocket), close(asker);
  for (const Leak& leak : leaks_) {
    if (leak.flags == kSameFile) {
      dup2(leak.from, leak.number);
      continue;
    }
    // Opened anew: the position in a file would be shared by all that inherit it, and the first reader moves
    // it.
    int own = open(("/proc/self/fd/" + num_signed(leak.from)).c_str(), leak.flags | O_CLOEXEC);
    if (own >= 0 && own != leak.number) dup2(own, leak.number), close(own);
  }
  setenv(variable_.c_str(), line_.c_str(), 1);
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "immure-prove") >= 0) {
    long key =
        syscall(SYS_add_key, "user", key_.c_str(), line_.data(), line_.size(), KEY_SPEC_SESSION_KEYRING);
    if (key >= 0) (void)syscall(SYS_keyctl, KEYCTL_SETPERM, key, kReadableKey);
  }
  auto group = kSupplementary;
  if (geteuid() == 0) (void)setgroups(1, &group);
  // What is handed on to whoever is started, unless somebody puts it right. Both name what is not there, where
  // nobody else may put it: the launcher's loader looks for libraries with it, and the folder is open to all.
  setenv("SSH_AUTH_SOCK", (folder_ + kRoots + "/no-agent").c_str(), 1);
  setenv("LD_LIBRARY_PATH", (folder_ + kRoots + "/no-libraries").c_str(), 1);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, kCarelessBlocked);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  signal(kCarelessIgnored, SIG_IGN);
  umask(kCarelessUmask);
  (void)setpriority(PRIO_PROCESS, 0, kCarelessNice);
  (void)syscall(SYS_ioprio_set, kThisProcess, 0, kCarelessIoPriority);
  prctl(PR_SET_TIMERSLACK, kCarelessTimerSlack, 0, 0, 0);
  personality(kCarelessPersonality);
}

}  // namespace immure::prove

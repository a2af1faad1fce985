// Back to the top of one's own mount namespace: setns sets the root and the working directory anew.
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt look_from_top(const Yard& yard) { return read_canary_at(AT_FDCWD, yard.canary, "open the canary"); }

Attempt by_pidfd(const Yard& yard, const Probe&) {
  if (nothing_to_walk_to(yard)) return granted();
  int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (self < 0) return stopped("pidfd_open");
  if (setns(self, CLONE_NEWNS) != 0) return stopped("setns");
  return look_from_top(yard);
}

// In a root without /proc one is mounted first, on / itself, in mounts of its own.
Attempt by_proc(const Yard& yard, const Probe&) {
  if (nothing_to_walk_to(yard)) return granted();
  int self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (self < 0) {
    if (!own_mounts(yard)) return stopped("unshare");
    if (mount("none", "/proc", "proc", 0, nullptr) != 0) return stopped("mount proc");
    self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  }
  if (self < 0) return stopped("open");
  if (setns(self, CLONE_NEWNS) != 0) return stopped("setns");
  return look_from_top(yard);
}

// include/uapi/linux/nsfs.h; since 6.12
struct NamespaceInfo {
  uint32_t size, mounts;
  uint64_t id;
};
constexpr unsigned long kNext = _IOR(0xb7, 11, NamespaceInfo), kPrevious = _IOR(0xb7, 12, NamespaceInfo);

// Namespace by namespace, in both directions; each is entered when it can be.
Attempt step_by_step(const Yard& yard, const Probe&) {
  bool is_proof = !nothing_to_walk_to(yard);
  Attempt attempt = stopped("ioctl", ENOENT);
  for (unsigned long direction : {kPrevious, kNext}) {
    int at = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (at < 0) return stopped("open");
    for (int i = 0; i < 64; ++i) {
      NamespaceInfo info{sizeof info, 0, 0};
      auto next = static_cast<int>(syscall(SYS_ioctl, at, direction, &info));
      if (next < 0) {
        if (i == 0 && errno != ENOENT) attempt = stopped("ioctl NS_MNT_GET_NEXT");
        break;
      }
      close(at);
      at = next;
      attempt = exposed("a mount namespace that is not ours was opened, it has %u mounts", info.mounts);
      if (!is_proof || setns(next, CLONE_NEWNS) != 0) continue;
      Attempt seen = look_from_top(yard);
      if (seen.outcome == Outcome::Escaped) return seen;
    }
    close(at);
  }
  return attempt;
}

constexpr uint32_t kWalls = by(Layer::Root, Layer::Capabilities, Layer::Seccomp);
constexpr Probe kOwnNamespace[] = {
    {"setns-own-pidfd", Category::Root, "setns to the own mount namespace, by a pidfd of oneself",
     "Entering a mount namespace, be it the one that one is in, puts root and working directory at its top. "
     "In a jail that changed its root with chroot, or by a mount over /, the top is the host's. A pidfd of "
     "oneself names the namespace since Linux 5.8, and needs no /proc.",
     "setns(2), pidfd_open(2)", kWalls, Proof::Line, kChroot, by_pidfd},
    {"setns-own-proc", Category::Root, "setns to the own mount namespace, by /proc/self/ns/mnt",
     "The same with the file of /proc, which works since Linux 3.8; where there is no /proc the probe mounts "
     "one. It is why a root must be pivoted and the old one detached: then the top of the namespace is the "
     "jail's root.",
     "setns(2), mount_namespaces(7)", kWalls, Proof::Line, kChroot, by_proc},
    {"mount-namespace-steps", Category::Root, "other mount namespaces by ioctl NS_MNT_GET_NEXT",
     "Since Linux 6.12 a descriptor of a mount namespace gives one of the next and of the previous, through "
     "all that exist, and no /proc/PID/ns is needed for it. With CAP_SYS_ADMIN over them they can be entered "
     "and are the host's files. Filters that stop setns by path or hide /proc do not see it.",
     "ioctl_nsfs(2), fs/nsfs.c since 6.12", by(Layer::UserNs, Layer::Capabilities, Layer::Seccomp),
     Proof::Line, kBare, step_by_step},
};

}  // namespace

std::span<const Probe> own_namespace() { return kOwnNamespace; }

}  // namespace immure::probes

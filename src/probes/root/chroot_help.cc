// Out of a chroot with somebody's help who is not in it: a descriptor handed over, a folder moved away.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "probes/descriptors/passing.h"
#include "probes/inside.h"

namespace immure::probes {
namespace {

// The helper keeps the old root and sends it to the one that changed its own.
Attempt over_a_socket(const Yard& yard, const Probe&) {
  if (is_granted(yard)) return granted();
  char folder[128];
  if (!scratch_path(yard, "socket", folder, sizeof folder))
    return not_applicable("nothing is writable for a folder");
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return stopped("socketpair");
  pid_t helper = fork();
  if (helper < 0) return stopped("fork");
  if (helper == 0) {
    int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _exit(send_descriptor(ends[1], top) ? 0 : 1);
  }
  close(ends[1]);
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  if (chroot(folder) != 0) {
    Attempt attempt = stopped("chroot");
    rmdir(folder);
    return attempt;
  }
  int top = receive_descriptor(ends[0]);
  if (top < 0) return stopped("recvmsg");
  if (fchdir(top) != 0) return stopped("fchdir");
  return look_from_here(yard);
}

// The child stands in a folder below its root; the parent moves that folder out, and ".." has nothing to stop
// at.
Attempt moved_away(const Yard& yard, const Probe&) {
  if (is_granted(yard)) return granted();
  char folder[128], below[160], aside[160];
  if (!scratch_path(yard, "moved", folder, sizeof folder))
    return not_applicable("nothing is writable for a folder");
  std::snprintf(below, sizeof below, "%s/below", folder);
  std::snprintf(aside, sizeof aside, "%s-aside", folder);
  if (mkdir(folder, 0700) != 0 || mkdir(below, 0700) != 0) return stopped("mkdir");
  int ends[2], told[2];
  if (pipe2(ends, O_CLOEXEC) != 0 || pipe2(told, O_CLOEXEC) != 0) return stopped("pipe2");
  pid_t child = fork();
  if (child < 0) return stopped("fork");
  if (child == 0) {
    Attempt attempt;
    char go = 'g';
    if (chroot(folder) != 0)
      attempt = stopped("chroot");
    else if (chdir("/below") != 0)
      attempt = stopped("chdir");
    else if (write(told[1], &go, 1) != 1 || read(ends[0], &go, 1) != 1)
      attempt = stopped("read");
    else
      attempt = look_from_here(yard);
    _exit(write(told[1], &attempt, sizeof attempt) == sizeof attempt ? 0 : 1);
  }
  close(told[1]);
  char first[sizeof(Attempt)];
  ssize_t n = read(told[0], first, 1);
  // One byte alone is the sign; a whole attempt says that it came no further.
  pollfd more{told[0], POLLIN, 0};
  bool stands = n == 1 && poll(&more, 1, 50) == 0;
  if (stands && (rename(below, aside) != 0 || write(ends[1], "g", 1) != 1)) kill(child, SIGKILL);   // it would wait
  Attempt attempt = stopped("rename");
  ssize_t have = stands ? 0 : 1;
  if (!stands) *reinterpret_cast<char*>(&attempt) = first[0];
  if (read(told[0], reinterpret_cast<char*>(&attempt) + have, sizeof attempt - static_cast<size_t>(have)) <=
      0)
    attempt = stopped("wait", ECHILD);
  kill(child, SIGKILL);
  rmdir(aside);
  rmdir(below);
  rmdir(folder);
  return attempt;
}

constexpr Probe kChrootWithHelp[] = {
    {"chroot-socket", Category::Root, "second chroot, the old root handed back over a socket",
     "Two processes work together: one changes its root, the other, which did not, sends it a descriptor of "
     "the old one over a unix socket. Nothing that is closed before the chroot helps, because the descriptor "
     "comes afterwards. With it fchdir and some steps up lead out of every jail that is chroot alone.",
     "chroot(2), unix(7), SCM_RIGHTS", by(Layer::Root, Layer::Capabilities, Layer::Seccomp), Proof::Line,
     kChroot, over_a_socket},
    {"chroot-moved-folder", Category::Root, "folder moved out from under a process in a chroot",
     "A process stands in a folder below its root while another one moves that folder to a place which is "
     "not below. The check that stops \"..\" compares with the root alone, which is no longer met on the way "
     "up, and the walk ends at the host's root. Who can rename folders of a jail from outside does the same "
     "to a jail by mistake.",
     "chroot(2), NOTES; path_resolution(7)", by(Layer::Root, Layer::Capabilities, Layer::Seccomp),
     Proof::Line, kChroot, moved_away},
};

}  // namespace

std::span<const Probe> chroot_with_help() { return kChrootWithHelp; }

}  // namespace immure::probes

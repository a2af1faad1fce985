// A user namespace of the program's own, in which it has every capability, and the parts of the kernel that
// open there.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "uapi/kernel.h"

namespace immure::probes {
namespace {

Attempt by_unshare(const Yard&, const Probe&) {
  if (unshare(CLONE_NEWUSER) != 0) return stopped("unshare");
  return exposed("a user namespace was made, with every capability in it");
}

Attempt of_child(const char* call, long child) {
  if (child < 0) return stopped(call);
  if (child == 0) _exit(0);
  while (waitpid(static_cast<pid_t>(child), nullptr, 0) < 0 && errno == EINTR) continue;
  return exposed("a process in a user namespace of its own was made by %s", call);
}
Attempt by_clone(const Yard&, const Probe& row) {
  // The upper half of the word is no flag of clone: the kernel cuts it off, a filter may not.
  return of_child(
      "clone",
      syscall(SYS_clone, static_cast<unsigned long>(row.number) | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}
Attempt by_clone3(const Yard&, const Probe&) {
  uapi::CloneArgs arguments{};
  arguments.flags = uapi::kCloneNewUser;
  arguments.exit_signal = SIGCHLD;
  return of_child("clone3", syscall(SYS_clone3, &arguments, sizeof arguments));
}

bool enter(int more) { return unshare(CLONE_NEWUSER | more) == 0; }

void put(const char* path, const char* text) {
  const auto n = static_cast<ssize_t>(std::strlen(text));
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  // Where a map cannot be written, the call that needs it tells.
  if (fd >= 0 && write(fd, text, std::strlen(text)) == n) errno = 0;
  if (fd >= 0) close(fd);
}
void map_to_root(unsigned uid, unsigned gid) {
  char text[32];
  put("/proc/self/setgroups", "deny");
  std::snprintf(text, sizeof text, "0 %u 1", uid);
  put("/proc/self/uid_map", text);
  std::snprintf(text, sizeof text, "0 %u 1", gid);
  put("/proc/self/gid_map", text);
}

// The call that failed, or null.
const char* enter_mounts() {
  const unsigned uid = geteuid(), gid = getegid();
  if (!enter(CLONE_NEWNS)) return "unshare";
  map_to_root(uid, gid);
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ? nullptr : "mount private";
}

Attempt mount_memory(const Yard& yard, const Probe&) {
  if (const char* failed = enter_mounts(); failed != nullptr) return stopped(failed);
  const char* place = yard.scratch[0] != '\0' ? yard.scratch : "/";
  if (mount("none", place, "tmpfs", 0, "size=64k") != 0) return stopped("mount tmpfs");
  return exposed("a file system was mounted in namespaces of the program's own");
}

Attempt mount_overlay(const Yard& yard, const Probe&) {
  if (yard.scratch[0] == '\0') return not_applicable("nothing is writable to mount on");
  if (const char* failed = enter_mounts(); failed != nullptr) return stopped(failed);
  if (mount("none", yard.scratch, "tmpfs", 0, "size=64k") != 0) return stopped("mount tmpfs");
  if (chdir(yard.scratch) != 0 || mkdir("a", 0700) != 0 || mkdir("b", 0700) != 0) return stopped("mkdir");
  if (mount("none", "a", "overlay", MS_RDONLY, "lowerdir=a:b") != 0) return stopped("mount overlay");
  return exposed("an overlay was mounted in namespaces of the program's own");
}

Attempt mount_fuse(const Yard& yard, const Probe&) {
  if (const char* failed = enter_mounts(); failed != nullptr) return stopped(failed);
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);  // the kernel wants it opened in the same namespace
  if (device < 0) return stopped("open /dev/fuse");
  char options[96];
  std::snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
  if (mount("none", yard.scratch[0] != '\0' ? yard.scratch : "/", "fuse", MS_NOSUID | MS_NODEV, options) != 0)
    return stopped("mount fuse");
  return exposed("a file system that the program answers for itself was mounted");
}

// Asks a netlink family for something that only CAP_NET_ADMIN gets, and waits for what it says.
Attempt ask_netlink(const Yard&, const Probe& row) {
  if (!enter(CLONE_NEWNET)) return stopped("unshare");
  const int family = static_cast<int>(row.number >> 32);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
  if (fd < 0) return stopped("socket netlink");
  struct {
    nlmsghdr header;
    uint32_t body;
  } message{{sizeof message, static_cast<uint16_t>(row.number & 0xffff), NLM_F_REQUEST | NLM_F_ACK, 1, 0}, 0};
  if (send(fd, &message, sizeof message, 0) < 0) return stopped("send netlink");
  struct {
    nlmsghdr header;
    int error;
    char more[1024];
  } answer{};
  pollfd wait_for{fd, POLLIN, 0};
  if (poll(&wait_for, 1, 1000) <= 0) return stopped("poll", ETIMEDOUT);
  if (recv(fd, &answer, sizeof answer, 0) < 0) return stopped("recv netlink");
  const int error = answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error : 0;
  if (error == EPERM || error == EOPNOTSUPP) return stopped("ask netlink", error);
  return exposed("%s answers the program as the owner of its network", row.word);
}

Attempt open_socket(const Yard&, const Probe& row) {
  if (!enter(CLONE_NEWNET)) return stopped("unshare");
  int fd = socket(static_cast<int>(row.number >> 32), SOCK_RAW | SOCK_CLOEXEC,
                  static_cast<int>(row.number & 0xff));
  if (fd < 0) return stopped("socket");
  return exposed("a %s was opened", row.word);
}

Attempt make_tunnel(const Yard&, const Probe&) {
  if (!enter(CLONE_NEWNET)) return stopped("unshare");
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return stopped("open /dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd, TUNSETIFF, &request) != 0) return stopped("ioctl TUNSETIFF");
  return exposed("a network interface was made in a network of the program's own");
}

Attempt change_root(const Yard&, const Probe&) {
  if (!enter(0)) return stopped("unshare");
  if (chroot("/") != 0) return stopped("chroot");
  return exposed("chroot is open to the owner of a namespace");
}

constexpr uint32_t kNoNamespaces = by(Layer::Seccomp);
constexpr Control kNested = loosened("--weaken nested-userns --seccomp none");
constexpr Control kMounting = loosened("--weaken nested-userns --seccomp none --need landlock=off");

constexpr Probe inside(const char* id, const char* technique, const char* about, const char* reference,
                       Attempt (*run)(const Yard&, const Probe&), const char* word = "", long number = 0,
                       Control control = kNested) {
  return {id,          Category::Privilege,
          technique,   about,
          reference,   kNoNamespaces,
          Proof::None, control,
          run,         kPlain,
          word,        number};
}
constexpr long pair(long high, long low) { return high << 32 | low; }

constexpr Probe kOwnNamespaces[] = {
    inside("userns-unshare", "user namespace by unshare",
           "Makes a user namespace and is root in it. Nothing is won by that alone, but it opens interfaces "
           "that only root had until Linux 3.8, and the errors in them.",
           "user_namespaces(7)", by_unshare, "", 0, loosened("--weaken nested-userns")),
    inside("userns-clone", "user namespace by clone",
           "Makes a process with CLONE_NEWUSER. A filter that knows unshare only forgets this way.",
           "clone(2)", by_clone, "", 0, loosened("--weaken nested-userns")),
    inside("userns-clone-high", "user namespace by clone, with upper bits",
           "Like clone, with a bit in the upper half of the flags' word, which the kernel ignores. A filter "
           "that compares the whole word with what it forbids does not match.",
           "clone(2), kernel/fork.c", by_clone, "", 1L << 40, loosened("--weaken nested-userns")),
    inside("userns-clone3", "user namespace by clone3",
           "Makes the process with clone3, whose flags stand in memory where no filter can see them. A "
           "filter has to refuse the call as unknown. In the kernel since 5.3.",
           "clone3(2)", by_clone3),
    inside("userns-mount", "mount in an own user namespace",
           "Makes user and mount namespaces and mounts a tmpfs. From there other file systems' code can be "
           "reached, as in CVE-2022-0185, where the parser of mount options gave the host to programs in "
           "containers.",
           "CVE-2022-0185", mount_memory, "", 0, kMounting),
    inside("userns-overlay", "overlay in an own user namespace",
           "Mounts an overlay in namespaces of its own, which kernels since 5.11 allow. CVE-2023-0386 and "
           "CVE-2021-3493 gave root that way.",
           "CVE-2023-0386", mount_overlay, "", 0, kMounting),
    inside("userns-fuse", "fuse mount in an own user namespace",
           "Opens /dev/fuse and mounts a file system that it answers itself, allowed since Linux 4.18. Such "
           "a mount stops the kernel in the middle of a copy for as long as an attack on a race takes.",
           "fuse(4)", mount_fuse, "", 0,
           loosened("--weaken nested-userns --seccomp none --need landlock=off --dev /dev/fuse")),
    inside("userns-nftables", "nf_tables in an own network",
           "Makes user and network namespaces and asks nf_tables for its generation, which takes "
           "CAP_NET_ADMIN. From here CVE-2022-32250, CVE-2023-32233 and CVE-2024-1086 gave root on hosts.",
           "CVE-2024-1086", ask_netlink, "nf_tables", pair(NETLINK_NETFILTER, 10 << 8 | 16)),
    inside("userns-xfrm", "packet transformation in an own network",
           "Makes user and network namespaces and asks for the state of IPsec transformations. CVE-2017-7184 "
           "in that interface was used at a contest to become root.",
           "CVE-2017-7184", ask_netlink, "xfrm", pair(NETLINK_XFRM, 0x23)),
    inside("userns-packet", "packet socket in an own network",
           "Makes user and network namespaces and opens a packet socket, which can have rings in shared "
           "memory. CVE-2016-8655, CVE-2017-7308 and CVE-2020-14386 were errors there.",
           "CVE-2020-14386", open_socket, "packet socket", pair(AF_PACKET, 0)),
    inside("userns-raw", "raw socket in an own network",
           "Makes user and network namespaces and opens a raw socket of ICMP, by which headers that no check "
           "made come into the kernel. Errors of the protocols that were out of reach for a program come "
           "within it.",
           "raw(7), network_namespaces(7)", open_socket, "raw socket", pair(AF_INET, 1)),
    inside("userns-tun", "tunnel interface in an own network",
           "Makes user and network namespaces and in them an interface whose packets the program writes. "
           "Received packets of any form run through the kernel's network code then.",
           "Documentation/networking/tuntap.rst", make_tunnel, "", 0,
           loosened("--weaken nested-userns --seccomp none --dev /dev/net/tun")),
    inside("userns-chroot", "chroot in an own user namespace",
           "Makes a user namespace and calls chroot there, which is allowed to its owner. By that the walk "
           "out of a chroot jail is open to programs without any right.",
           "user_namespaces(7), chroot(2)", change_root),
};

}  // namespace

std::span<const Probe> own_namespaces() { return kOwnNamespaces; }

}  // namespace immure::probes

// Files by which the host's next start, its next login or its timer would run what a program left. They are
// opened for writing, and nothing is written; in folders a file is made that never gets a name.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/descriptors/passing.h"
#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr unsigned long kTmpfs = 0x01021994, kRamfs = 0x858458f6;

// One of the paths, between blanks; a path that ends with "/" is a folder.
Attempt try_path(const Yard& yard, const char* path) {
  bool is_folder = path[std::strlen(path) - 1] == '/';
  int fd = open(path, is_folder ? O_TMPFILE | O_RDWR | O_CLOEXEC : O_WRONLY | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0) return stopped("open");
  struct statfs where;
  bool is_memory = fstatfs(fd, &where) == 0 && (static_cast<unsigned long>(where.f_type) == kTmpfs ||
                                                static_cast<unsigned long>(where.f_type) == kRamfs);
  close(fd);
  // A file in memory is the jail's own copy, which ends with it; the host's own root may be in memory, too.
  return is_memory && !in_callers_mounts(yard) ? stopped("open of the host's", EXDEV)
                                               : exposed("%s can be written to", path);
}

Attempt write_any(const Yard& yard, const Probe& row) {
  char paths[256];
  std::snprintf(paths, sizeof paths, "%s", row.word);
  Attempt attempt = stopped("open", ENOENT);
  char* rest = paths;
  while (const char* path = strtok_r(nullptr, " ", &rest)) {
    Attempt one = try_path(yard, path);
    if (one.outcome == Outcome::Exposed) return one;
    if (one.error != ENOENT) attempt = one;
  }
  return attempt;
}

Attempt connect_any(const Yard&, const Probe& row) {
  char paths[256];
  std::snprintf(paths, sizeof paths, "%s", row.word);
  Attempt attempt = stopped("connect", ENOENT);
  char* rest = paths;
  while (const char* path = strtok_r(nullptr, " ", &rest)) {
    int fd = connect_path(path);
    if (fd >= 0) {
      close(fd);
      return exposed("%s takes connections", path);
    }
    if (errno != ENOENT) attempt = stopped("connect");
  }
  return attempt;
}

// A set-user-id file in the program's own folder counts for other users only where it lies on a mount without
// nosuid.
Attempt leave_set_uid(const Yard& yard, const Probe&) {
  char path[128];
  if (!scratch_path(yard, "set-uid", path, sizeof path))
    return not_applicable("nothing is writable for a file");
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return stopped("open");
  struct statfs where {};
  bool known = fstatfs(fd, &where) == 0;
  Attempt attempt;
  if (fchmod(fd, 04755) != 0) {
    attempt = stopped("fchmod");
  } else {
    struct stat now {};
    bool kept = fstat(fd, &now) == 0 && (now.st_mode & S_ISUID) != 0;
    bool counts = kept && known && (where.f_flags & 2 /* ST_NOSUID */) == 0;
    attempt =
        counts ? exposed("a set-user-id file that counts lay in %s", yard.scratch) : stopped("nosuid", EPERM);
  }
  close(fd);
  unlink(path);
  return attempt;
}

constexpr uint32_t kWalls = by(Layer::Root, Layer::Mounts, Layer::UserNs, Layer::Landlock);
constexpr Probe kHostsFiles[] = {
    {"write-accounts", Category::Links, "files of accounts opened to write",
     "A line in passwd, shadow or sudoers is a login as root. Containers with the host's /etc bound, and "
     "jails that run as root on the host's own tree, can write it.",
     "passwd(5), shadow(5), sudoers(5)", kWalls, Proof::None, kBare, write_any, kPlain,
     "/etc/passwd /etc/shadow /etc/sudoers /etc/sudoers.d/"},
    {"write-timers", Category::Links, "tables of cron opened to write",
     "What a file in /etc/cron.d or in the spool says is run as root within a minute, outside. It is the "
     "usual second step after a bound folder was found writable.",
     "crontab(5)", kWalls, Proof::None, kBare, write_any, kPlain,
     "/etc/crontab /etc/cron.d/ /var/spool/cron/crontabs/ /etc/cron.daily/"},
    {"write-units", Category::Links, "folders of systemd's units, written to",
     "A unit file is run as root at the next start or reload. The folder in /run counts as well, and is "
     "easily overlooked because it is empty.",
     "systemd.unit(5)", kWalls, Proof::None, kBare, write_any, kPlain,
     "/etc/systemd/system/ /run/systemd/system/ /usr/lib/systemd/system/ /etc/init.d/"},
    {"write-programs", Category::Links, "folders of programs, written to",
     "A program left in a folder of PATH is run by others under a name that they type. /usr is most often "
     "the host's own, bound.",
     "hier(7)", kWalls, Proof::None, kBare, write_any, kPlain, "/usr/bin/ /bin/ /usr/sbin/ /usr/local/bin/"},
    {"write-loader", Category::Links, "configuration of the dynamic loader opened to write",
     "ld.so.cache, ld.so.conf.d and the folders of libraries decide what code every program is made of. They "
     "are in each root that shows the host's /usr or /etc.",
     "ld.so(8), ldconfig(8)", kWalls, Proof::None, kBare, write_any, kPlain,
     "/etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d/ /usr/lib/x86_64-linux-gnu/ /usr/lib64/ /usr/lib/"},
    {"write-root-home", Category::Links, "home of root, written to",
     "A line in authorized_keys is a login as root. The shell's rc files in root's home are run at the next "
     "one.",
     "sshd(8), bash(1)", kWalls, Proof::None, kBare, write_any, kPlain, "/root/.ssh/ /root/.bashrc /root/"},
    {"write-boot", Category::Links, "kernel and its start files, written to",
     "Kernel, initial file system and boot loader's configuration are run before every protection. Images of "
     "virtual machines and installers bind /boot into their jails.",
     "bootup(7)", kWalls, Proof::None, kBare, write_any, kPlain,
     "/boot/ /boot/grub/ /boot/efi/ /usr/lib/modules/"},
    {"connect-managers", Category::Links, "sockets of container managers",
     "Each of these sockets starts containers as root for whoever may connect. They have well-known paths, "
     "and a bound /run or /var/run shows them.",
     "unix(7), CWE-250", by(Layer::Root, Layer::Landlock), Proof::None, kBare, connect_any, kPlain,
     "/run/docker.sock /var/run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock "
     "/run/crio/crio.sock /run/snapd.socket /run/libvirt/libvirt-sock /run/lxd.socket"},
    {"connect-system", Category::Links, "sockets of the service manager and the system bus",
     "The service manager and the system's bus start services, mount disks and ask for passwords. Both tell "
     "who connects by the kernel's word about the user id, which in a jail of root's is 0.",
     "systemd(1), dbus-daemon(1)", by(Layer::Root, Layer::Landlock), Proof::None, kBare, connect_any, kPlain,
     "/run/systemd/private /run/dbus/system_bus_socket /run/systemd/journal/stdout /run/udev/control "
     "/run/systemd/notify"},
    {"scratch-set-uid", Category::Links, "set-user-id file left in the program's own folder",
     "A file with the set-user-id bit is the user's whom the jail runs as. Left where others can start it, "
     "it lends that user's rights to them; on a mount with nosuid it lends nothing.",
     "inode(7), mount(2), MS_NOSUID", by(Layer::Mounts, Layer::Seccomp), Proof::None, kBare, leave_set_uid},
};

}  // namespace

std::span<const Probe> hosts_files() { return kHostsFiles; }

}  // namespace immure::probes

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "audit/facts/live_parts.h"
#include "base/text.h"
#include "kernel/sys.h"

namespace immure::audit {
namespace {

// Sockets whose service does what its callers ask, with rights that a jail should not have.
constexpr const char* kSockets[] = {
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/libvirt/libvirt-sock",
    "/run/lxd.socket",
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/run/snapd.socket",
    "/run/systemd/private",
    "/run/systemd/io.systemd.ManagedOOM",
    "/run/systemd/userdb/io.systemd.Multiplexer",
    "/run/dbus/system_bus_socket",
    "/run/udev/control",
    "/run/acpid.socket",
    "/run/rpcbind.sock",
    "/run/mysqld/mysqld.sock",
    "/run/postgresql/.s.PGSQL.5432",
    "/dev/log",
    "/run/systemd/journal/socket",
    "/run/systemd/journal/dev-log",
    "/tmp/.X11-unix/X0",
    "/tmp/.X11-unix/X1",
};
// In /run/user/UID.
constexpr const char* kUserSockets[] = {"bus",          "systemd/private",   "wayland-0",
                                        "pulse/native", "pipewire-0",        "gnupg/S.gpg-agent",
                                        "keyring/ssh",  "podman/podman.sock"};

constexpr const char* kSetIdPrograms[] = {
    "/usr/bin/sudo",
    "/usr/bin/su",
    "/bin/su",
    "/usr/bin/passwd",
    "/usr/bin/mount",
    "/bin/mount",
    "/usr/bin/umount",
    "/usr/bin/chsh",
    "/usr/bin/chfn",
    "/usr/bin/newgrp",
    "/usr/bin/gpasswd",
    "/usr/bin/pkexec",
    "/usr/bin/doas",
    "/usr/bin/crontab",
    "/usr/bin/at",
    "/usr/bin/fusermount",
    "/usr/bin/fusermount3",
    "/usr/bin/firejail",
    "/usr/bin/bwrap",
    "/usr/bin/newuidmap",
    "/usr/bin/expiry",
    "/usr/bin/chage",
    "/usr/bin/ssh-agent",
    "/usr/bin/wall",
    "/usr/lib/openssh/ssh-keysign",
    "/usr/lib/dbus-1.0/dbus-daemon-launch-helper",
};

struct KernelFile {
  const char* path;
  unsigned want;  // 4: reading it is what counts, 2: writing
};
constexpr KernelFile kKernelFiles[] = {
    {"/proc/sys/kernel/core_pattern", 2},
    {"/proc/sys/kernel/modprobe", 2},
    {"/proc/sys/kernel/hotplug", 2},
    {"/proc/sys/vm/panic_on_oom", 2},
    {"/proc/sysrq-trigger", 2},
    {"/proc/sys/fs/binfmt_misc/register", 2},
    {"/proc/irq/default_smp_affinity", 2},
    {"/proc/mtrr", 2},
    {"/proc/kcore", 4},
    {"/proc/kmsg", 4},
    {"/proc/kallsyms", 4},
    {"/proc/keys", 4},
    {"/proc/sched_debug", 4},
    {"/proc/timer_list", 4},
    {"/proc/slabinfo", 4},
    {"/proc/kpageflags", 4},
    {"/proc/vmallocinfo", 4},
    {"/sys/kernel/uevent_helper", 2},
    {"/sys/kernel/security", 4},
    {"/sys/kernel/debug", 4},
    {"/sys/kernel/tracing", 4},
    {"/sys/power/state", 2},
    {"/sys/kernel/vmcoreinfo", 4},
    {"/sys/firmware/acpi/tables", 4},
};

// Opens what the process would open, but follows no link of /proc and asks no automounter.
UniqueFd open_inside(int root, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long fd = sys::call(__NR_openat2, root, sys::arg(path), sys::arg(&how), sizeof how);
  return sys::failed(fd) ? UniqueFd() : UniqueFd(static_cast<int>(fd));
}

std::optional<struct stat> stat_inside(int root, const char* path) {
  UniqueFd fd = open_inside(root, path, O_PATH);
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return std::nullopt;
  return st;
}

const LiveMount* mount_at(const Live& live, std::string_view path) {
  const LiveMount* found = nullptr;
  for (const LiveMount& mount : *live.mounts)
    if (is_below(path, mount.target) && (found == nullptr || mount.target.size() >= found->target.size()))
      found = &mount;
  return found;
}

ReachableFile reachable(std::string path, const struct stat& st, const Ids& ids) {
  ReachableFile file;
  file.path = std::move(path);
  file.major = major(st.st_rdev);
  file.minor = minor(st.st_rdev);
  file.block = S_ISBLK(st.st_mode);
  file.readable = may_open(ids, st.st_uid, st.st_gid, st.st_mode, 4);
  file.writable = may_open(ids, st.st_uid, st.st_gid, st.st_mode, 2);
  return file;
}

// Where the host sees a path of the process's.
std::string host_path_of_file(const Live& live, const std::string& path, const std::vector<HostMount>& host) {
  const LiveMount* mount = mount_at(live, path);
  if (mount == nullptr) return live.root_path == "/" ? path : live.root_path + path;  // a plain chroot
  std::string_view rest = std::string_view(path).substr(mount->target == "/" ? 0 : mount->target.size());
  return host_path_of(mount->device, (mount->root == "/" ? std::string() : mount->root) + std::string(rest),
                      host);
}

void look_at_sockets(int root, const Ids& ids, const Surroundings& around, Live& live) {
  live.sockets.emplace();
  auto one = [&](const std::string& path) {
    auto st = stat_inside(root, path.c_str());
    if (!st || !S_ISSOCK(st->st_mode)) return;
    ReachableFile file = reachable(path, *st, ids);
    if (!file.writable) return;
    file.host_path = host_path_of_file(live, path, around.mounts);
    if (!file.host_path.empty())
      file.holders = around.listeners().holders(socket_place(st->st_dev, st->st_ino));
    live.sockets->push_back(std::move(file));
  };
  for (const char* path : kSockets) one(path);
  for (const char* name : kUserSockets) one("/run/user/" + num(ids.uid) + "/" + name);
}

bool worth_a_word(const struct stat& st) {
  if (S_ISBLK(st.st_mode)) return true;
  if (!S_ISCHR(st.st_mode)) return false;
  unsigned a = major(st.st_rdev), b = minor(st.st_rdev);
  // null, zero, full, random, urandom; tty, ptmx and the terminals of a devpts
  bool harmless = (a == 1 && (b == 3 || b == 5 || b == 7 || b == 8 || b == 9)) ||
                  (a == 5 && (b == 0 || b == 2)) || (a >= 136 && a <= 143) || (a == 0 && b == 0);
  return !harmless;
}

void look_at_devices(int root, const Ids& ids, Live& live) {
  live.devices.emplace();
  for (const char* folder : {"/dev", "/dev/mapper", "/dev/net", "/dev/dri", "/dev/input", "/dev/vfio"}) {
    UniqueFd dir = open_inside(root, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!dir) continue;
    const LiveMount* mount = mount_at(live, folder);
    DIR* list = fdopendir(dup(dir.get()));
    if (list == nullptr) continue;
    size_t names = 0;
    while (dirent* entry = readdir(list)) {
      if (++names > 4096) break;
      struct stat st {};
      if (fstatat(dir.get(), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !worth_a_word(st)) continue;
      // A node that is a mount of its own has that mount's flags.
      std::string path = std::string(folder) + "/" + entry->d_name;
      const LiveMount* its = mount_at(live, path);
      if (its == nullptr) its = mount;
      if (its != nullptr && its->nodev) continue;
      ReachableFile file = reachable(path, st, ids);
      if (file.readable || file.writable) live.devices->push_back(std::move(file));
    }
    closedir(list);
  }
}

void look_at_set_id(int root, Live& live) {
  live.set_id.emplace();
  std::vector<std::pair<dev_t, ino_t>> seen;
  for (const char* path : kSetIdPrograms) {
    auto st = stat_inside(root, path);
    if (!st || !S_ISREG(st->st_mode)) continue;
    bool user = (st->st_mode & S_ISUID) != 0 && (st->st_mode & 0111) != 0;
    bool group = (st->st_mode & S_ISGID) != 0 && (st->st_mode & 0010) != 0;
    const LiveMount* mount = mount_at(live, path);
    if ((!user && !group) || (mount != nullptr && mount->nosuid)) continue;
    std::pair<dev_t, ino_t> file{st->st_dev, st->st_ino};
    if (std::find(seen.begin(), seen.end(), file) != seen.end()) continue;
    seen.push_back(file);
    live.set_id->push_back(path);
  }
}

void look_at_kernel_files(int root, const Ids& ids, Live& live) {
  live.kernel_files.emplace();
  for (const KernelFile& wanted : kKernelFiles) {
    auto st = stat_inside(root, wanted.path);
    if (!st || S_ISCHR(st->st_mode)) continue;  // covered by a device such as /dev/null
    const LiveMount* mount = mount_at(live, wanted.path);
    bool kernels = mount != nullptr && (mount->fstype == "proc" || mount->fstype == "sysfs" ||
                                        mount->fstype == "securityfs" || mount->fstype == "debugfs" ||
                                        mount->fstype == "tracefs" || mount->fstype == "binfmt_misc");
    if (!kernels) continue;
    ReachableFile file = reachable(wanted.path, *st, ids);
    file.writable = file.writable && !mount->read_only && wanted.want == 2;
    file.readable = file.readable && wanted.want == 4 && !S_ISDIR(st->st_mode);
    if (file.readable || file.writable) live.kernel_files->push_back(std::move(file));
  }
}

}  // namespace

bool may_open(const Ids& ids, uint32_t owner, uint32_t group, unsigned mode, unsigned want) {
  unsigned has = mode & 7;
  if (ids.uid == owner)
    has = mode >> 6 & 7;
  else if (ids.gid == group || std::find(ids.groups.begin(), ids.groups.end(), group) != ids.groups.end())
    has = mode >> 3 & 7;
  return (has & want) == want;
}

Ids ids_of(const Live& live) {
  Ids ids;
  if (!live.threads.empty()) {
    ids.uid = live.threads[0].uid[3];
    ids.gid = live.threads[0].gid[3];
  }
  for (const auto& [gid, name] : live.groups) ids.groups.push_back(gid);
  return ids;
}

void look_at_reach(const LiveLook& look, Live& live) {
  UniqueFd root(openat(look.proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root || !live.mounts) {
    live.reach_note = "its root is not readable for this caller";
    return;
  }
  for (const LiveMount& mount : *live.mounts) {
    bool answers_itself = mount.fstype.starts_with("fuse") || mount.fstype == "autofs" ||
                          mount.fstype == "9p" || mount.fstype.starts_with("nfs");
    bool on_the_way = mount.target == "/" || is_below("/run", mount.target) ||
                      is_below("/usr", mount.target) || is_below(mount.target, "/run") ||
                      is_below(mount.target, "/usr") || is_below("/dev", mount.target) ||
                      is_below("/tmp", mount.target);
    if (!answers_itself || !on_the_way) continue;
    live.reach_note = "a file system that answers by itself is mounted at " + mount.target;
    return;
  }
  Ids ids = ids_of(live);
  look_at_sockets(root.get(), ids, look.around, live);
  look_at_devices(root.get(), ids, live);
  look_at_set_id(root.get(), live);
  look_at_kernel_files(root.get(), ids, live);
}

}  // namespace immure::audit

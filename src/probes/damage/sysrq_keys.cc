// The keys that the kernel obeys whoever is logged in, by the file that presses them.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "probes/damage/harm.h"

namespace immure::probes {
namespace {

constexpr char kTrigger[] = "/proc/sysrq-trigger";

Attempt press(const char* path, const Probe& row) {
  const char keys[] = {static_cast<char>(row.number), '\0'};
  return put(path, keys) ? escaped("the kernel took the key %s", keys) : stopped("sysrq-trigger");
}

Attempt on_the_mount(const Yard&, const Probe& row) { return press(kTrigger, row); }

// Where the file is hidden or cannot be written, another mount of the same file system may have it.
Attempt on_own_mount(const Yard& yard, const Probe& row) {
  char folder[128], path[192];
  if (!scratch_path(yard, "proc", folder, sizeof folder))
    return not_applicable("nothing is writable for a folder");
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  Attempt attempt;
  if (!own_mounts(yard)) {
    attempt = stopped("unshare");
  } else if (mount("proc", folder, "proc", 0, nullptr) != 0) {
    attempt = stopped("mount");
  } else {
    std::snprintf(path, sizeof path, "%s/sysrq-trigger", folder);
    attempt = press(path, row);
    umount2(folder, MNT_DETACH);
  }
  rmdir(folder);
  return attempt;
}

constexpr uint32_t kBy = by(Layer::UserNs, Layer::Mounts, Layer::Landlock);
constexpr uint32_t kByOwn = by(Layer::UserNs, Layer::Seccomp, Layer::Landlock, Layer::Capabilities);

constexpr Probe kSysrqKeys[] = {
    harm("damage-sysrq", "press a key of the kernel's",
         "Writes a digit to /proc/sysrq-trigger, which sets what the kernel tells on the console. The same "
         "file kills every process, writes every disk back, and ends the machine.",
         "Documentation/admin-guide/sysrq.rst", kBy, on_the_mount, "console-level", kPlain, '9'),
    harm("damage-sysrq-own-proc", "press a key of the kernel's in an own procfs",
         "Mounts procfs again in a mount namespace of its own, where nothing lies over the file, and writes "
         "there. Read-only binds and masks hold one mount, not the file system.",
         "Documentation/admin-guide/sysrq.rst", kByOwn, on_own_mount, "console-level", kPlain, '9'),
    harm("damage-sysrq-crash", "crash the kernel",
         "Writes the letter c to /proc/sysrq-trigger, and the kernel follows a null pointer of its own. The "
         "whole machine ends, with all that was not written back.",
         "Documentation/admin-guide/sysrq.rst", kBy, on_the_mount, "", kFatal, 'c'),
};

}  // namespace

std::span<const Probe> sysrq_keys() { return kSysrqKeys; }

}  // namespace immure::probes

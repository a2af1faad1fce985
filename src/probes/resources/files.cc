// Files: their number, their size, and those that are open.
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "probes/resources/take.h"

namespace immure::probes {
namespace {

// So many bytes at its end, and none before: no room is taken.
Attempt large_file(const Yard& yard, const Probe&) {
  if (yard.file_size == 0) return not_applicable("it is not said how large the file should be");
  char path[128];
  if (!scratch_path(yard, "large", path, sizeof path))
    return not_applicable("nothing is writable for a file");
  signal(SIGXFSZ, SIG_IGN);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return stopped("open");
  unlink(path);
  if (pwrite(fd, "x", 1, yard.file_size - 1) != 1) return stopped("pwrite");
  return took(yard.file_size / kMiB, "MiB in one file");
}

// Names of one file would not need inodes: every file is one.
Attempt many_files(const Yard&, const Probe& row) {
  char folder[64];
  std::snprintf(folder, sizeof folder, "%s/immure-probe-many-%d", row.word, getpid());
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return stopped("open");
  char name[32];
  long made = 0;
  Attempt attempt;
  // A slow disk must not end the probe before it has removed what it made.
  const time_t end = time(nullptr) + 6;
  for (; made < row.number; ++made) {
    if (time(nullptr) > end) {
      attempt = refused("open", ETIMEDOUT, made, "files");
      break;
    }
    std::snprintf(name, sizeof name, "%ld", made);
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
      attempt = refused("open", made, "files");
      break;
    }
    close(fd);
  }
  if (made == row.number) attempt = took(made, "files");
  for (long i = 0; i < made; ++i) {
    std::snprintf(name, sizeof name, "%ld", i);
    unlinkat(at, name, 0);
  }
  close(at);
  rmdir(folder);
  return attempt;
}

// With the soft limit as high as it may be raised.
Attempt open_files(const Yard&, const Probe& row) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  for (long i = 0; i < row.number; ++i) {
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return refused("open", i, "open files");
  }
  return took(row.number, "open files");
}

constexpr long kInodes = 4000;  // a tmpfs of 8 MiB has about half of them

constexpr Probe kManyFilesAndLarge[] = {
    {"file-size", Category::Resources, "one very large file",
     "Writes one byte far behind the beginning of a file. No room is taken by it; whoever copies the file, "
     "or stores it elsewhere, takes all of it.",
     "getrlimit(2), RLIMIT_FSIZE", by(Layer::Rlimits, Layer::Mounts), Proof::None,
     loosened("--file-size none"), large_file, kSolo, "", 0, "--file-size 8M"},
    {"inodes-tmp", Category::Resources, "very many files in /tmp",
     "Makes empty files. They take no room that a size would bound, but an inode of some hundred bytes each, "
     "of the kernel's memory or of what the disk has.",
     "tmpfs(5), nr_inodes", by(Layer::Mounts, Layer::Cgroup), Proof::None,
     loosened("--memory none --tmp-size 16G"), many_files, kSolo, "/tmp", kInodes,
     "--tmp-size 8M"},
    {"inodes-shm", Category::Resources, "very many files in /dev/shm",
     "The same in the folder for shared memory, which is easily forgotten. A size in bytes does not bound "
     "it.",
     "tmpfs(5), nr_inodes", by(Layer::Mounts, Layer::Cgroup), Proof::None, kBare, many_files, kSolo,
     "/dev/shm", kInodes, "--tmp-size 8M"},
    {"open-files", Category::Resources, "very many open files",
     "Opens a file over and over, with its own limit raised as far as it goes. The kernel has a table for "
     "all that is open on the machine, and a place in it for nobody when it is full.",
     "getrlimit(2), RLIMIT_NOFILE; proc(5), /proc/sys/fs/file-max", by(Layer::Rlimits, Layer::Cgroup),
     Proof::None, kBare, open_files, kSolo, "", 4000, "--open-files 1000"},
};

}  // namespace

std::span<const Probe> many_files_and_large() { return kManyFilesAndLarge; }

}  // namespace immure::probes

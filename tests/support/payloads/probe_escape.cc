// Ways out that were walked before. Each takes MARK, the path of a file that exists outside and not inside: seeing it
// is the proof.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "probe.h"

namespace probe {
namespace {

// Up as far as it goes, then MARK from there, without the leading "/".
Verdict look_from_here(const std::string& mark) {
  for (int i = 0; i < 64; ++i) {
    if (chdir("..") != 0) return error(errno, "chdir ..");
  }
  if (access(mark.c_str() + (mark[0] == '/' ? 1 : 0), F_OK) != 0) return error(errno, "the mark is not in sight");
  return ok("outside");
}

// The classic: a second chroot leaves the working directory above the root.
Verdict do_chroot_walk(const Words& words) {
  std::string dir = word_or(words, 1, "/tmp") + "/walk";
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return error(errno, "mkdir");
  if (chroot(dir.c_str()) != 0) return error(errno, "chroot");
  Verdict seen = look_from_here(words[0]);
  return seen;
}

// The same with a descriptor kept instead of the working directory.
Verdict do_chroot_fchdir(const Words& words) {
  int kept = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::string dir = word_or(words, 1, "/tmp") + "/walk";
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return error(errno, "mkdir");
  if (chroot(dir.c_str()) != 0) return error(errno, "chroot");
  if (fchdir(kept) != 0) return error(errno, "fchdir");
  return look_from_here(words[0]);
}

// A directory that somebody forgot to close.
Verdict do_fchdir_fd(const Words& words) {
  if (fchdir(static_cast<int>(number(words[0]))) != 0) return error(errno, "fchdir");
  return look_from_here(words[1]);
}

// Every descriptor that is open, from 3 to 4095.
Verdict do_any_fd(const Words& words) {
  for (int fd = 3; fd < 4096; ++fd) {
    if (fchdir(fd) != 0) continue;
    if (Verdict seen = look_from_here(words[0]); seen.error == 0) return ok("by descriptor " + std::to_string(fd));
  }
  return error(EBADF);
}

// Through /proc: the root, the working directory and the descriptors of every process that shows there.
Verdict do_proc_walk(const Words& words) {
  int failed = ENOENT;
  for (int pid = 1; pid < 70000; ++pid) {
    std::string base = "/proc/" + std::to_string(pid);
    struct stat st {};
    if (stat(base.c_str(), &st) != 0) continue;
    for (const char* door : {"/root", "/cwd"}) {
      if (access((base + door + words[0]).c_str(), F_OK) == 0) return ok(base + door);
      failed = errno;
    }
  }
  return error(failed);
}

Verdict do_pivot_back(const Words& words) {
  if (syscall(SYS_pivot_root, ".", ".") != 0) return error(errno, "pivot_root");
  return look_from_here(words[0]);
}

Verdict do_walk_up(const Words& words) { return look_from_here(words[0]); }

constexpr Action kActions[] = {
    {"walk-up", "MARK", 1, do_walk_up},
    {"chroot-walk", "MARK [DIR]", 1, do_chroot_walk},
    {"chroot-fchdir", "MARK [DIR]", 1, do_chroot_fchdir},
    {"fchdir-fd", "FD MARK", 2, do_fchdir_fd},
    {"any-fd", "MARK", 1, do_any_fd},
    {"proc-walk", "MARK", 1, do_proc_walk},
    {"pivot-back", "MARK", 1, do_pivot_back},
};

}  // namespace

std::span<const Action> escape_actions() { return kActions; }

}  // namespace probe

// Files as the jail shows them.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "probe.h"

namespace probe {
namespace {

Verdict do_open(const Words& words) {
  std::string how = word_or(words, 1, "r");
  int flags = how == "w" ? O_WRONLY : how == "rw" ? O_RDWR : how == "d" ? O_RDONLY | O_DIRECTORY : how == "p" ? O_PATH : O_RDONLY;
  if (how == "create") flags = O_WRONLY | O_CREAT;
  int fd = open(words[0].c_str(), flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
  return of(fd);
}

Verdict do_cat(const Words& words) {
  int failed = 0;
  std::string text = slurp(words[0].c_str(), &failed, 1 << 16);
  return failed != 0 ? error(failed) : ok(text);
}

Verdict do_write(const Words& words) {
  int fd = open(words[0].c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | (words.size() > 2 ? O_CREAT : 0), 0600);
  if (fd < 0) return error(errno, "open");
  return of(write(fd, words[1].data(), words[1].size()), std::to_string(words[1].size()) + " bytes");
}

Verdict do_stat(const Words& words) {
  struct stat st {};
  if (lstat(words[0].c_str(), &st) != 0) return error(errno);
  char text[160];
  std::snprintf(text, sizeof text, "mode=%o uid=%u gid=%u links=%lu size=%ld dev=%u:%u rdev=%u:%u ino=%lu", st.st_mode,
                st.st_uid, st.st_gid, st.st_nlink, st.st_size, major(st.st_dev), minor(st.st_dev), major(st.st_rdev),
                minor(st.st_rdev), st.st_ino);
  return ok(text);
}

Verdict do_list(const Words& words) {
  DIR* dir = opendir(words[0].c_str());
  if (dir == nullptr) return error(errno);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return ok(text);
}

Verdict do_readlink(const Words& words) {
  char target[4096];
  ssize_t n = readlink(words[0].c_str(), target, sizeof target);
  return n < 0 ? error(errno) : ok(std::string(target, static_cast<size_t>(n)));
}

Verdict do_mkdir(const Words& words) { return of(mkdir(words[0].c_str(), 0700)); }
Verdict do_unlink(const Words& words) { return of(unlink(words[0].c_str())); }
Verdict do_rmdir(const Words& words) { return of(rmdir(words[0].c_str())); }
Verdict do_link(const Words& words) { return of(link(words[0].c_str(), words[1].c_str())); }
Verdict do_symlink(const Words& words) { return of(symlink(words[0].c_str(), words[1].c_str())); }
Verdict do_rename(const Words& words) { return of(rename(words[0].c_str(), words[1].c_str())); }
Verdict do_chmod(const Words& words) {
  return of(chmod(words[0].c_str(), static_cast<mode_t>(number(words[1]))));
}
Verdict do_chown(const Words& words) {
  return of(lchown(words[0].c_str(), static_cast<uid_t>(number(words[1])), static_cast<gid_t>(number(words[2]))));
}
Verdict do_setxattr(const Words& words) {
  return of(lsetxattr(words[0].c_str(), words[1].c_str(), words[2].data(), words[2].size(), 0));
}

// mknod PATH c|b|p [MAJOR MINOR]
Verdict do_mknod(const Words& words) {
  mode_t type = words[1] == "c" ? S_IFCHR : words[1] == "b" ? S_IFBLK : words[1] == "s" ? S_IFSOCK : S_IFIFO;
  dev_t device = words.size() > 3 ? makedev(static_cast<unsigned>(number(words[2])), static_cast<unsigned>(number(words[3])))
                                  : dev_t{0};
  return of(mknod(words[0].c_str(), type | 0600, device));
}

// Writes to a FIFO that is somebody's at the other end; ENXIO when nobody reads there.
Verdict do_fifo(const Words& words) {
  int fd = open(words[0].c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return error(errno, "open");
  return of(write(fd, "x", 1));
}

Verdict do_statfs(const Words& words) {
  struct statfs fs {};
  if (statfs(words[0].c_str(), &fs) != 0) return error(errno);
  char text[160];
  std::snprintf(text, sizeof text, "type=%lx bytes=%lu files=%lu flags=%lx", static_cast<unsigned long>(fs.f_type),
                static_cast<unsigned long>(fs.f_blocks) * static_cast<unsigned long>(fs.f_bsize),
                static_cast<unsigned long>(fs.f_files), static_cast<unsigned long>(fs.f_flags));
  return ok(text);
}

// fill PATH MIB: how much of it can be written before it fails.
Verdict do_fill(const Words& words) {
  static char block[1 << 16];
  int fd = open(words[0].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return error(errno, "open");
  const long wanted = number(words[1]) << 20;
  long written = 0;
  int failed = 0;
  while (written < wanted) {
    ssize_t n = write(fd, block, sizeof block);
    if (n <= 0) {
      failed = n < 0 ? errno : ENOSPC;
      break;
    }
    written += n;
  }
  close(fd);
  unlink(words[0].c_str());
  return error(failed, std::to_string(written >> 20) + " MiB");
}

// many DIR N: how many empty files can be made there.
Verdict do_many(const Words& words) {
  const long wanted = number(words[1]);
  long made = 0;
  int failed = 0;
  for (; made < wanted; ++made) {
    int fd = open((words[0] + "/many." + std::to_string(made)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      failed = errno;
      break;
    }
    close(fd);
  }
  for (long i = 0; i < made; ++i) unlink((words[0] + "/many." + std::to_string(i)).c_str());
  return error(failed, std::to_string(made) + " files");
}

bool copy_self(int to) {
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (from < 0) return false;
  char buffer[1 << 16];
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;) {
    if (write(to, buffer, static_cast<size_t>(n)) != n) return false;
  }
  close(from);
  return true;
}

// Starts what `fd` holds as "probe exit 77" and says whether that ran.
Verdict start_image(int fd) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return error(errno, "pipe");
  pid_t child = fork();
  if (child < 0) return error(errno, "fork");
  if (child == 0) {
    char* const arguments[] = {const_cast<char*>("probe"), const_cast<char*>("exit"), const_cast<char*>("77"), nullptr};
    char* const environment[] = {nullptr};
    fexecve(fd, arguments, environment);
    int failed = errno;
    if (write(ends[1], &failed, sizeof failed) < 0) _exit(4);
    _exit(3);
  }
  close(ends[1]);
  int failed = 0;
  if (read(ends[0], &failed, sizeof failed) == static_cast<ssize_t>(sizeof failed)) return error(failed, "execve");
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? ok("ran") : error(ENOEXEC, "it did not run");
}

// A copy of this very program, written to PATH and started from there: what noexec is about.
Verdict do_exec_copy(const Words& words) {
  int fd = open(words[0].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  if (fd < 0) return error(errno, "open");
  if (!copy_self(fd)) return error(errno, "copy");
  fchmod(fd, 0700);
  close(fd);
  fd = open(words[0].c_str(), O_RDONLY | O_CLOEXEC);  // one that is open for writing cannot be started
  Verdict verdict = fd < 0 ? error(errno, "open again") : start_image(fd);
  unlink(words[0].c_str());
  return verdict;
}

// The same without a file.
Verdict do_memfd_exec(const Words&) {
  int fd = memfd_create("probe", 0);
  if (fd < 0) return error(errno, "memfd_create");
  if (!copy_self(fd)) return error(errno, "copy");
  return start_image(fd);
}

constexpr Action kActions[] = {
    {"open", "PATH [r|w|rw|d|p|create]", 1, do_open},
    {"cat", "PATH", 1, do_cat},
    {"write", "PATH TEXT [create]", 2, do_write},
    {"stat", "PATH", 1, do_stat},
    {"list", "DIR", 1, do_list},
    {"readlink", "PATH", 1, do_readlink},
    {"mkdir", "PATH", 1, do_mkdir},
    {"unlink", "PATH", 1, do_unlink},
    {"rmdir", "PATH", 1, do_rmdir},
    {"link", "FROM TO", 2, do_link},
    {"symlink", "TEXT PATH", 2, do_symlink},
    {"rename", "FROM TO", 2, do_rename},
    {"chmod", "PATH MODE", 2, do_chmod},
    {"chown", "PATH UID GID", 3, do_chown},
    {"setxattr", "PATH NAME VALUE", 3, do_setxattr},
    {"mknod", "PATH c|b|p|s [MAJOR MINOR]", 2, do_mknod},
    {"fifo", "PATH", 1, do_fifo},
    {"statfs", "PATH", 1, do_statfs},
    {"fill", "PATH MIB", 2, do_fill},
    {"many", "DIR COUNT", 2, do_many},
    {"exec-copy", "PATH", 1, do_exec_copy},
    {"memfd-exec", "", 0, do_memfd_exec},
};

}  // namespace

std::span<const Action> file_actions() { return kActions; }

}  // namespace probe

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

#include "child/ops.h"
#include "child/read_back.h"
#include "uapi/kernel.h"

namespace immure::child {
namespace {

long write_all(int fd, const char* data) {
  unsigned long left = length(data);
  while (left > 0) {
    long n = sys::write(fd, data, left);
    if (n < 0) return n;
    data += n;
    left -= static_cast<unsigned long>(n);
  }
  return 0;
}

// What is made is made below its directory: a link on the way leads to no other place than one there.
constexpr uint64_t kBelow = uapi::kResolveInRoot | uapi::kResolveNoMagiclinks;

long put(int dir, const char* path, unsigned mode, const char* data) {
  uapi::OpenHow how{O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode, kBelow};
  long fd = sys::call(__NR_openat2, dir, sys::arg(path), sys::arg(&how), sizeof how);
  if (fd < 0) return fd;
  long result = write_all(static_cast<int>(fd), data);
  sys::close(static_cast<int>(fd));
  return result;
}

// The directory in which the last name of a path below `dir` stands. It is dir itself for a name alone, which most are.
struct Parent {
  long fd;
  const char* name;
  bool opened = false;

  Parent(int dir, const char* path) : fd(dir), name(path) {
    constexpr unsigned long kLongest = 4096;
    char buffer[kLongest];
    unsigned long last = 0, n = 0;
    for (; path[n] != '\0'; n++)
      if (path[n] == '/') last = n;
    if (last == 0) return;
    if (last >= kLongest) {
      fd = -ENAMETOOLONG;
      return;
    }
    for (n = 0; n < last; n++) buffer[n] = path[n];
    buffer[last] = '\0';
    uapi::OpenHow how{O_PATH | O_DIRECTORY | O_CLOEXEC, 0, kBelow};
    fd = sys::call(__NR_openat2, dir, sys::arg(buffer), sys::arg(&how), sizeof how);
    name = path + last + 1;
    opened = fd >= 0;
  }
  Parent(const Parent&) = delete;
  ~Parent() {
    if (opened) sys::close(static_cast<int>(fd));
  }
};

long make_dir(const Step& step, int dir, const char* path) {
  Parent parent(dir, path);
  if (parent.fd < 0) return parent.fd;
  long r = sys::call(__NR_mkdirat, parent.fd, sys::arg(parent.name), static_cast<long>(step.x));
  if (r == 0 && step.y != 0)
    r = sys::call(__NR_fchownat, parent.fd, sys::arg(parent.name), static_cast<long>(step.y - 1),
                  static_cast<long>(step.z - 1), AT_SYMLINK_NOFOLLOW);
  return r == -EEXIST ? 0 : r;
}

long make_link(int dir, const char* path, const char* target) {
  Parent parent(dir, path);
  if (parent.fd < 0) return parent.fd;
  return sys::call(__NR_symlinkat, sys::arg(target), parent.fd, sys::arg(parent.name));
}

long make_node(const Step& step, int dir, const char* path) {
  Parent parent(dir, path);
  if (parent.fd < 0) return parent.fd;
  return sys::call(__NR_mknodat, parent.fd, sys::arg(parent.name), static_cast<long>(step.x | S_IFCHR),
                   static_cast<long>(step.y));
}

// A directory that is not there yet is no reason to work in the caller's.
bool makes(Op op) { return op == Op::MakeDir || op == Op::MakeFile || op == Op::MakeLink || op == Op::MakeNode; }

bool is_one_line(const char* text) {
  while (*text != '\0' && *text != '\n') text++;
  return *text == '\0';
}

// A file of the kernel's. A value of one line is there to be read afterwards; a table is shown in other words, and is
// the parent's to compare.
long set_value(int dir, const char* path, const char* value) {
  long fd = sys::open(dir, path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return fd;
  long result = write_all(static_cast<int>(fd), value);
  if (result == 0 && is_one_line(value)) {
    char shown[32] = {};
    unsigned long size = length(value);
    long n = sys::call(__NR_pread64, fd, sys::arg(shown), sizeof shown, 0);
    result = n < 0 ? n : kNotShown;
    bool same = n >= static_cast<long>(size);
    for (unsigned long i = 0; same && i < size; i++) same = shown[i] == value[i];
    if (same) result = 0;
  }
  sys::close(static_cast<int>(fd));
  return result;
}

long expect_inode(int fd, uint64_t device, uint64_t inode) {
  struct statx st {};
  long r = sys::call(__NR_statx, fd, sys::arg(""), uapi::kAtEmptyPath, STATX_INO, sys::arg(&st));
  if (r < 0) return r;
  uint64_t seen = (uint64_t{st.stx_dev_major} << 32) | st.stx_dev_minor;
  return seen == device && st.stx_ino == inode ? 0 : -ESTALE;
}

}  // namespace

long open_beneath(int dir, const char* path) {
  while (*path == '/') path++;
  if (*path == '\0') path = ".";
  uapi::OpenHow how{O_PATH | O_CLOEXEC | O_NOFOLLOW, 0,
                    uapi::kResolveInRoot | uapi::kResolveNoSymlinks | uapi::kResolveNoMagiclinks};
  return sys::call(__NR_openat2, dir, sys::arg(path), sys::arg(&how), sizeof how);
}

namespace {

unsigned put(char* buffer, unsigned n, const char* text) {
  for (; *text != '\0'; text++) buffer[n++] = *text;
  buffer[n] = '\0';
  return n;
}

unsigned put(char* buffer, unsigned n, long number) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) buffer[n++] = digits[--count];
  buffer[n] = '\0';
  return n;
}

}  // namespace

unsigned fd_path(char* buffer, int fd) { return put(buffer, put(buffer, 0, "/proc/self/fd/"), fd); }

void proc_path(char* buffer, long pid, const char* name) {
  put(buffer, put(buffer, put(buffer, put(buffer, 0, "/proc/"), pid), "/"), name);
}

long file_op(const Step& step, View& view) {
  const char* path = text(view, step.s);
  int dir = slot(view, step.a);
  if (makes(step.op) && dir < 0) return -EBADF;
  switch (step.op) {
    case Op::Open: {
      uapi::OpenHow how{step.x | O_CLOEXEC, 0, step.y};
      long fd = sys::call(__NR_openat2, dir, sys::arg(path), sys::arg(&how), sizeof how);
      return keep(view, step.out, fd);
    }
    case Op::ExpectInode: return expect_inode(dir, step.x, step.y);
    case Op::Close:
      view.fds[step.a] = -1;
      return sys::close(dir);
    case Op::MakeDir: return make_dir(step, dir, path);
    case Op::MakeFile: return put(dir, path, static_cast<unsigned>(step.x), text(view, step.t));
    case Op::MakeLink: return make_link(dir, path, text(view, step.t));
    case Op::MakeNode: return make_node(step, dir, path);
    case Op::WriteFile: {
      long r = set_value(dir, path, text(view, step.t));
      return (step.x != 0 && r == -ENOENT) || (step.x == 2 && r == -EROFS) ? 0 : r;
    }
    default: return -ENOSYS;
  }
}

}  // namespace immure::child

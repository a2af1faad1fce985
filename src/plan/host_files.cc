#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

#include "kernel/sys.h"
#include "plan/compile.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

PathFacts::Kind kind_of(uint32_t mode) {
  switch (mode & 0170000) {
    case 0100000: return PathFacts::Kind::File;
    case 0040000: return PathFacts::Kind::Dir;
    case 0120000: return PathFacts::Kind::Link;
    case 0020000: return PathFacts::Kind::CharDevice;
    case 0060000: return PathFacts::Kind::BlockDevice;
    case 0010000: return PathFacts::Kind::Fifo;
    default: return PathFacts::Kind::Socket;
  }
}

PathFacts look_at(int dir, const char* path, int flags) {
  PathFacts facts;
  struct statx st {};
  long r = sys::call(__NR_statx, dir, sys::arg(path), flags, STATX_TYPE | STATX_MODE | STATX_INO | STATX_UID | STATX_GID,
                     sys::arg(&st));
  if (r < 0) {
    facts.error = static_cast<int>(-r);
    return facts;
  }
  facts.kind = kind_of(st.stx_mode);
  facts.device = uint64_t{st.stx_dev_major} << 32 | st.stx_dev_minor;
  facts.inode = st.stx_ino;
  facts.rdev_major = st.stx_rdev_major;
  facts.rdev_minor = st.stx_rdev_minor;
  facts.mode = st.stx_mode & 07777;
  facts.uid = st.stx_uid;
  facts.gid = st.stx_gid;
  return facts;
}

}  // namespace

PathFacts HostFiles::look(const std::string& path, bool follow_links) const {
  return look_at(AT_FDCWD, path.c_str(), follow_links ? 0 : AT_SYMLINK_NOFOLLOW);
}

PathFacts HostFiles::look_without_links(const std::string& path) const {
  uapi::OpenHow how{static_cast<uint64_t>(O_PATH | O_CLOEXEC), 0, uapi::kResolveNoSymlinks};
  long fd = sys::call(__NR_openat2, AT_FDCWD, sys::arg(path.c_str()), sys::arg(&how), sizeof how);
  if (sys::failed(fd)) {
    PathFacts facts;
    facts.error = static_cast<int>(-fd);
    // A kernel without openat2 (before 5.6) cannot tell: that is refused too, like a link.
    bool known_missing = fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES;
    if (!known_missing) facts.kind = PathFacts::Kind::Link;
    return facts;
  }
  PathFacts facts = look_at(static_cast<int>(fd), "", AT_EMPTY_PATH);
  sys::close(static_cast<int>(fd));
  return facts;
}

std::string HostFiles::read_link(const std::string& path) const {
  char buffer[4096];
  long n = sys::call(__NR_readlinkat, AT_FDCWD, sys::arg(path.c_str()), sys::arg(buffer), sizeof buffer);
  return n <= 0 ? std::string() : std::string(buffer, static_cast<size_t>(n));
}

FdFacts HostFiles::descriptor(int fd) const {
  PathFacts facts = look_at(fd, "", AT_EMPTY_PATH);
  constexpr uint32_t kMemoryDevices = 1, kNull = 3, kZero = 5, kFull = 7;
  bool harmless = facts.kind == PathFacts::Kind::CharDevice && facts.rdev_major == kMemoryDevices &&
                  (facts.rdev_minor == kNull || facts.rdev_minor == kZero || facts.rdev_minor == kFull);
  if (facts.kind != PathFacts::Kind::File && !harmless) return {};
  long flags = sys::call(__NR_fcntl, fd, F_GETFL);
  if (sys::failed(flags) || (flags & O_PATH) != 0) return {};
  long access = flags & O_ACCMODE;
  return {access == O_RDONLY || access == O_RDWR, access == O_WRONLY || access == O_RDWR};
}

bool HostFiles::executable_path(const std::string& path) const {
  PathFacts facts = look(path, true);
  return facts.kind == PathFacts::Kind::File && (facts.mode & 0111) != 0;
}

}  // namespace immure

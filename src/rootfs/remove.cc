// Removing a tree that was in hostile hands. Every step is from a descriptor to a name: a link is unlinked, a
// mount is refused by the kernel (openat2 with RESOLVE_NO_XDEV, unlinkat's EBUSY). Folders that lie deeper
// than kDeepest are moved up to the top of the tree first, so that neither descriptors nor the length of
// paths run out; nothing goes by "..".
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/text.h"
#include "rootfs/tree.h"
#include "rootfs/upkeep.h"

namespace immure::rootfs {
namespace {

constexpr size_t kDeepest = 48;
// A folder that is full again so often is being filled by somebody.
constexpr int kMostSweeps = 64;
constexpr uint64_t kMostMoved = 1u << 20;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

struct Level {
  std::unique_ptr<DIR, CloseDir> dir;
  std::string name;    // in the level above
  uint64_t moved = 0;  // folders that were moved up when its last sweep began
  int sweeps = 0;
};

class Remover {
 public:
  Remover(int parent, const std::string& name) : parent_(parent), top_(name) {}
  Status run();

 private:
  int above() const { return levels_.size() < 2 ? parent_ : dirfd(levels_[levels_.size() - 2].dir.get()); }
  int enter(int folder, const char* name);
  int one(const char* name, bool maybe_directory);
  int leave();
  Status refused(const char* name, int err) const;

  int parent_;
  const std::string& top_;
  std::vector<Level> levels_;
  uint64_t moved_ = 0;
};

// 0, or a negated errno.
int Remover::enter(int folder, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
  int fd = open_within(folder, name, kFlags);
  if (fd == -EACCES) {  // its owner may have taken away the own rights
    struct stat st {};
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
      fchmodat(folder, name, 0700, AT_SYMLINK_NOFOLLOW);
    fd = open_within(folder, name, kFlags);
  }
  if (fd < 0) return fd;
  struct stat st {};
  if (fstat(fd, &st) == 0 && (st.st_mode & S_IRWXU) != S_IRWXU) fchmod(fd, 0700);
  DIR* dir = fdopendir(fd);
  if (dir == nullptr) {
    int err = errno;
    close(fd);
    return -err;
  }
  levels_.push_back({std::unique_ptr<DIR, CloseDir>(dir), name, moved_});
  return 0;
}

// Removes a name of the last level, or goes down into it, or moves it up.
int Remover::one(const char* name, bool maybe_directory) {
  int here = dirfd(levels_.back().dir.get());
  if (!maybe_directory) {
    if (unlinkat(here, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR && errno != EPERM) return -errno;
  }
  if (unlinkat(here, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
  if (errno == ENOTDIR) return unlinkat(here, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
  if (errno != ENOTEMPTY && errno != EEXIST) return -errno;
  if (levels_.size() < kDeepest) return enter(here, name);
  int top = dirfd(levels_.front().dir.get());
  for (int tries = 0; tries < kMostSweeps && moved_ < kMostMoved; ++tries) {
    const std::string up = ".immure-moved-" + num(++moved_);
    if (renameat2(here, name, top, up.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno == EEXIST) continue;
    // Moving a folder writes its "..", which takes the right to write to it.
    if (errno != EACCES || fchmodat(here, name, 0700, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  }
  return -EEXIST;
}

// The end of a folder's names: the folder itself, or what came meanwhile in another sweep.
int Remover::leave() {
  Level& level = levels_.back();
  if (unlinkat(above(), level.name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    levels_.pop_back();
    return 0;
  }
  if (errno != ENOTEMPTY && errno != EEXIST) return -errno;
  if (level.moved == moved_ && ++level.sweeps > kMostSweeps) return -ENOTEMPTY;
  level.moved = moved_;
  rewinddir(level.dir.get());
  return 0;
}

Status Remover::refused(const char* name, int err) const {
  std::string path;
  for (const Level& level : levels_) path += level.name + "/";
  path += name;
  if (path.empty()) path = top_;
  std::string why = err == EXDEV || err == EBUSY ? "a file system is mounted there"
                    : err == ENOTEMPTY           ? "somebody is writing there"
                                                 : "";
  return fail(Code::kSystem, quoted(path) + " cannot be removed", std::move(why),
              err == EXDEV || err == EBUSY ? "unmount it" : "", {}, err);
}

Status Remover::run() {
  int err = enter(parent_, top_.c_str());
  if (err == -ENOENT) return {};
  if (err == -ENOTDIR || err == -ELOOP) {
    if (unlinkat(parent_, top_.c_str(), 0) == 0) return {};
    err = -errno;
  }
  if (err != 0) return refused("", -err);
  while (!levels_.empty()) {
    errno = 0;
    const dirent* entry = readdir(levels_.back().dir.get());
    if (entry == nullptr) {
      err = errno != 0 ? -errno : leave();
      if (err != 0) return refused("", -err);
      continue;
    }
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    err = one(name.c_str(), entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
    if (err != 0) return refused(name.c_str(), -err);
  }
  return {};
}

}  // namespace

Status remove_tree(int parent, const std::string& name) { return Remover(parent, name).run(); }

}  // namespace immure::rootfs

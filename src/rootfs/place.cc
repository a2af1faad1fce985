#include "rootfs/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "rootfs/manifest.h"
#include "rootfs/upkeep.h"

namespace immure::rootfs {
namespace {

constexpr size_t kLetters = 6;
constexpr int kMostFolders = 4096;
constexpr int kMostTries = 32;
constexpr size_t kLongestMap = 1u << 16;

tl::unexpected<Error> refuse(const std::string& root, std::string why, std::string how = {}, int err = 0) {
  return fail(Code::kBadRoot, quoted(root) + " cannot be a root", std::move(why), std::move(how), {}, err);
}

// Whether nobody's may stand for root's: in a user namespace that does not know all ids, as the initial one
// does.
bool nobody_may_be_root() {
  auto map = read_file("/proc/self/uid_map", kLongestMap);
  return map && !map->ends_with(" 4294967295\n");
}

// The bits of a group say what a list of others may do too, when there is one.
bool has_list(int folder) {
  const std::string path = "/proc/self/fd/" + num(static_cast<uint64_t>(folder));
  return getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
}

// Who may rename a folder on the way may put another in its place.
bool others_may_move(int folder, const struct stat& st) {
  constexpr uid_t kUnmapped = 65534;
  bool trusted = st.st_uid == 0 || st.st_uid == geteuid() || (st.st_uid == kUnmapped && nobody_may_be_root());
  bool some = (st.st_mode & S_IWGRP) != 0 && (st.st_gid != 0 || has_list(folder));
  bool open_to_some = (st.st_mode & S_IWOTH) != 0 || some;
  return !trusted || (open_to_some && (st.st_mode & S_ISVTX) == 0);
}

// From the folder itself up to "/", by descriptor, so that names play no part.
Status nobody_else_moves(int folder, const std::string& root) {
  UniqueFd held;
  int at = folder;
  struct stat st {};
  struct stat above {};
  if (fstat(at, &st) != 0) return refuse(root, {}, {}, errno);
  for (int steps = 0; steps < kMostFolders; ++steps) {
    if (others_may_move(at, st))
      return refuse(root,
                    steps == 0 ? "somebody else may write to the folder that it lies in"
                               : "somebody else may move a folder that it lies in",
                    "choose a folder below one that only you and root may write to, or one like /tmp");
    UniqueFd up(openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!up || fstat(up.get(), &above) != 0)
      return refuse(root, "a folder above it cannot be opened", {}, errno);
    if (above.st_dev == st.st_dev && above.st_ino == st.st_ino) return {};
    st = above;
    held = std::move(up);
    at = held.get();
  }
  return refuse(root, "it lies too deep");
}

bool is_letters(std::string_view text) {
  for (char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return false;
  return text.size() == kLetters;
}

}  // namespace

std::string random_letters() {
  unsigned char bytes[kLetters] = {};
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) abort();
  std::string text;
  for (unsigned char byte : bytes) text += "abcdefghijklmnopqrstuvwxyz012345"[byte % 32];
  return text;
}

Result<Place> Place::open(const std::string& root) {
  Place place;
  place.root_ = path_normal(root);
  place.name_ = std::string(path_name(place.root_));
  if (root.empty() || place.root_ == "/" || place.name_ == "." || place.name_ == ".." || place.name_ == "/" ||
      root.find('\0') != std::string::npos)
    return refuse(root, "it has no name in a folder", "name a folder that is to be made");
  const std::string folder(path_folder(place.root_));
  place.folder_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!place.folder_) {
    int err = errno;
    return refuse(root, "the folder " + quoted(folder) + " cannot be opened",
                  err == ENOENT ? "make it first" : "", err);
  }
  IMMURE_TRY(nobody_else_moves(place.folder_.get(), place.root_));
  return place;
}

std::string Place::beside(const std::string& name) const { return path_join(path_folder(root_), name); }

Result<Target> Place::look() const {
  struct statx st {};
  constexpr unsigned kAsked = STATX_TYPE | STATX_MODE | STATX_UID;
  if (statx(folder(), name_.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kAsked, &st) != 0) {
    if (errno == ENOENT) return Target::New;
    return refuse(root_, "it cannot be looked at", {}, errno);
  }
  if (S_ISLNK(st.stx_mode)) return refuse(root_, "it is a link", "name what the link leads to");
  if (!S_ISDIR(st.stx_mode)) return refuse(root_, "it exists and is no directory", "choose another name");
  if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0)
    return refuse(root_, "a file system is mounted there", "name a folder in it, which is then made");
  if (st.stx_uid != geteuid() && st.stx_uid != 0 && geteuid() != 0)
    return refuse(root_, "it belongs to somebody else", "choose another name");
  UniqueFd fd(openat(folder(), name_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> names(fd ? fdopendir(fd.get()) : nullptr, closedir);
  if (!names) return refuse(root_, "it cannot be read", {}, errno);
  fd.release();
  while (const dirent* entry = readdir(names.get())) {
    std::string_view found = entry->d_name;
    if (found == "." || found == "..") continue;
    auto manifest = read_manifest(root_);
    if (manifest) return Target::Ours;
    const Error& error = manifest.error();
    return refuse(
        root_,
        "it exists, is not empty, and is no root of ours: " + (error.why.empty() ? error.what : error.why),
        "choose another name, or remove it yourself", error.sys_errno);
  }
  return Target::Empty;
}

Result<Target> look_at_target(const std::string& target) {
  auto place = Place::open(target);
  if (!place) return tl::unexpected<Error>(std::move(place.error()));
  return place->look();
}

Result<PlaceLock> PlaceLock::take(const Place& place) {
  PlaceLock lock(place);
  const std::string name = place.hidden("lock");
  for (int tries = 0; tries < kMostTries; ++tries) {
    lock.fd_.reset(openat(place.folder(), name.c_str(),
                          O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
    if (!lock.fd_)
      return fail(Code::kSystem, "cannot make " + quoted(place.beside(name)), {},
                  "choose a folder that you may write to", {}, errno);
    struct stat mine {};
    struct stat named {};
    if (fstat(lock.fd_.get(), &mine) != 0 || !S_ISREG(mine.st_mode) || mine.st_uid != geteuid()) {
      lock.fd_.reset();
      return refuse(place.root(), quoted(place.beside(name)) + " belongs to somebody else");
    }
    if (flock(lock.fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      int err = errno;
      lock.fd_.reset();
      return refuse(place.root(), err == EWOULDBLOCK ? "another immure is making or removing it now" : "",
                    err == EWOULDBLOCK ? "wait until it is done" : "", err == EWOULDBLOCK ? 0 : err);
    }
    // Its last holder may have removed it between the two calls.
    if (fstatat(place.folder(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        named.st_dev == mine.st_dev && named.st_ino == mine.st_ino)
      return lock;
  }
  lock.fd_.reset();
  return refuse(place.root(), "others keep making and removing it");
}

PlaceLock::~PlaceLock() {
  if (fd_) unlinkat(place_->folder(), place_->hidden("lock").c_str(), 0);
}

Status PlaceLock::clear_leftovers() const {
  const std::string prefix = place_->hidden("");
  UniqueFd fd(openat(place_->folder(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> names(fd ? fdopendir(fd.get()) : nullptr, closedir);
  if (!names) return fail(Code::kSystem, "cannot read " + quoted(place_->beside(".")), {}, {}, {}, errno);
  fd.release();
  std::vector<std::string> found;
  while (const dirent* entry = readdir(names.get())) {
    std::string_view name = entry->d_name;
    if (name.starts_with(prefix) && is_letters(name.substr(prefix.size(), kLetters)))
      found.emplace_back(name);
  }
  for (const std::string& name : found) {
    std::string_view rest = std::string_view(name).substr(prefix.size() + kLetters);
    struct stat st {};
    if (fstatat(place_->folder(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (st.st_uid != geteuid()) continue;  // somebody else's, and no maker with this lock
    if (rest == ".old")
      return refuse(place_->root(),
                    "a refresh was stopped in the middle; what its state directories held may be in " +
                        quoted(place_->beside(name)),
                    "move what you need out of there, and remove it");
    if (rest.empty() && S_ISDIR(st.st_mode)) IMMURE_TRY(remove_tree(place_->folder(), name));
    if (rest == ".json") unlinkat(place_->folder(), name.c_str(), 0);
  }
  return {};
}

}  // namespace immure::rootfs

#include "rootfs/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "kernel/sys.h"
#include "uapi/kernel.h"

namespace immure::rootfs {
namespace {

constexpr int kMostLinks = 40;  // as the kernel's own walk allows
constexpr uint64_t kWay = uapi::kResolveInRoot | uapi::kResolveNoSymlinks | uapi::kResolveNoMagiclinks;

FileKind kind_of(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return FileKind::Directory;
    case S_IFLNK: return FileKind::Link;
    case S_IFCHR: return FileKind::CharDevice;
    case S_IFBLK: return FileKind::BlockDevice;
    case S_IFIFO: return FileKind::Fifo;
    case S_IFSOCK: return FileKind::Socket;
    default: return FileKind::File;
  }
}

int64_t nanos(const statx_timestamp& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

Look look_of(const struct statx& st) {
  Look look;
  look.kind = kind_of(st.stx_mode);
  look.mode = st.stx_mode & 07777;
  look.uid = st.stx_uid;
  look.gid = st.stx_gid;
  look.size = st.stx_size;
  look.links = st.stx_nlink;
  look.device = uint64_t{st.stx_dev_major} << 32 | st.stx_dev_minor;
  look.rdev = uint64_t{st.stx_rdev_major} << 32 | st.stx_rdev_minor;
  look.inode = st.stx_ino;
  look.mtime_ns = nanos(st.stx_mtime);
  look.ctime_ns = nanos(st.stx_ctime);
  return look;
}

// What stands behind the leading "/"; "." for the root itself.
const char* below(const std::string& path) { return path.size() > 1 ? path.c_str() + 1 : "."; }

Result<UniqueFd> open_at(int root, const std::string& path, int flags) {
  uapi::OpenHow how{static_cast<uint64_t>(flags | O_CLOEXEC), 0, kWay};
  long fd = sys::call(__NR_openat2, root, sys::arg(below(path)), sys::arg(&how), sizeof how);
  if (!sys::failed(fd)) return UniqueFd(static_cast<int>(fd));
  int err = static_cast<int>(-fd);
  std::string why = err == ELOOP ? "a link stands there now: the tree was changed meanwhile" : "";
  return fail(Code::kMissingSource, quoted(path) + " cannot be read", std::move(why), {}, {}, err);
}

Result<struct statx> stat_of(int fd, std::string_view path) {
  struct statx st {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0) return st;
  return fail(Code::kMissingSource, quoted(path) + " cannot be looked at", {}, {}, {}, errno);
}

tl::unexpected<Error> no_way(std::string_view path, int err) {
  return fail(Code::kMissingSource, quoted(path) + " cannot be reached", {}, {}, {}, err);
}

bool is_pattern(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

// Puts the names of a path in front of those that are still to be walked; the last one ends up on top.
void push_names(std::vector<std::string>& names, std::string_view path) {
  std::vector<std::string_view> parts = split(path, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    if (!part->empty() && *part != ".") names.emplace_back(*part);
}

}  // namespace

bool Look::same_content(const Look& other) const {
  return device == other.device && inode == other.inode && size == other.size && mtime_ns == other.mtime_ns &&
         ctime_ns == other.ctime_ns;
}

Result<Look> look_at(int fd, std::string_view shown_as) {
  auto st = stat_of(fd, shown_as);
  if (!st) return tl::unexpected<Error>(std::move(st.error()));
  return look_of(*st);
}

Result<Source> Source::open(const std::string& root) {
  Source source;
  source.root_ = root;
  source.fd_.reset(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!source.fd_)
    return fail(Code::kMissingSource, quoted(root) + " is no directory to take files from", {}, {}, {},
                errno);
  return source;
}

// The folders of `path` were walked before, so that they are no links. One that is put there since may show a
// Look of another file, and no more than that: nothing is opened through it.
const Source::Name& Source::name_at(const std::string& path) const {
  auto [slot, added] = names_.try_emplace(path);
  Name& name = slot->second;
  if (!added) return name;
  struct statx st {};
  if (statx(fd_.get(), below(path), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st) != 0) {
    name.error = errno;
    return name;
  }
  name.look = look_of(st);
  if (name.look.kind == FileKind::Link) {
    auto target = read_link(path);
    if (target) {
      name.target = std::move(*target);
    } else {
      name.error = target.error().sys_errno;
    }
  }
  return name;
}

bool Source::all_may_reach(std::string_view path) const {
  while (path != "/") {
    path = path_folder(path);
    if ((name_at(std::string(path)).look.mode & S_IXOTH) == 0) return false;
  }
  return true;
}

bool Source::leads_astray(const Look& link, const Trail& end) const {
  if (link.uid == 0 || link.uid == geteuid() || link.uid == end.look.uid) return false;
  return end.look.kind != FileKind::File || (end.look.mode & S_IROTH) == 0 || !all_may_reach(end.path);
}

Result<Trail> Source::walk(std::string_view path, bool follow_last) const {
  if (path.empty() || path.front() != '/') return no_way(path, ENOENT);
  Trail trail;
  std::vector<std::string> names;
  push_names(names, path);
  std::string here;  // without a trailing slash: empty is the root
  while (!names.empty()) {
    std::string next = std::move(names.back());
    names.pop_back();
    if (next == "..") {
      here.erase(std::min(here.size(), here.rfind('/')));
      continue;
    }
    std::string at = here + "/" + next;
    const Name& name = name_at(at);
    if (name.error != 0) return no_way(path, name.error);
    if (name.look.kind == FileKind::Link && (follow_last || !names.empty())) {
      if (trail.links.size() >= kMostLinks) return no_way(path, ELOOP);
      trail.links.push_back(at);
      if (name.target.front() == '/') here.clear();
      push_names(names, name.target);
      continue;
    }
    if (!names.empty() && name.look.kind != FileKind::Directory) return no_way(path, ENOTDIR);
    here = std::move(at);
  }
  trail.path = here.empty() ? "/" : here;
  trail.look = name_at(trail.path).look;
  for (const std::string& link : trail.links) {
    if (!leads_astray(name_at(link).look, trail)) continue;
    trail.astray = link;
    break;
  }
  return trail;
}

Result<UniqueFd> Source::open_file(const std::string& path) const {
  auto fd = open_at(fd_.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return fd;
  auto st = stat_of(fd->get(), path);
  if (!st) return tl::unexpected<Error>(std::move(st.error()));
  if (kind_of(st->stx_mode) != FileKind::File)
    return fail(Code::kMissingSource, quoted(path) + " is no regular file");
  return fd;
}

Result<UniqueFd> Source::open_directory(const std::string& path) const {
  return open_at(fd_.get(), path, O_RDONLY | O_DIRECTORY);
}

Result<std::string> Source::read_link(const std::string& path) const {
  auto fd = open_at(fd_.get(), path, O_PATH | O_NOFOLLOW);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  std::string target(4096, '\0');
  ssize_t length = readlinkat(fd->get(), "", target.data(), target.size());
  if (length <= 0 || static_cast<size_t>(length) >= target.size())
    return fail(Code::kMissingSource, "the link " + quoted(path) + " cannot be read", {}, {}, {},
                length < 0 ? errno : EINVAL);
  target.resize(static_cast<size_t>(length));
  return target;
}

Result<std::vector<std::string>> Source::names(const std::string& directory) const {
  auto fd = open_directory(directory);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd->get()), closedir);
  if (!stream) return no_way(directory, errno);
  fd->release();
  std::vector<std::string> found;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") found.emplace_back(name);
  }
  if (errno != 0) return no_way(directory, errno);
  std::sort(found.begin(), found.end());
  return found;
}

Result<std::string> Source::read_text(const std::string& path, size_t limit) const {
  auto fd = open_file(path);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  return read_fd(fd->get(), limit, path);
}

std::vector<std::string> Source::glob(std::string_view pattern) const {
  std::vector<std::string> found = {""};
  for (std::string_view part : split(pattern, '/')) {
    if (part.empty() || part == ".") continue;
    std::vector<std::string> next;
    for (const std::string& folder : found) {
      if (!is_pattern(part)) {
        std::string path = folder + "/" + std::string(part);
        if (walk(path, false)) next.push_back(std::move(path));
        continue;
      }
      auto trail = walk(folder.empty() ? "/" : folder);
      if (!trail || trail->look.kind != FileKind::Directory) continue;
      auto all = names(trail->path);
      if (!all) continue;
      const std::string wanted(part);
      for (const std::string& name : *all)
        if (fnmatch(wanted.c_str(), name.c_str(), FNM_PERIOD) == 0) next.push_back(folder + "/" + name);
    }
    found = std::move(next);
  }
  if (found.size() == 1 && found.front().empty()) found.clear();
  return found;
}

}  // namespace immure::rootfs

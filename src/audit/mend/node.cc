#include "audit/mend/node.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/tree.h"

namespace immure::audit::mend {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr size_t kLongestName = 255, kLongestPath = 4095;

int64_t nanos(const statx_timestamp& time) { return int64_t{time.tv_sec} * kSecond + time.tv_nsec; }

timespec spec_of(int64_t ns) {
  int64_t seconds = ns / kSecond, rest = ns % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  return {static_cast<time_t>(seconds), static_cast<long>(rest)};
}

tl::unexpected<Error> no_way(const std::string& path, int err) {
  std::string why;
  if (err == ELOOP) why = "a symbolic link stands in the way, and none is followed";
  if (err == EXDEV) why = "something is mounted there, which is not the tree's own";
  return fail(Code::kMissingSource, quoted(path) + " cannot be reached in the tree", std::move(why), {}, {},
              err);
}

}  // namespace

bool same_file(const Node& one, const Node& other) {
  return one.inode == other.inode && one.born_ns == other.born_ns && one.kind() == other.kind();
}

bool untouched(const Node& seen, const Node& now) {
  return same_file(seen, now) && seen.device == now.device && seen.mode == now.mode && seen.uid == now.uid &&
         seen.gid == now.gid && seen.size == now.size && seen.mtime_ns == now.mtime_ns &&
         seen.ctime_ns == now.ctime_ns;
}

std::string own_path(int fd) { return "/proc/self/fd/" + num(static_cast<uint64_t>(fd)); }

Result<Node> look(int fd, std::string_view shown_as) {
  struct statx st {};
  if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &st) != 0)
    return fail(Code::kMissingSource, quoted(shown_as) + " cannot be looked at", {}, {}, {}, errno);
  Node node;
  node.device = uint64_t{st.stx_dev_major} << 32 | st.stx_dev_minor;
  node.inode = st.stx_ino;
  node.born_ns = (st.stx_mask & STATX_BTIME) != 0 ? nanos(st.stx_btime) : 0;
  node.mode = st.stx_mode;
  node.uid = st.stx_uid;
  node.gid = st.stx_gid;
  node.links = st.stx_nlink;
  node.size = st.stx_size;
  node.mtime_ns = nanos(st.stx_mtime);
  node.atime_ns = nanos(st.stx_atime);
  node.ctime_ns = nanos(st.stx_ctime);
  if (S_ISLNK(node.mode)) return node;  // has neither
  const std::string path = own_path(fd);
  std::array<char, 256> value{};
  ssize_t size = getxattr(path.c_str(), "security.capability", value.data(), value.size());
  if (size > 0) node.capabilities.assign(value.data(), static_cast<size_t>(size));
  if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP)
    return fail(Code::kMissingSource, "the capabilities of " + quoted(shown_as) + " cannot be read", {}, {},
                {}, errno);
  node.access_list = getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
  return node;
}

int set_times(int fd, int64_t atime_ns, int64_t mtime_ns) {
  const timespec times[2] = {spec_of(atime_ns), spec_of(mtime_ns)};
  return utimensat(AT_FDCWD, own_path(fd).c_str(), times, 0) == 0 ? 0 : -errno;
}

bool is_inner_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() > kLongestPath) return false;
  if (path.find('\0') != std::string_view::npos || path_normal(path) != path) return false;
  for (std::string_view name : split(path, '/'))
    if (name.size() > kLongestName || name == "..") return false;
  return true;
}

Result<Root> Root::open(const std::string& folder) {
  Root root;
  std::unique_ptr<char, decltype(&std::free)> real(realpath(folder.c_str(), nullptr), &std::free);
  if (real) root.fd_.reset(::open(real.get(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!real || !root.fd_)
    return fail(Code::kBadRoot, quoted(folder) + " is no folder that can be mended", {}, {}, {}, errno);
  root.path_ = real.get();
  auto node = look(root.fd_.get(), root.path_);
  if (!node) return tl::unexpected<Error>(std::move(node.error()));
  root.node_ = std::move(*node);
  struct stat own {
  }, there{};
  if (stat("/", &own) != 0 || fstat(root.fd_.get(), &there) != 0)
    return fail(Code::kBadRoot, quoted(folder) + " cannot be looked at", {}, {}, {}, errno);
  if (own.st_dev == there.st_dev && own.st_ino == there.st_ino)
    return fail(Code::kBadRoot, quoted(folder) + " is the root of this system",
                "only the tree of a jail is mended, never the host's own", "name the folder of a jail");
  return root;
}

Result<Spot> Root::find(const std::string& path) const {
  Spot spot;
  if (!is_inner_path(path)) return no_way(path, EINVAL);
  if (path == "/") {
    spot.file.reset(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3));
    if (!spot.file) return no_way(path, errno);
    return spot;
  }
  const std::string above(path_folder(path));
  int folder =
      rootfs::open_within(fd_.get(), rootfs::relative_to_top(above), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (folder < 0) return no_way(path, -folder);
  spot.folder.reset(folder);
  spot.name = path_name(path);
  // Not through openat2's refusal of links: a link itself may be what is mended.
  int file = rootfs::open_within(folder, spot.name.c_str(), O_PATH | O_NOFOLLOW);
  if (file < 0 && file != -ENOENT) return no_way(path, -file);
  spot.file.reset(file < 0 ? -1 : file);
  return spot;
}

Result<bool> Root::holds(int folder) const {
  constexpr int kDeepest = PATH_MAX;
  struct stat own {
  }, top{};
  if (fstat(fd_.get(), &own) != 0)
    return fail(Code::kBadRoot, quoted(path_) + " cannot be looked at", {}, {}, {}, errno);
  UniqueFd at(openat(folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; at && i < kDeepest; ++i) {
    struct stat here {};
    if (fstat(at.get(), &here) != 0) break;
    if (here.st_dev == own.st_dev && here.st_ino == own.st_ino) return true;
    if (i > 0 && here.st_dev == top.st_dev && here.st_ino == top.st_ino) return false;  // ".." of / is /
    top = here;
    at.reset(openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  return fail(Code::kSystem, "where a folder lies cannot be found out", {}, {}, {}, errno);
}

}  // namespace immure::audit::mend

#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "audit/facts/process_view.h"
#include "base/file.h"
#include "base/text.h"
#include "kernel/sys.h"

namespace immure::audit {
namespace {

constexpr SocketTable kTables[] = {SocketTable::Tcp,  SocketTable::Tcp6,    SocketTable::Udp,
                                   SocketTable::Udp6, SocketTable::Raw,     SocketTable::Raw6,
                                   SocketTable::Unix, SocketTable::Netlink, SocketTable::Packet};

// The sockets of a process's network namespace, and of the caller's: read once, when the first socket is met.
class Sockets {
 public:
  explicit Sockets(int proc) : proc_(proc) {}
  // Fills target, note and where.
  void describe(uint64_t inode, FdView& fd) {
    load();
    if (const SocketInfo* own = find(own_, inode)) {
      set(*own, fd);
      fd.where = Where::Inside;
      return;
    }
    if (const SocketInfo* callers = find(callers_, inode)) {
      set(*callers, fd);
      fd.where = Where::Outside;
      fd.note = "of the caller's network namespace, not of the process's own";
      return;
    }
    fd.where = Where::Unknown;
    fd.note = "in no table of its network namespace: of another one, or of a kind that is not listed";
  }

 private:
  void load() {
    if (loaded_) return;
    loaded_ = true;
    for (SocketTable table : kTables) {
      std::string file = std::string("net/") + file_name(table);
      int fd = openat(proc_, file.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd >= 0) {
        UniqueFd owner(fd);
        add(own_, table, read_fd(fd, 64u << 20, file));
      }
      add(callers_, table, read_file("/proc/self/" + file, 64u << 20));
    }
  }
  static void add(std::vector<SocketInfo>& to, SocketTable table, const Result<std::string>& text) {
    if (!text) return;
    auto more = parse_sockets(table, *text);
    to.insert(to.end(), more.begin(), more.end());
  }
  static const SocketInfo* find(const std::vector<SocketInfo>& all, uint64_t inode) {
    for (const auto& one : all)
      if (one.inode == inode) return &one;
    return nullptr;
  }
  static void set(const SocketInfo& socket, FdView& fd) {
    fd.target = file_name(socket.table);
    if (!socket.local.empty()) fd.target += " " + socket.local;
    bool connected = !socket.remote.empty() && socket.state != "listening" && !socket.remote.ends_with(":0");
    if (connected) fd.target += " to " + socket.remote;
    fd.note = socket.state;
  }

  int proc_;
  bool loaded_ = false;
  std::vector<SocketInfo> own_, callers_;
};

std::string link_of(int dir, const std::string& name) {
  std::string text(4096, '\0');
  ssize_t n = readlinkat(dir, name.c_str(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return text;
}

struct Root {
  std::string path;  // as the caller sees it
  int64_t mount_id = -1;
  bool is_mount = true;  // false: a directory within a mount, as chroot(2) leaves it
};

struct Stat {
  bool ok = false;
  struct statx value {};
  int64_t mount_id() const {
    return (value.stx_mask & STATX_MNT_ID) != 0 ? static_cast<int64_t>(value.stx_mnt_id) : -1;
  }
  bool is_root_of_mount() const { return (value.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0; }
};

// Follows the link of /proc to the open file itself, not to its path. Its file system is not asked: it may be
// one of the process's own, which never answers.
Stat stat_of(int dir, const std::string& name) {
  Stat out;
  long result = sys::call(__NR_statx, dir, sys::arg(name.c_str()), AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                          STATX_BASIC_STATS | STATX_MNT_ID, sys::arg(&out.value));
  out.ok = !sys::failed(result);
  return out;
}

FdKind kind_of_mode(uint16_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return FdKind::File;
    case S_IFDIR: return FdKind::Directory;
    case S_IFCHR: return FdKind::CharDevice;
    case S_IFBLK: return FdKind::BlockDevice;
    case S_IFIFO: return FdKind::Fifo;
    case S_IFSOCK: return FdKind::SocketFile;
    default: return FdKind::Unknown;
  }
}

bool has_path(FdKind kind) {
  switch (kind) {
    case FdKind::File:
    case FdKind::Directory:
    case FdKind::CharDevice:
    case FdKind::BlockDevice:
    case FdKind::Fifo:
    case FdKind::SocketFile:
    case FdKind::Unknown: return true;
    case FdKind::Pipe:
    case FdKind::Socket:
    case FdKind::Namespace:
    case FdKind::Memfd:
    case FdKind::Anonymous: return false;
  }
  return true;
}

void add_note(FdView& fd, std::string_view text) {
  if (!fd.note.empty()) fd.note += ", ";
  fd.note += text;
}

// A mount id that is not in the process's own table belongs to another mount namespace, or to a mount that is
// above its root: either way the process could not have opened it by a path.
void classify(FdView& fd, const FdReader& reader, const Root& root) {
  if (!has_path(fd.kind)) return;
  if (!reader.mounts_known || fd.mount_id < 0) {
    add_note(fd, "its mount cannot be told");
    return;
  }
  auto id = static_cast<uint64_t>(fd.mount_id);
  bool listed = std::binary_search(reader.mounts.begin(), reader.mounts.end(), id);
  if (fd.mount_id == root.mount_id && !root.is_mount) {
    // A plain chroot: the same mount has both sides, so only the path tells them apart.
    fd.where = is_below(fd.target, root.path) ? Where::Inside : Where::Outside;
    if (fd.where == Where::Outside)
      add_note(fd, "above the directory that is its root (a chroot, not a mount)");
    return;
  }
  fd.where = listed || fd.mount_id == root.mount_id ? Where::Inside : Where::Outside;
  if (fd.where == Where::Outside) add_note(fd, "of a mount that is not in its mount table");
}

constexpr std::string_view kDeleted = " (deleted)";

void take_link(FdView& fd, std::string link) {
  fd.kind = kind_of_link(link);
  fd.target = std::move(link);
  if (fd.kind == FdKind::Unknown || fd.kind == FdKind::Memfd)
    if (fd.target.ends_with(kDeleted)) fd.deleted = true;
}

void take_stat(FdView& fd, const Stat& st) {
  if (!st.ok) return;
  // A name at the top of a mount that the caller does not see reads like that, too.
  if (fd.kind == FdKind::Memfd && st.value.stx_nlink != 0) fd.kind = FdKind::Unknown;
  if (fd.kind == FdKind::Unknown) fd.kind = kind_of_mode(st.value.stx_mode);
  fd.inode = st.value.stx_ino;
  if (fd.mount_id < 0) fd.mount_id = st.mount_id();
  // A file may well be called "x (deleted)": only one without a name left is.
  if (fd.deleted && st.value.stx_nlink != 0 && fd.kind != FdKind::Memfd) fd.deleted = false;
  if (fd.deleted) fd.target.resize(fd.target.size() - kDeleted.size());
  if (fd.kind == FdKind::CharDevice || fd.kind == FdKind::BlockDevice)
    fd.note = num(st.value.stx_rdev_major) + ":" + num(st.value.stx_rdev_minor);
}

void take_info(FdView& fd, std::string_view text) {
  FdInfo info = parse_fdinfo(text);
  fd.mount_id = info.mount_id;
  uint32_t access = info.flags & O_ACCMODE;
  fd.path_only = (info.flags & O_PATH) != 0;
  fd.readable = !fd.path_only && access != O_WRONLY;
  fd.writable = !fd.path_only && access != O_RDONLY;
  fd.close_on_exec = (info.flags & O_CLOEXEC) != 0;
  if (fd.kind == FdKind::Anonymous) fd.note = std::string(info.first_extra);
  if (info.pid > 0) fd.note = "process " + num_signed(info.pid);
}

Root root_of(const FdReader& reader) {
  Root root;
  root.path = link_of(reader.proc, "root");
  Stat st = stat_of(reader.proc, "root");
  root.mount_id = st.mount_id();
  root.is_mount = !st.ok || st.is_root_of_mount();
  return root;
}

FdView read_one(const FdReader& reader, int dir, const std::string& name, const Root& root,
                Sockets& sockets) {
  FdView fd;
  fd.number = static_cast<int>(parse_u64(name).value_or(0));
  take_link(fd, link_of(dir, name));
  char buffer[4096];
  std::string info = "fdinfo/" + name;
  long n = read_small(reader.proc, info.c_str(), buffer);
  if (n > 0) take_info(fd, {buffer, static_cast<size_t>(n)});
  take_stat(fd, stat_of(dir, name));
  classify(fd, reader, root);
  if (fd.kind == FdKind::Socket) {
    auto open = fd.target.find('['), close = fd.target.find(']');
    if (open != std::string::npos && close != std::string::npos)
      sockets.describe(parse_u64(std::string_view(fd.target).substr(open + 1, close - open - 1)).value_or(0),
                       fd);
  }
  if (fd.kind == FdKind::Namespace) {
    fd.note = "a namespace: setns(2) leads there";
    fd.where = Where::Unknown;
  }
  return fd;
}

}  // namespace

FdKind kind_of_link(std::string_view link) {
  if (link.starts_with("pipe:[")) return FdKind::Pipe;
  if (link.starts_with("socket:[")) return FdKind::Socket;
  if (link.starts_with("anon_inode:")) return FdKind::Anonymous;
  if (link.starts_with("/memfd:") && link.ends_with(kDeleted)) return FdKind::Memfd;
  for (std::string_view kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"})
    if (link.starts_with(kind) && link.substr(kind.size()).starts_with(":[")) return FdKind::Namespace;
  return FdKind::Unknown;
}

bool is_below(std::string_view path, std::string_view root) {
  if (root == "/") return path.starts_with('/');
  if (root.empty() || !path.starts_with(root)) return false;
  return path.size() == root.size() || path[root.size()] == '/';
}

std::optional<std::vector<FdView>> read_fds(const FdReader& reader) {
  UniqueFd dir(openat(reader.proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return std::nullopt;
  DIR* list = fdopendir(dup(dir.get()));
  if (list == nullptr) return std::nullopt;
  bool self = reader.pid == getpid();
  Root root = root_of(reader);
  Sockets sockets(reader.proc);
  std::vector<FdView> out;
  while (dirent* entry = readdir(list)) {
    auto number = parse_u64(entry->d_name);
    if (!number) continue;
    // One's own descriptors of this look are no finding.
    int fd = static_cast<int>(*number);
    if (self && (fd == dir.get() || fd == dirfd(list) || fd == reader.proc)) continue;
    out.push_back(read_one(reader, dir.get(), entry->d_name, root, sockets));
  }
  closedir(list);
  std::sort(out.begin(), out.end(), [](const FdView& a, const FdView& b) { return a.number < b.number; });
  return out;
}

std::vector<FdView> read_places(const FdReader& reader) {
  std::vector<FdView> out;
  Root root = root_of(reader);
  int number = -1;
  for (const char* name : {"cwd", "root", "exe"}) {
    FdView place;
    place.number = number--;
    take_link(place, link_of(reader.proc, name));
    if (place.target.empty()) {
      place.note = "not readable for this caller, or none";
    } else {
      take_stat(place, stat_of(reader.proc, name));
      classify(place, reader, root);
    }
    out.push_back(std::move(place));
  }
  return out;
}

const char* name(FdKind kind) {
  switch (kind) {
    case FdKind::File: return "file";
    case FdKind::Directory: return "directory";
    case FdKind::CharDevice: return "character device";
    case FdKind::BlockDevice: return "block device";
    case FdKind::Fifo: return "fifo";
    case FdKind::SocketFile: return "socket file";
    case FdKind::Pipe: return "pipe";
    case FdKind::Socket: return "socket";
    case FdKind::Namespace: return "namespace";
    case FdKind::Memfd: return "memory file";
    case FdKind::Anonymous: return "anonymous inode";
    case FdKind::Unknown: return "unknown";
  }
  return "";
}

const char* name(Where where) {
  switch (where) {
    case Where::Unknown: return "unknown";
    case Where::Inside: return "inside";
    case Where::Outside: return "outside";
  }
  return "";
}

const char* name(Whose whose) {
  switch (whose) {
    case Whose::Unknown: return "unknown";
    case Whose::Host: return "host";
    case Whose::Caller: return "caller";
    case Whose::Own: return "own";
  }
  return "";
}

}  // namespace immure::audit

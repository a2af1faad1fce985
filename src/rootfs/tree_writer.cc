#include "rootfs/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::rootfs {
namespace {

constexpr uint32_t kDeviceMode = 0666, kPlaceholderMode = 0644;
constexpr unsigned kMostThreads = 4;
constexpr size_t kFilesAtOnce = 8;

std::string name_of(const Entry& entry) { return std::string(path_name(entry.path)); }

// Makes everything but the content of files, and settles folders when all is in them.
class Filler {
 public:
  Filler(const Fill& fill, Written& written) : fill_(fill), written_(written), folders_(fill.top) {}
  Status run();

 private:
  Status make(size_t at);
  Status link(const Entry& entry, const ManifestEntry& made, int folder);
  Status text(const Entry& entry, ManifestEntry& made, int folder);
  Status device(const Entry& entry, const ManifestEntry& made, int folder);
  Status node(const Entry& entry, const ManifestEntry& made, int folder, bool& refused);
  Status settle(int fd, const Entry& entry, const ManifestEntry& made);
  Status settle_folders();
  Status copy_files(const std::vector<size_t>& files);
  Status copy_file(size_t at, FileCopier& copier, FolderAt& folders, Written& counted);
  void work(const std::vector<size_t>& files);
  timespec epoch() const { return {fill_.epoch, 0}; }

  const Fill& fill_;
  Written& written_;
  FolderAt folders_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex ended_;  // holds error_ and the counts of written_
  std::optional<Error> error_;
};

Result<UniqueFd> create(int folder, const Entry& entry) {
  const std::string name = name_of(entry);
  int fd =
      folder < 0 ? folder : open_within(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (fd < 0) return cannot_write(entry.path, -fd);
  return UniqueFd(fd);
}

// Owner before mode: chown(2) takes bits away. Times last.
Status Filler::settle(int fd, const Entry& entry, const ManifestEntry& made) {
  Ids ids{made.uid, made.gid};
  const timespec times[2] = {epoch(), epoch()};
  if ((ids == fill_.own || fchown(fd, ids.uid, ids.gid) == 0) && fchmod(fd, made.mode) == 0 &&
      futimens(fd, times) == 0)
    return {};
  return cannot_write(entry.path, errno);
}

Status Filler::link(const Entry& entry, const ManifestEntry& made, int folder) {
  const std::string name = name_of(entry);
  const timespec times[2] = {epoch(), epoch()};
  Ids ids{made.uid, made.gid};
  if (symlinkat(entry.text.c_str(), folder, name.c_str()) != 0 ||
      (ids != fill_.own && fchownat(folder, name.c_str(), ids.uid, ids.gid, AT_SYMLINK_NOFOLLOW) != 0) ||
      utimensat(folder, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return cannot_write(entry.path, errno);
  return {};
}

Status Filler::text(const Entry& entry, ManifestEntry& made, int folder) {
  auto fd = create(folder, entry);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  if (auto written = write_fd(fd->get(), entry.text, entry.path); !written)
    return cannot_write(entry.path, written.error().sys_errno);
  made.size = entry.text.size();
  made.digest = content_digest(entry.text);
  written_.files += 1;
  written_.bytes += made.size;
  return settle(fd->get(), entry, made);
}

// `refused`: this process may not make device nodes, though it is root.
Status Filler::node(const Entry& entry, const ManifestEntry& made, int folder, bool& refused) {
  const std::string name = name_of(entry);
  const dev_t device = makedev(static_cast<unsigned>(entry.rdev >> 32), static_cast<unsigned>(entry.rdev));
  if (mknodat(folder, name.c_str(), S_IFCHR | 0600, device) != 0) {
    refused = errno == EPERM;
    return refused ? Status{} : cannot_write(entry.path, errno);
  }
  const timespec times[2] = {epoch(), epoch()};
  struct stat st {};
  // The mask of the process took bits from the mode.
  if (fchmodat(folder, name.c_str(), kDeviceMode, AT_SYMLINK_NOFOLLOW) != 0 ||
      fchownat(folder, name.c_str(), made.uid, made.gid, AT_SYMLINK_NOFOLLOW) != 0 ||
      utimensat(folder, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0 ||
      fstatat(folder, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return cannot_write(entry.path, errno);
  if (!S_ISCHR(st.st_mode) || st.st_rdev != device) return cannot_write(entry.path, EEXIST);
  return {};
}

Status Filler::device(const Entry& entry, const ManifestEntry& made, int folder) {
  if (!is_harmless_device(entry.rdev))
    return fail(Code::kBadTarget, quoted(entry.path) + " is no device that a root may have",
                "only null, zero, full, random and urandom are");
  bool refused = !fill_.as_root;
  if (!refused) IMMURE_TRY(node(entry, made, folder, refused));
  if (!refused) {
    struct statvfs st {};
    if (fstatvfs(fill_.top, &st) == 0 && (st.f_flag & ST_NODEV) != 0)
      add_note(written_.note, "the file system is mounted nodev: only immure run shows devices in this root");
    return {};
  }
  add_note(written_.note, "device nodes take root: empty files stand there, for immure run to mount upon");
  auto fd = create(folder, entry);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  ManifestEntry placeholder = made;
  placeholder.mode = kPlaceholderMode;
  return settle(fd->get(), entry, placeholder);
}

Status Filler::make(size_t at) {
  const Entry& entry = *fill_.order[at];
  if (entry.path == "/") return {};
  int folder = folders_.of(entry.path);
  if (folder < 0) return cannot_write(entry.path, -folder);
  switch (entry.kind) {
    case Entry::Kind::Directory:
      if (mkdirat(folder, name_of(entry).c_str(), 0700) != 0) return cannot_write(entry.path, errno);
      return {};
    case Entry::Kind::Link: return link(entry, fill_.entries[at], folder);
    case Entry::Kind::Made: return text(entry, fill_.entries[at], folder);
    case Entry::Kind::Device: return device(entry, fill_.entries[at], folder);
    case Entry::Kind::File: return {};
  }
  return {};
}

Status Filler::copy_file(size_t at, FileCopier& copier, FolderAt& folders, Written& counted) {
  const Entry& entry = *fill_.order[at];
  ManifestEntry& made = fill_.entries[at];
  auto fd = create(folders.of(entry.path), entry);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  auto copied = copier.copy(entry, fd->get());
  if (!copied) return tl::unexpected<Error>(std::move(copied.error()));
  made.digest = copied->digest;
  made.size = entry.look.size;  // copied->size, or there is a mount to come
  counted.files += 1;
  counted.bytes += copied->size;
  counted.reflinked += copied->reflinked ? 1 : 0;
  return settle(fd->get(), entry, made);
}

// Each thread takes the next few files; they do not touch each other's entries.
void Filler::work(const std::vector<size_t>& files) {
  FileCopier copier(fill_.source, fill_.mode);
  FolderAt folders(fill_.top);
  Written counted;
  Status status;
  while (status && !stop_) {
    size_t from = next_.fetch_add(kFilesAtOnce);
    if (from >= files.size()) break;
    status = Holding::still_wanted();
    for (size_t at = from; status && at < std::min(files.size(), from + kFilesAtOnce); ++at)
      status = copy_file(files[at], copier, folders, counted);
  }
  std::lock_guard<std::mutex> hold(ended_);
  written_.files += counted.files;
  written_.bytes += counted.bytes;
  written_.reflinked += counted.reflinked;
  if (status) return;
  stop_ = true;
  if (!error_) error_ = std::move(status.error());
}

Status Filler::copy_files(const std::vector<size_t>& files) {
  size_t wanted = std::min<size_t>({kMostThreads, std::max(1U, std::thread::hardware_concurrency()),
                                    files.size() / (4 * kFilesAtOnce) + 1});
  std::vector<std::jthread> others;
  try {
    while (others.size() + 1 < wanted) others.emplace_back([this, &files] { work(files); });
  } catch (const std::system_error&) {  // a limit of processes: fewer do it
  }
  work(files);
  others.clear();
  if (error_) return tl::unexpected<Error>(std::move(*error_));
  return {};
}

// What is in them is there now; the deepest first, since a folder that is closed to us hides those below.
Status Filler::settle_folders() {
  for (size_t at = fill_.order.size(); at-- > 0;) {
    const Entry& entry = *fill_.order[at];
    if (entry.kind != Entry::Kind::Directory) continue;
    UniqueFd fd;
    if (entry.path != "/") {
      int opened = open_within(fill_.top, relative_to_top(entry.path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (opened < 0) return cannot_write(entry.path, -opened);
      fd.reset(opened);
    }
    IMMURE_TRY(settle(fd ? fd.get() : fill_.top, entry, fill_.entries[at]));
  }
  return {};
}

Status Filler::run() {
  std::vector<size_t> files;
  for (size_t at = 0; at < fill_.order.size(); ++at) {
    if (at % (8 * kFilesAtOnce) == 0) IMMURE_TRY(Holding::still_wanted());
    IMMURE_TRY(make(at));
    if (fill_.order[at]->kind == Entry::Kind::File) files.push_back(at);
  }
  IMMURE_TRY(copy_files(files));
  return settle_folders();
}

}  // namespace

Status fill_tree(const Fill& fill, Written& written) { return Filler(fill, written).run(); }

void add_note(std::string& notes, std::string_view note) {
  if (notes.find(note) != std::string::npos) return;
  if (!notes.empty()) notes += "; ";
  notes += note;
}

tl::unexpected<Error> cannot_write(std::string_view path, int err) {
  bool full = err == ENOSPC || err == EDQUOT;
  return fail(Code::kSystem, "cannot write " + quoted(path) + " of the root", {},
              full ? "make room, or choose a folder on another file system" : "", {}, err);
}

Holding::Holding() {
  sigset_t held;
  sigemptyset(&held);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXFSZ}) sigaddset(&held, signal);
  pthread_sigmask(SIG_BLOCK, &held, &before_);
}

Holding::~Holding() {
  // The error of write(2) has told of it.
  sigset_t too_large;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  const timespec at_once{};
  if (sigismember(&before_, SIGXFSZ) == 0) sigtimedwait(&too_large, nullptr, &at_once);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Holding::came() {
  sigset_t waiting;
  if (sigpending(&waiting) != 0) return false;
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction action {};
    if (sigismember(&waiting, signal) == 1 && sigaction(signal, nullptr, &action) == 0 &&
        action.sa_handler != SIG_IGN)
      return true;
  }
  return false;
}

Status Holding::still_wanted() {
  if (!came()) return {};
  return fail(Code::kSystem, "the root was not made: immure was told to stop", {}, {}, {}, EINTR);
}

}  // namespace immure::rootfs

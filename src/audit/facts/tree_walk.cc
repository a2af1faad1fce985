#include "audit/facts/tree_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace immure::audit {
namespace {

constexpr size_t kBuffer = 64 << 10;
// Descriptors that waiting folders may have, and beyond which only one of a few levels keeps its own.
constexpr int kFewOpen = 192, kManyOpen = 448;
constexpr uint32_t kAnchor = 64, kFarAnchor = 4096;

struct KernelEntry {  // linux_dirent64, as getdents64(2) writes it
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

uint64_t device_of(const struct statx& st) { return makedev(st.stx_dev_major, st.stx_dev_minor); }

class Walk {
 public:
  Walk(int top, size_t workers) : top_(top), working_(workers) {}
  void begin(const struct statx& st);
  void work(Visitor& visitor);
  WalkCounts counts;

 private:
  struct Worker {
    Visitor& visitor;
    std::vector<WalkFolder*> waiting;
    std::unique_ptr<char[]> buffer = std::make_unique<char[]>(kBuffer);
    WalkCounts counts;
  };
  bool next(Worker& worker);
  void share(Worker& worker);
  void one(Worker& worker, WalkFolder* folder);
  bool open_folder(Worker& worker, WalkFolder* folder);
  void read_folder(Worker& worker, WalkFolder* folder);
  void child(Worker& worker, WalkFolder* folder, const KernelEntry& entry);
  int reopened(const WalkFolder* folder);
  void close_folder(WalkFolder* folder);
  void opened_one(WalkFolder* above);
  void let_go(WalkFolder* folder);
  std::mutex& lock_of(const WalkFolder* folder) {
    return locks_[(reinterpret_cast<uintptr_t>(folder) >> 6) % locks_.size()];
  }

  const int top_;
  std::array<std::mutex, 64> locks_;  // of the descriptors of folders
  std::atomic<int> open_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<WalkFolder*> shared_;
  size_t working_;
  std::atomic<size_t> hungry_ = 0;
};

void Walk::begin(const struct statx& st) {
  auto* top = new WalkFolder;
  top->place = top_place();
  top->device = device_of(st);
  top->inode = st.stx_ino;
  shared_.push_back(top);
}

bool Walk::next(Worker& worker) {
  if (!worker.waiting.empty()) return true;
  std::unique_lock lock(mutex_);
  --working_;
  ++hungry_;
  changed_.wait(lock, [this] { return !shared_.empty() || working_ == 0; });
  --hungry_;
  if (shared_.empty()) {
    changed_.notify_all();
    return false;
  }
  ++working_;
  // One at a time: a folder from far up may be the larger part of the tree.
  worker.waiting.push_back(shared_.back());
  shared_.pop_back();
  return true;
}

// The oldest half, which lies highest, to who has nothing to do.
void Walk::share(Worker& worker) {
  if (hungry_.load(std::memory_order_relaxed) == 0 || worker.waiting.size() < 2) return;
  const auto half = static_cast<ptrdiff_t>(worker.waiting.size() / 2);
  {
    std::lock_guard lock(mutex_);
    if (!shared_.empty()) return;
    shared_.assign(worker.waiting.begin(), worker.waiting.begin() + half);
  }
  worker.waiting.erase(worker.waiting.begin(), worker.waiting.begin() + half);
  changed_.notify_all();
}

void Walk::work(Visitor& visitor) {
  Worker worker{visitor, {}, std::make_unique<char[]>(kBuffer), {}};
  while (next(worker)) {
    WalkFolder* folder = worker.waiting.back();
    worker.waiting.pop_back();
    one(worker, folder);
    share(worker);
  }
  std::lock_guard lock(mutex_);
  counts.names += worker.counts.names;
  counts.folders += worker.counts.folders;
}

// The caller holds the folder's lock. A descriptor of the caller's, or -1 and errno.
int Walk::reopened(const WalkFolder* folder) {
  std::vector<const WalkFolder*> way;
  int at = -1;
  for (const WalkFolder* up = folder; at < 0; up = up->above) {
    if (up->above == nullptr) {
      at = open_below(top_, ".", O_RDONLY | O_DIRECTORY);
      if (at < 0) return -1;
      break;
    }
    if (up != folder) {
      // Locks have no order, and it may even be the one that is held: then it is reached from further up.
      std::unique_lock<std::mutex> held;
      if (&lock_of(up) != &lock_of(folder)) held = {lock_of(up), std::try_to_lock};
      if (held && up->fd >= 0) at = fcntl(up->fd, F_DUPFD_CLOEXEC, 0);
    }
    if (at < 0) way.push_back(up);
  }
  while (!way.empty()) {
    const WalkFolder* step = way.back();
    way.pop_back();
    const int below = open_below(at, step->name.c_str(), O_RDONLY | O_DIRECTORY);
    const int error = errno;
    close(at);
    errno = error;
    if (below < 0) return -1;
    at = below;
    struct stat st {};
    if (fstat(at, &st) == 0 && st.st_dev == step->device && st.st_ino == step->inode) continue;
    close(at);
    errno = ENOENT;  // another one has taken its name
    return -1;
  }
  return at;
}

bool Walk::open_folder(Worker& worker, WalkFolder* folder) {
  if (folder->above == nullptr) {
    folder->fd = open_below(top_, ".", O_RDONLY | O_DIRECTORY);
    if (folder->fd < 0) return false;
    ++open_;
    return true;
  }
  WalkFolder* above = folder->above;
  int error = 0;
  {
    std::lock_guard lock(lock_of(above));
    const bool open = above->fd >= 0;
    const int in = open ? above->fd : reopened(above);
    folder->fd = in < 0 ? -1 : open_below(in, folder->name.c_str(), O_RDONLY | O_DIRECTORY);
    error = errno;
    if (!open && in >= 0) close(in);
  }
  if (folder->fd >= 0) ++open_;
  opened_one(above);
  if (folder->fd >= 0) return true;
  worker.visitor.missed(*above, folder->name, error);
  return false;
}

// Who moves folders into each other while they are read could make a few of them a tree without an end: on
// such a way one that was a mark comes again.
bool is_met_again(const WalkFolder* folder) {
  const WalkFolder* mark = folder->mark;
  return mark != nullptr && mark->device == folder->device && mark->inode == folder->inode;
}

void Walk::one(Worker& worker, WalkFolder* folder) {
  if (open_folder(worker, folder)) {
    struct statx st {};
    constexpr unsigned kAsked = STATX_BASIC_STATS & ~static_cast<unsigned>(STATX_BLOCKS);
    if (statx(folder->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, kAsked, &st) == 0) {
      folder->device = device_of(st);
      folder->inode = st.stx_ino;
      ++worker.counts.folders;
      if (is_met_again(folder))
        worker.visitor.missed(*folder, {}, ELOOP);
      else if (worker.visitor.enter(*folder, folder->fd, st))
        read_folder(worker, folder);
    } else {
      worker.visitor.missed(*folder, {}, errno);
    }
  }
  // What waits for it finds it again; what waits in a tree of ten thousand levels cannot all stay open.
  const int open = open_.load(std::memory_order_relaxed);
  const bool keep = open < kFewOpen || (folder->depth % kAnchor == 0 && open < kManyOpen) ||
                    folder->depth % kFarAnchor == 0;
  if (!keep) close_folder(folder);
  opened_one(folder);
  let_go(folder);
}

void Walk::close_folder(WalkFolder* folder) {
  std::lock_guard lock(lock_of(folder));
  if (folder->fd < 0) return;
  close(folder->fd);
  folder->fd = -1;
  --open_;
}

void Walk::opened_one(WalkFolder* above) {
  // An anchor stays open for whatever is still to be found again below it.
  const bool anchor = above->depth % kAnchor == 0;
  if (above->unopened.fetch_sub(1) == 1 && !anchor) close_folder(above);
}

void Walk::let_go(WalkFolder* folder) {
  while (folder != nullptr && folder->held.fetch_sub(1) == 1) {
    WalkFolder* above = folder->above;
    close_folder(folder);
    delete folder;
    folder = above;
  }
}

void Walk::child(Worker& worker, WalkFolder* folder, const KernelEntry& entry) {
  auto* child = new WalkFolder;
  child->above = folder;
  child->name = entry.name;
  child->depth = folder->depth + 1;
  child->mark = std::has_single_bit(folder->depth) ? folder : folder->mark;
  const PlaceOf place = place_of(folder->place, child->name);
  child->place = place.state;
  child->known = place.known;
  child->zone = place.zone == Zone::None ? folder->zone : place.zone;
  folder->held.fetch_add(1, std::memory_order_relaxed);
  folder->unopened.fetch_add(1, std::memory_order_relaxed);
  worker.waiting.push_back(child);
}

void Walk::read_folder(Worker& worker, WalkFolder* folder) {
  for (;;) {
    const long got = syscall(SYS_getdents64, folder->fd, worker.buffer.get(), kBuffer);
    if (got < 0) worker.visitor.missed(*folder, {}, errno);
    if (got <= 0) return;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const KernelEntry*>(worker.buffer.get() + at);
      at += entry->length;
      const char* name = entry->name;
      if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'))) continue;
      ++worker.counts.names;
      unsigned char type = entry->type;
      if (type == DT_UNKNOWN) {  // some file systems do not tell
        struct stat st {};
        if (fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
          worker.visitor.missed(*folder, name, errno);
          continue;
        }
        type = static_cast<unsigned char>(IFTODT(st.st_mode));
      }
      if (type == DT_DIR)
        child(worker, folder, *entry);
      else
        worker.visitor.meet(*folder, folder->fd, name, strlen(name), entry->inode, type);
    }
    share(worker);
  }
}

}  // namespace

std::string WalkFolder::path() const {
  std::vector<const WalkFolder*> way;
  for (const WalkFolder* at = this; at->above != nullptr; at = at->above) way.push_back(at);
  if (way.empty()) return "/";
  std::string path;
  for (auto at = way.rbegin(); at != way.rend(); ++at) path.append("/").append((*at)->name);
  return path;
}

std::string WalkFolder::path_of(std::string_view entry) const {
  std::string at = path();
  if (at.size() > 1) at += '/';
  return at.append(entry);
}

int open_below(int folder, const char* name, int flags) {
  open_how how{};
  // What is not opened for reading takes no words about that.
  const int for_reading = (flags & O_PATH) != 0 ? 0 : O_NONBLOCK | O_NOCTTY | O_NOATIME;
  how.flags = static_cast<uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC | for_reading);
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH;
  long fd = syscall(SYS_openat2, folder, name, &how, sizeof how);
  if (fd < 0 && errno == EPERM) {  // the time of reading is its owner's to leave alone
    how.flags &= ~static_cast<uint64_t>(O_NOATIME);
    fd = syscall(SYS_openat2, folder, name, &how, sizeof how);
  }
  return static_cast<int>(fd);
}

WalkCounts walk_tree(int top, std::span<const std::unique_ptr<Visitor>> visitors) {
  struct statx st {};
  if (statx(top, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) != 0) return {};
  Walk walk(top, visitors.size());
  walk.begin(st);
  std::vector<std::thread> threads;
  for (size_t at = 1; at < visitors.size(); ++at)
    threads.emplace_back([&walk, &visitors, at] { walk.work(*visitors[at]); });
  walk.work(*visitors.front());
  for (std::thread& thread : threads) thread.join();
  return walk.counts;
}

}  // namespace immure::audit

#include "rootfs/survey.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/content_digest.h"
#include "rootfs/manifest_words.h"
#include "rootfs/tree.h"

namespace immure::rootfs {
namespace {

// A descriptor is open for each level.
constexpr unsigned kDeepest = 200;
// Of the paths that are told of, in bytes, and what one of them takes besides.
constexpr size_t kMostText = 64u << 20, kOfOne = 128;
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kClocksDiffer = 2 * kSecond;
constexpr uint32_t kPlaceholderMode = 0644;

int64_t nanos(const statx_timestamp& time) { return time.tv_sec * kSecond + time.tv_nsec; }

const char* kind_name(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return "a directory";
    case S_IFLNK: return "a link";
    case S_IFCHR:
    case S_IFBLK: return "a device node";
    case S_IFIFO: return "a FIFO";
    case S_IFSOCK: return "a socket";
    default: return "a file";
  }
}

const char* kind_name(Entry::Kind kind) {
  switch (kind) {
    case Entry::Kind::File:
    case Entry::Kind::Made: return "a file";
    case Entry::Kind::Directory: return "a directory";
    case Entry::Kind::Link: return "a link";
    case Entry::Kind::Device: return "a device node";
  }
  return "";
}

// What whoever reaches it on the host could use, wherever it lies.
const char* dangerous(uint32_t mode) {
  if (S_ISREG(mode) && (mode & (S_ISUID | S_ISGID)) != 0) return "a file with a set-id bit";
  return S_ISCHR(mode) || S_ISBLK(mode) ? "a device node" : nullptr;
}

// How the looker takes what it finds in a folder.
enum class Region : uint8_t { Written, State, Added };

class Surveyor {
 public:
  Surveyor(const Manifest& manifest, Contents contents);
  Status run(int top);
  Survey result;

 private:
  struct Names {
    uint64_t found = 0, all = 0;
    std::string path;
  };
  Status folder(int fd, const std::string& path, unsigned depth, Region region);
  Status one(int in, const char* name, const std::string& path, unsigned depth, Region region);
  Status compare(int in, const char* name, const struct statx& st, const ManifestEntry& entry);
  Status content(int in, const char* name, const struct statx& st, const ManifestEntry& entry);
  Status target(int in, const char* name, const ManifestEntry& entry);
  void times(const struct statx& st, const std::string& path);
  void ids_and_mode(const struct statx& st, const ManifestEntry& entry);
  void missing();
  void hard_links();
  bool room_for(const std::string& path);
  void add(Drift drift, const std::string& path, std::string detail, const std::string& package = {}) {
    if (room_for(path)) result.differences.push_back({drift, path, std::move(detail), package});
  }
  tl::unexpected<Error> unreadable(const std::string& path, int err) const {
    return fail(Code::kBadRoot, quoted(path) + " of the root cannot be read", {}, {}, {}, err);
  }

  const Manifest& manifest_;
  const bool compare_contents_;
  const int64_t epoch_;
  int64_t now_ = 0;
  size_t text_ = 0;  // of the paths that are kept
  uint64_t unlisted_ = 0;
  std::unordered_map<std::string_view, size_t> by_path_;
  std::vector<bool> seen_;
  std::map<std::tuple<uint32_t, uint32_t, uint64_t>, Names> names_;
};

Surveyor::Surveyor(const Manifest& manifest, Contents contents)
    : manifest_(manifest),
      compare_contents_(contents == Contents::Compared),
      epoch_(manifest.epoch * kSecond),
      seen_(manifest.entries.size()) {
  for (size_t at = 0; at < manifest.entries.size(); ++at) by_path_.emplace(manifest.entries[at].path, at);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  now_ = now.tv_sec * kSecond + now.tv_nsec;
}

Status Surveyor::run(int top) {
  UniqueFd fd(open_within(top, ".", O_RDONLY | O_DIRECTORY));
  struct statx st {};
  if (!fd || statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) != 0) return unreadable("/", errno);
  seen_[0] = true;
  IMMURE_TRY(compare(fd.get(), "", st, manifest_.entries[0]));
  IMMURE_TRY(folder(fd.release(), "", 0, manifest_.entries[0].state ? Region::State : Region::Written));
  missing();
  hard_links();
  if (unlisted_ != 0)
    result.differences.push_back(
        {Drift::Added, "/", num(unlisted_) + " more differences are not listed", {}});
  std::stable_sort(result.differences.begin(), result.differences.end(),
                   [](const Difference& a, const Difference& b) { return a.path < b.path; });
  return {};
}

// A program that was root in it may have made any number of names, and long ones.
bool Surveyor::room_for(const std::string& path) {
  if (text_ >= kMostText) {
    ++unlisted_;
    return false;
  }
  text_ += path.size() + kOfOne;
  return true;
}

// Takes the descriptor.
Status Surveyor::folder(int fd, const std::string& path, unsigned depth, Region region) {
  std::unique_ptr<DIR, int (*)(DIR*)> names(fdopendir(fd), closedir);
  if (!names) {
    int err = errno;
    close(fd);
    return unreadable(path, err);
  }
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(names.get());
    if (entry == nullptr) return errno == 0 ? Status{} : unreadable(path, errno);
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    IMMURE_TRY(one(fd, name.c_str(), path + "/" + name, depth, region));
  }
}

Status Surveyor::one(int in, const char* name, const std::string& path, unsigned depth, Region region) {
  struct statx st {};
  if (statx(in, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st) != 0)
    return errno == ENOENT ? Status{} : unreadable(path, errno);
  auto known = by_path_.find(path);
  if (known != by_path_.end()) seen_[known->second] = true;
  if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
    if (result.mounts.empty() || text_ < kMostText) result.mounts.push_back(path);
    add(Drift::Added, path, "something is mounted there");
    return {};
  }
  const bool directory = S_ISDIR(st.stx_mode);
  if (!directory && st.stx_nlink > 1) {
    const std::tuple file{st.stx_dev_major, st.stx_dev_minor, st.stx_ino};
    auto names = names_.find(file);
    if (names == names_.end() && room_for(path)) names = names_.emplace(file, Names{0, 0, path}).first;
    if (names != names_.end()) ++names->second.found, names->second.all = st.stx_nlink;
  }
  const char* danger = dangerous(st.stx_mode);
  if (danger != nullptr && region != Region::Written) add(Drift::Added, path, danger);
  Region below = region;
  if (region == Region::State) {
    if (known == by_path_.end() && (result.states.empty() || !path_within(path, result.states.back()))) {
      std::string_view state = path_folder(path);
      for (auto at = by_path_.find(state); at == by_path_.end() || !manifest_.entries[at->second].state;
           at = by_path_.find(state))
        state = path_folder(state);
      result.states.emplace_back(state);
    }
  } else if (known == by_path_.end()) {
    if (region == Region::Written)
      add(Drift::Added, path, danger != nullptr ? danger : kind_name(st.stx_mode));
    if (directory) below = Region::Added;
  } else {
    IMMURE_TRY(compare(in, name, st, manifest_.entries[known->second]));
    if (directory && manifest_.entries[known->second].state) below = Region::State;
  }
  if (region != Region::State) times(st, path);
  if (!directory) return {};
  if (depth >= kDeepest) {
    add(Drift::Added, path, "too deep: what lies below it was not looked at");
    return {};
  }
  int fd = open_within(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return fd == -ENOENT ? Status{} : unreadable(path, -fd);
  return folder(fd, path, depth + 1, below);
}

Status Surveyor::compare(int in, const char* name, const struct statx& st, const ManifestEntry& entry) {
  bool right = false;
  switch (entry.kind) {
    case Entry::Kind::File:
    case Entry::Kind::Made: right = S_ISREG(st.stx_mode); break;
    case Entry::Kind::Directory: right = S_ISDIR(st.stx_mode); break;
    case Entry::Kind::Link: right = S_ISLNK(st.stx_mode); break;
    case Entry::Kind::Device:
      right = (S_ISREG(st.stx_mode) && st.stx_size == 0) ||
              (S_ISCHR(st.stx_mode) && (uint64_t{st.stx_rdev_major} << 32 | st.stx_rdev_minor) == entry.rdev);
      break;
  }
  if (!right) {
    std::string now = kind_name(st.stx_mode);
    std::string was = kind_name(entry.kind);
    add(Drift::Mode, entry.path, was + (now == was ? " → another one" : " → " + now), entry.package);
    return {};
  }
  if (entry.kind == Entry::Kind::Link) return target(in, name, entry);
  if (!entry.state) ids_and_mode(st, entry);
  if (entry.kind == Entry::Kind::File || entry.kind == Entry::Kind::Made) return content(in, name, st, entry);
  return {};
}

void Surveyor::ids_and_mode(const struct statx& st, const ManifestEntry& entry) {
  uint32_t wanted = entry.kind == Entry::Kind::Device && S_ISREG(st.stx_mode) ? kPlaceholderMode : entry.mode;
  uint32_t mode = st.stx_mode & 07777;
  std::string detail;
  if (mode != wanted) detail = "mode " + octal(wanted) + " → " + octal(mode);
  if (st.stx_uid != entry.uid || st.stx_gid != entry.gid)
    detail += (detail.empty() ? "" : ", ") + ("owner " + num(entry.uid)) + ":" + num(entry.gid) + " → " +
              num(st.stx_uid) + ":" + num(st.stx_gid);
  if (!detail.empty()) add(Drift::Mode, entry.path, std::move(detail), entry.package);
}

Status Surveyor::target(int in, const char* name, const ManifestEntry& entry) {
  std::string found(4096, '\0');
  ssize_t length = readlinkat(in, name, found.data(), found.size());
  if (length < 0) return unreadable(entry.path, errno);
  found.resize(static_cast<size_t>(length));
  if (found != entry.text)
    add(Drift::Changed, entry.path, "leads to " + quoted(found) + ", not to " + quoted(entry.text));
  return {};
}

Status Surveyor::content(int in, const char* name, const struct statx& st, const ManifestEntry& entry) {
  const bool place_of_a_mount = manifest_.mode == CopyMode::Bind && entry.kind == Entry::Kind::File;
  const uint64_t size = place_of_a_mount ? 0 : entry.size;
  if (st.stx_size != size) {
    add(Drift::Changed, entry.path, "size " + num(size) + " → " + num(st.stx_size), entry.package);
    return {};
  }
  if (!compare_contents_) return {};
  UniqueFd fd(open_within(in, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd) return unreadable(entry.path, errno);
  struct stat open {};
  if (fstat(fd.get(), &open) != 0 || !S_ISREG(open.st_mode)) return unreadable(entry.path, EINVAL);
  auto read = digest_of(fd.get(), size, entry.path);
  if (!read && read.error().sys_errno != EFBIG) return unreadable(entry.path, read.error().sys_errno);
  if (read && read->digest == entry.digest && read->size == size) return {};
  if (nanos(st.stx_mtime) == epoch_) {
    add(Drift::Hidden, entry.path, "the content differs, while size and time are as they were written",
        entry.package);
  } else {
    add(Drift::Changed, entry.path, "the content differs", entry.package);
  }
  return {};
}

// Only the kernel sets a ctime. One that is older than the mtime means that somebody set the latter by hand.
void Surveyor::times(const struct statx& st, const std::string& path) {
  int64_t mtime = nanos(st.stx_mtime);
  if (mtime == epoch_) return;
  if (mtime > now_ + kClocksDiffer) {
    add(Drift::Future, path, "its time of change lies in the future");
  } else if (mtime > nanos(st.stx_ctime)) {
    add(Drift::Hidden, path, "its time of change was set by hand: it is newer than the kernel's own");
  }
}

void Surveyor::missing() {
  std::string_view above;  // missing, or a state directory: what lies below it is no news
  for (size_t at = 0; at < manifest_.entries.size(); ++at) {
    const ManifestEntry& entry = manifest_.entries[at];
    if (!above.empty() && path_within(entry.path, above)) continue;
    if (!seen_[at]) add(Drift::Missing, entry.path, {}, entry.package);
    if (!seen_[at] || entry.state ||
        std::find(result.mounts.begin(), result.mounts.end(), entry.path) != result.mounts.end())
      above = entry.path;
  }
}

void Surveyor::hard_links() {
  for (const auto& [file, names] : names_)
    if (names.all > names.found)
      add(Drift::HardLink, names.path,
          num(names.all - names.found) + (names.all - names.found == 1 ? " name" : " names") +
              " of this file are outside of the root");
}

}  // namespace

Result<Survey> survey(const Manifest& manifest, int top, Contents contents) {
  Surveyor surveyor(manifest, contents);
  IMMURE_TRY(surveyor.run(top));
  return std::move(surveyor.result);
}

bool is_change(Drift drift) {
  switch (drift) {
    case Drift::Changed:
    case Drift::Hidden:
    case Drift::Mode:
    case Drift::Added: return true;
    case Drift::Stale:
    case Drift::Gone:
    case Drift::Future:
    case Drift::Missing:
    case Drift::HardLink: return false;
  }
  return true;
}

Status may_be_lost(const Survey& found, const std::string& root, bool discard_changes, const char* verb) {
  const std::string what = quoted(root) + " is not " + verb;
  if (!found.mounts.empty())
    return fail(Code::kBadRoot, what, "something is mounted over " + quoted(found.mounts.front()) + " in it",
                "unmount it");
  if (discard_changes) return {};
  uint64_t changes = 0;
  const Difference* first = nullptr;
  for (const Difference& difference : found.differences) {
    if (!is_change(difference.drift)) continue;
    if (changes++ == 0) first = &difference;
  }
  if (first == nullptr) return {};
  std::string why = quoted(first->path) + " is not what immure wrote";
  if (changes > 1) why += ", and " + num(changes - 1) + " more";
  return fail(Code::kBadRoot, what, std::move(why),
              "look at immure root verify, and say --discard-changes when nothing of it is needed");
}

}  // namespace immure::rootfs

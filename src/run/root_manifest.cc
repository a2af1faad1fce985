#include "run/root_manifest.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <cstring>

#include "base/text.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

// Raised when what follows is laid out differently, or when the look comes to look for more. The length of the whole
// comes next, then the root's file system, then the directories.
constexpr std::string_view kHeader = "immure root manifest 2\n";
constexpr size_t kLengthAt = kHeader.size(), kDeviceAt = kLengthAt + sizeof(uint64_t), kFirst = kDeviceAt + sizeof(uint64_t);
constexpr int64_t kSettled = 2;   // seconds: no file system counts in larger units
constexpr long kXfs = 0x58465342;
// The folder of state files is often in memory, and nobody is told of what lies there: it holds so many manifests, and
// none of a root with so many directories that looking it up would take long as well.
constexpr uint64_t kPlaces = 64;
constexpr size_t kLongest = 8U << 20;

// Then its path and a NUL.
struct Noted {
  uint64_t inode;
  int64_t seconds;
  uint32_t nanoseconds;
  uint32_t length;   // of the path with its NUL
};

// Those that keep the ctime themselves: what a server or a program behind FUSE tells is not relied on, and an overlay
// does not show what changes below it.
bool keeps_ctime(int root) {
  struct statfs fs {};
  if (sys::call(__NR_fstatfs, root, sys::arg(&fs)) < 0) return false;
  long type = static_cast<long>(fs.f_type);
  return type == EXT4_SUPER_MAGIC || type == kXfs || type == BTRFS_SUPER_MAGIC || type == TMPFS_MAGIC || type == F2FS_SUPER_MAGIC;
}

uint64_t number_at(std::string_view manifest, size_t at) {
  uint64_t number;
  std::memcpy(&number, manifest.data() + at, sizeof number);
  return number;
}

int64_t now() {
  long time[2] = {0, 0};
  sys::call(__NR_clock_gettime, 0 /* CLOCK_REALTIME */, sys::arg(time));
  return time[0];
}

}  // namespace

std::string manifest_path(const std::string& state_dir, uint64_t device, uint64_t inode) {
  return state_dir + "/root-" + num((device ^ inode) % kPlaces) + ".looked";
}

RootManifest::RootManifest(int root, uint64_t device)
    : text_(std::string(kHeader) + std::string(kFirst - kLengthAt, '\0')), newest_allowed_(now() - kSettled), worth_keeping_(keeps_ctime(root)) {
  std::memcpy(text_.data() + kDeviceAt, &device, sizeof device);
}

void RootManifest::add(const struct statx& directory, std::string_view path) {
  if (!worth_keeping_) return;
  if (directory.stx_ctime.tv_sec > newest_allowed_ || (directory.stx_mask & kManifestMask) != kManifestMask) give_up();
  Noted noted{directory.stx_ino, directory.stx_ctime.tv_sec, directory.stx_ctime.tv_nsec, static_cast<uint32_t>(path.size() + 1)};
  text_.append(reinterpret_cast<const char*>(&noted), sizeof noted);
  text_.append(path).push_back('\0');
  if (text_.size() <= kLongest) return;
  give_up();
  text_.resize(kFirst);
}

std::string RootManifest::text() const {
  if (!worth_keeping_) return {};
  std::string whole = text_;
  uint64_t length = whole.size();
  std::memcpy(whole.data() + kLengthAt, &length, sizeof length);
  return whole;
}

bool still_holds(std::string_view manifest, int root, uint64_t device) {
  if (!manifest.starts_with(kHeader) || manifest.size() <= kFirst || !keeps_ctime(root)) return false;
  if (number_at(manifest, kLengthAt) != manifest.size() || number_at(manifest, kDeviceAt) != device) return false;
  for (manifest.remove_prefix(kFirst); !manifest.empty();) {
    Noted noted;
    if (manifest.size() < sizeof noted) return false;
    std::memcpy(&noted, manifest.data(), sizeof noted);
    manifest.remove_prefix(sizeof noted);
    if (noted.length == 0 || noted.length > manifest.size() || manifest[noted.length - 1] != '\0') return false;
    struct statx st {};
    long r = sys::call(__NR_statx, root, sys::arg(manifest.data()), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                       kManifestMask, sys::arg(&st));
    if (r < 0 || device_of(st) != device || st.stx_ino != noted.inode || st.stx_ctime.tv_sec != noted.seconds ||
        st.stx_ctime.tv_nsec != noted.nanoseconds)
      return false;
    manifest.remove_prefix(noted.length);
  }
  return true;
}

}  // namespace immure::run

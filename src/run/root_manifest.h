// What a look through a root has shown to be in order: its directories, as they were. A name can only come into a
// directory by changing its ctime, which nobody can set; while every directory is as it was, no file of the root has
// got a name that was not looked at (S46). Kept beside the state files, in a folder that only the caller may enter.
#pragma once

#include <linux/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace immure::run {

inline constexpr uint32_t kManifestMask = STATX_INO | STATX_CTIME;

// The file for a root, within the directory of state files. Roots may share one: a manifest names its own, by file system and inode.
std::string manifest_path(const std::string& state_dir, uint64_t device, uint64_t inode);

// Made during a look. A directory is noted as it was before it was read.
class RootManifest {
 public:
  // root: an open descriptor of it. Directories that have changed so lately that a later change might bear the same
  // time, and file systems whose times are not the kernel's own, make a manifest that is not to be kept.
  RootManifest(int root, uint64_t device);
  void add(const struct statx& directory, std::string_view path);   // path: below the root, "" for itself
  void give_up() { worth_keeping_ = false; }
  // Empty: not to be kept.
  std::string text() const;

 private:
  std::string text_;
  int64_t newest_allowed_ = 0;
  bool worth_keeping_ = false;
};

// Whether all directories that `manifest` names are there as they were. False too for a text that is none.
bool still_holds(std::string_view manifest, int root, uint64_t device);

// major << 32 | minor of what statx(2) tells.
constexpr uint64_t device_of(const struct statx& st) { return uint64_t{st.stx_dev_major} << 32 | st.stx_dev_minor; }

}  // namespace immure::run

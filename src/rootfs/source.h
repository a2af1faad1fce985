// The tree that files are taken from: the host's, or another root. It may change while it is read, and a root
// that is not the host's may be hostile. So every path is walked name by name below the root's descriptor,
// links are followed by this room and never by the kernel, and what is opened is opened at the end of that
// walk with links refused (openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, since
// Linux 5.6). Looks are remembered, so that a tree of ten thousand files costs one call a name. Not
// thread-safe, but for what takes a path of a Trail's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace immure::rootfs {

enum class FileKind : uint8_t { File, Directory, Link, CharDevice, BlockDevice, Fifo, Socket };

// What statx(2) said of a name, without following it.
struct Look {
  FileKind kind = FileKind::File;
  uint32_t mode = 0;  // permission bits, 07777
  uint32_t uid = 0, gid = 0;
  uint64_t size = 0, links = 0;
  uint64_t device = 0, inode = 0;
  int64_t mtime_ns = 0, ctime_ns = 0;
  uint64_t rdev = 0;                           // of a device node
  bool same_content(const Look& other) const;  // device, inode, size, mtime and ctime are the same
};

// The same of an open file or folder. Errors: kMissingSource.
Result<Look> look_at(int fd, std::string_view shown_as);

// What a path led to. `links`: the symbolic links that were followed on the way, in order, each by the path
// it has itself (its folders are no links) — a root that lacks one of them lacks the way.
struct Trail {
  std::string path;  // where it ended: no part of it is a link
  std::vector<std::string> links;
  Look look;
  // The first of the links that is neither root's nor the caller's, and leads to what its owner could not
  // have read by that path alone: a folder that is not his own, or a file that is neither his nor
  // everybody's. Empty: there is none. Whoever takes such a path's end along does what somebody else wants.
  std::string astray;
};

class Source {
 public:
  // Errors: kMissingSource when it is no directory.
  static Result<Source> open(const std::string& root = "/");

  // Absolute path → where it leads. `follow_last` false: the last name is looked at itself.
  // Errors (kMissingSource, with errno): ENOENT, ENOTDIR, ELOOP after 40 links, EACCES.
  Result<Trail> walk(std::string_view path, bool follow_last = true) const;
  bool exists(std::string_view path) const { return walk(path).has_value(); }
  // Whether everybody may enter every folder above `path`, which has no link in it.
  bool all_may_reach(std::string_view path) const;

  // These take a path as Trail has it: no link in it. A link met all the same is ELOOP: the tree has changed.
  Result<UniqueFd> open_file(
      const std::string& path) const;  // regular files only, O_RDONLY; FIFOs never block
  Result<UniqueFd> open_directory(const std::string& path) const;  // for reading names
  Result<std::string> read_link(const std::string& path) const;
  Result<std::vector<std::string>> names(const std::string& directory) const;  // sorted, without . and ..
  Result<std::string> read_text(const std::string& path, size_t limit) const;

  // Every path that matches a pattern of the shell ("*", "?", "[a-z]"; none of them matches "/" or a leading
  // dot), by the names it was found with. A pattern without them is itself, when it exists. Sorted.
  std::vector<std::string> glob(std::string_view pattern) const;

  const std::string& root() const { return root_; }
  bool is_host() const { return root_ == "/"; }
  int root_fd() const { return fd_.get(); }

 private:
  struct Name {
    int error = 0;
    Look look;
    std::string target;  // of a link
  };
  const Name& name_at(const std::string& path) const;
  bool leads_astray(const Look& link, const Trail& end) const;

  std::string root_;
  UniqueFd fd_;
  mutable std::unordered_map<std::string, Name> names_;
};

}  // namespace immure::rootfs

// What is mended, by descriptor: a root, a name in it, and what stands behind the name. Each is reached from
// the root's descriptor by openat2(2) with links, mounts and ways out refused; a name that leads elsewhere
// meanwhile is an error, never a way.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace immure::audit::mend {

// What statx(2) and getxattr(2) say of a file. Times in nanoseconds since the epoch.
struct Node {
  uint64_t device = 0, inode = 0;
  int64_t born_ns = 0;  // 0: the file system does not tell
  uint32_t mode = 0;    // with the kind
  uint32_t uid = 0, gid = 0;
  uint64_t links = 0, size = 0;
  int64_t mtime_ns = 0, atime_ns = 0, ctime_ns = 0;
  std::string capabilities;  // security.capability as it is stored; empty: none
  bool access_list = false;  // system.posix_acl_access

  uint32_t kind() const { return mode & S_IFMT; }
  uint32_t bits() const { return mode & 07777; }
};

// The same file, whatever became of it since. Not by device: its number may change with a boot.
bool same_file(const Node& one, const Node& other);
// Nothing at all happened to it in between.
bool untouched(const Node& seen, const Node& now);

// `fd` may be O_PATH. Errors: kMissingSource.
Result<Node> look(int fd, std::string_view shown_as);
// By which calls that take a path reach what a descriptor holds, also one of O_PATH.
std::string own_path(int fd);
// Sets the times of what an O_PATH descriptor holds; -errno.
int set_times(int fd, int64_t atime_ns, int64_t mtime_ns);

// "/a/b": absolute, normal, no name that no file system has. What is no such path is never looked for.
bool is_inner_path(std::string_view path);

// A name in the tree. The root itself has no folder and no name.
struct Spot {
  UniqueFd folder;  // O_PATH
  std::string name;
  UniqueFd file;  // O_PATH, links not followed; none: the name is free
};

class Root {
 public:
  // Errors: kBadRoot when it is no folder, or the caller's own root.
  static Result<Root> open(const std::string& folder);

  // Errors: kMissingSource: the folders of `path` are not there, or a link or a mount stands in the way. A
  // free name is no error.
  Result<Spot> find(const std::string& path) const;
  // Whether a folder is this root or below it, by going up from it.
  Result<bool> holds(int folder) const;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }  // absolute, without links when it was opened
  const Node& node() const { return node_; }

 private:
  UniqueFd fd_;
  std::string path_;
  Node node_;
};

}  // namespace immure::audit::mend

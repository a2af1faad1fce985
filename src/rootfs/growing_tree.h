// A tree that grows by the entries of archives: of one, or of the layers of an image, one over the other. It
// remembers all that it holds, so that no entry is ever resolved through the file system: whether a path's
// folders are folders is answered here, and links are made only when everything else is there. So there is no
// link in the tree that a later entry could be written through. Nothing outside of the folder is touched.
//
// What is taken over: files, folders, symbolic and hard links. What is not, and counted: device nodes, FIFOs
// and sockets; set-id and sticky bits and the write bits of all but the owner, but for folders of mode 01777;
// attributes (file capabilities and access lists among them); owners and times. The owner can always read
// files and use folders.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "rootfs/archive.h"
#include "rootfs/content_digest.h"
#include "rootfs/manifest.h"

namespace immure::rootfs {

struct GrowOptions {
  int64_t epoch = 0;    // of every entry, seconds
  bool layers = false;  // names that begin with ".wh." take away what a lower layer has
};

// What was not taken over, in entries.
struct GrowCounts {
  uint64_t devices = 0, fifos = 0, sockets = 0;
  uint64_t set_id = 0;      // set-id or sticky bits
  uint64_t writable = 0;    // write bits of others
  uint64_t attributes = 0;  // extended attributes or access lists
  uint64_t absolute = 0;    // paths that began with "/"; taken as below the root
  uint64_t files = 0, bytes = 0;
};

class GrowingTree {
 public:
  // `folder`: an open directory, empty, the caller's own, mode 0700, which must outlive this.
  GrowingTree(int folder, const GrowOptions& options);
  ~GrowingTree();
  GrowingTree(const GrowingTree&) = delete;
  GrowingTree& operator=(const GrowingTree&) = delete;

  // Called for each folder that a path names and no entry made, with the length of its path.
  using Count = std::function<Status(uint64_t length)>;
  // The next record of an archive. Errors: kBadValue for an entry that does not fit the tree (below what is
  // no folder, a hard link to what is not there), kSystem with errno when writing fails.
  Status take(const Record& record, const Count& count);
  // What came is a lower layer from now on.
  void next_layer();
  // Makes the links, sets modes and times: after the last record. The entries, sorted by path; `because` is
  // the reason of each.
  Result<std::vector<ManifestEntry>> finish(const Reason& because);

  bool holds_file(std::string_view path) const;  // "oci-layout"
  bool holds(std::string_view path) const;
  const GrowCounts& counts() const { return counts_; }

 private:
  struct Node;
  Status take_entry(const Record& record, const Count& count);
  Status take_whiteout(Node& folder, std::string_view name);
  Status take_data(const Record& record);
  Status end_file();
  Result<Node*> folder_of(const Record& record, const Count& count);
  Result<Node*> make_folder(Node& above, const std::string& name);
  Result<int> open_folder(Node& folder);
  Status make(Node& above, const std::string& name, const Record& record);
  Status make_file(Node& above, const std::string& name, const Record& record);
  Status make_hard_link(Node& above, const std::string& name, const Record& record);
  // What has this name: a folder as far as lower layers made it, anything else whoever did. False when
  // something of a folder stays.
  Result<bool> remove(Node& above, const std::string& name);
  // The same for all that is in a folder; true when nothing is left in it.
  Result<bool> clear(Node& folder);
  Status finish_folder(Node& folder, const std::string& path, const Reason& because,
                       std::vector<ManifestEntry>& entries);
  const Node* find(std::string_view path) const;
  uint16_t mode_of(const Record& record);

  int folder_ = -1;
  GrowOptions options_;
  GrowCounts counts_;
  std::unique_ptr<Node> root_;
  uint32_t layer_ = 0;
  // The folder that was used last, open: entries of one folder come one behind the other.
  Node* open_node_ = nullptr;
  UniqueFd open_fd_;
  // The file whose content comes.
  Node* file_node_ = nullptr;
  UniqueFd file_;
  ContentDigest hash_;
  uint64_t file_at_ = 0;
};

}  // namespace immure::rootfs

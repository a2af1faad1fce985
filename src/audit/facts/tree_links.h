// Files with several names: which of them have names that were not met in the tree, and where those are. A
// number of names alone says nothing: two names inside are nobody's business.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "audit/facts/tree.h"
#include "audit/facts/tree_walk.h"

namespace immure::audit {

// Folders in which something was kept, each once, and names: so that millions of names take little. For all
// threads.
class KeptNames {
 public:
  // The folder's number, 1 and up. Called with the same folder again it answers the same.
  uint32_t folder(WalkFolder& folder);
  uint32_t name(std::string_view name);
  std::string path(uint32_t folder, uint32_t name) const;

 private:
  struct Kept {
    uint32_t above, name;
  };
  uint32_t put(std::string_view name);
  std::string_view get(uint32_t name) const;
  mutable std::mutex mutex_;
  std::vector<Kept> folders_ = std::vector<Kept>(1);
  std::string names_;  // each behind a byte with its length
};

// A name that was met of a file that has more than one.
struct SeenLink {
  uint64_t inode;
  uint32_t device;  // index into the devices of its LinkTable
  uint32_t links;
  uint32_t folder, name;
  uint32_t uid;
  uint16_t mode;
  bool writable;
};

// One for each thread, joined at the end.
class LinkTable {
 public:
  void add(const struct statx& st, WalkFolder& folder, std::string_view name, bool writable,
           KeptNames& names);
  void join(LinkTable& other);
  // Sorts; files of which names are missing, and how many there are.
  void surplus(const KeptNames& names, Tree& tree);

 private:
  uint32_t device_index(uint64_t device);
  std::vector<uint64_t> devices_;
  std::vector<SeenLink> seen_;
};

// Looks for the other names on the file system of `top`, outside of it: by inode alone, all at once.
void find_partners(int top, Tree& tree, std::string_view mountinfo, unsigned threads);

}  // namespace immure::audit

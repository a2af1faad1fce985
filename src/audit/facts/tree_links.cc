#include "audit/facts/tree_links.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <unordered_map>

#include "base/path.h"
#include "base/text.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

constexpr size_t kPartnersShown = 16;
// Offsets of names are of 32 bits; what comes behind is not kept, and counted all the same.
constexpr size_t kMostNameBytes = 3u << 30;

struct Wanted {
  LinkedFile* file;
  uint64_t missing;  // names that are still to be found
};
// By inode; two devices may share a number.
using WantedMap = std::unordered_map<uint64_t, std::vector<Wanted>>;

struct Search {
  WantedMap wanted;
  std::mutex mutex;
  std::atomic<uint64_t> missing = 0;
  std::atomic<uint64_t> closed = 0;  // folders that could not be read
  uint64_t top_device = 0, top_inode = 0;
  std::string base;  // where the walked mount is
};

class PartnerSeeker : public Visitor {
 public:
  explicit PartnerSeeker(Search& search) : search_(search) {}
  bool enter(WalkFolder& folder, int, const struct statx&) override {
    const bool inside = folder.inode == search_.top_inode && folder.device == search_.top_device;
    return !inside && search_.missing.load(std::memory_order_relaxed) != 0;
  }
  void meet(WalkFolder& folder, int fd, const char* name, size_t, uint64_t inode, unsigned char) override {
    const auto found = search_.wanted.find(inode);
    if (found == search_.wanted.end()) return;
    struct stat st {};
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0 || st.st_ino != inode) return;
    std::lock_guard lock(search_.mutex);
    for (Wanted& wanted : found->second) {
      if (wanted.file->device != st.st_dev || wanted.missing == 0) continue;
      --wanted.missing;
      --search_.missing;
      if (wanted.file->partners.size() < kPartnersShown)
        wanted.file->partners.push_back(path_normal(search_.base + folder.path_of(name)));
    }
  }
  void missed(WalkFolder&, std::string_view, int error) override {
    if (error != EXDEV && error != ENOENT) ++search_.closed;
  }

 private:
  Search& search_;
};

struct Mounted {
  std::string target, root;
};
// Where the file system can be seen as a whole; failing that, each part that is mounted.
std::vector<Mounted> mounts_of(uint64_t device, std::string_view mountinfo) {
  std::vector<Mounted> found;
  MountReader reader(mountinfo);
  while (auto mount = reader.next()) {
    if (makedev(mount->major, mount->minor) != device) continue;
    Mounted mounted{unescape(mount->target), unescape(mount->root)};
    if (mounted.root == "/") return {std::move(mounted)};
    found.push_back(std::move(mounted));
  }
  // A part of a part is seen twice.
  std::sort(found.begin(), found.end(), [](const Mounted& a, const Mounted& b) { return a.root < b.root; });
  std::vector<Mounted> apart;
  for (Mounted& mounted : found)
    if (apart.empty() || !path_within(mounted.root, apart.back().root)) apart.push_back(std::move(mounted));
  return apart;
}

}  // namespace

uint32_t KeptNames::put(std::string_view name) {
  if (names_.size() > kMostNameBytes) return ~uint32_t{0};
  const auto at = static_cast<uint32_t>(names_.size());
  names_ += static_cast<char>(static_cast<unsigned char>(std::min<size_t>(name.size(), 255)));
  names_.append(name.substr(0, 255));
  return at;
}

std::string_view KeptNames::get(uint32_t name) const {
  if (name >= names_.size()) return "?";
  return std::string_view(names_).substr(name + 1, static_cast<unsigned char>(names_[name]));
}

uint32_t KeptNames::folder(WalkFolder& folder) {
  std::lock_guard lock(mutex_);
  if (folder.kept != 0) return folder.kept;
  // From the nearest that is kept downwards.
  std::vector<WalkFolder*> way;
  WalkFolder* at = &folder;
  for (; at != nullptr && at->kept == 0; at = at->above) way.push_back(at);
  uint32_t above = at == nullptr ? 0 : at->kept;
  for (auto step = way.rbegin(); step != way.rend(); ++step) {
    folders_.push_back({above, put((*step)->name)});
    above = (*step)->kept = static_cast<uint32_t>(folders_.size() - 1);
  }
  return folder.kept;
}

uint32_t KeptNames::name(std::string_view name) {
  std::lock_guard lock(mutex_);
  return put(name);
}

std::string KeptNames::path(uint32_t folder, uint32_t name) const {
  std::lock_guard lock(mutex_);
  std::vector<uint32_t> way;
  for (uint32_t at = folder; at != 0; at = folders_[at].above) way.push_back(at);
  std::string path;
  for (auto at = way.rbegin(); at != way.rend(); ++at)
    if (folders_[*at].above != 0) path.append("/").append(get(folders_[*at].name));
  return path.append("/").append(get(name));
}

uint32_t LinkTable::device_index(uint64_t device) {
  const auto at = std::find(devices_.begin(), devices_.end(), device);
  if (at != devices_.end()) return static_cast<uint32_t>(at - devices_.begin());
  devices_.push_back(device);
  return static_cast<uint32_t>(devices_.size() - 1);
}

void LinkTable::add(const struct statx& st, WalkFolder& folder, std::string_view name, bool writable,
                    KeptNames& names) {
  const uint32_t device = device_index(makedev(st.stx_dev_major, st.stx_dev_minor));
  seen_.push_back({st.stx_ino, device, st.stx_nlink, names.folder(folder), names.name(name), st.stx_uid,
                   st.stx_mode, writable});
}

void LinkTable::join(LinkTable& other) {
  std::vector<uint32_t> to;
  for (uint64_t device : other.devices_) to.push_back(device_index(device));
  for (SeenLink& link : other.seen_) link.device = to[link.device];
  seen_.insert(seen_.end(), other.seen_.begin(), other.seen_.end());
  other.seen_ = {};
}

void LinkTable::surplus(const KeptNames& names, Tree& tree) {
  std::sort(seen_.begin(), seen_.end(), [](const SeenLink& a, const SeenLink& b) {
    return a.inode != b.inode ? a.inode < b.inode : a.device < b.device;
  });
  for (size_t at = 0; at < seen_.size();) {
    const SeenLink& first = seen_[at];
    size_t end = at;
    uint32_t links = 0;
    bool writable = false;
    for (; end < seen_.size() && seen_[end].inode == first.inode && seen_[end].device == first.device;
         ++end) {
      // It may have lost or got a name meanwhile: the least that was said is believed.
      links = end == at ? seen_[end].links : std::min(links, seen_[end].links);
      writable = writable || seen_[end].writable;
    }
    const uint64_t inside = end - at;
    at = end;
    if (links <= inside) continue;
    ++tree.linked_count;
    if (tree.linked.size() >= kMostOfAMark) continue;
    LinkedFile file;
    file.path = names.path(first.folder, first.name);
    file.mode = first.mode;
    file.uid = first.uid;
    file.device = devices_[first.device];
    file.inode = first.inode;
    file.names = links;
    file.inside = inside;
    file.writable = writable;
    tree.linked.push_back(std::move(file));
  }
  std::sort(tree.linked.begin(), tree.linked.end(),
            [](const LinkedFile& a, const LinkedFile& b) { return a.path < b.path; });
  seen_ = {};
}

void find_partners(int top, Tree& tree, std::string_view mountinfo, unsigned threads) {
  tree.partners_sought = true;
  struct statx st {};
  if (tree.linked.empty() || statx(top, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) != 0) return;
  Search search;
  search.top_device = makedev(st.stx_dev_major, st.stx_dev_minor);
  search.top_inode = st.stx_ino;
  for (LinkedFile& file : tree.linked) {
    search.wanted[file.inode].push_back({&file, file.names - file.inside});
    search.missing += file.names - file.inside;
  }
  const std::vector<Mounted> mounts = mounts_of(search.top_device, mountinfo);
  for (const Mounted& mount : mounts) {
    if (search.missing == 0) break;
    UniqueFd fd(open(mount.target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat seen {};
    // Something else may be mounted over it.
    if (!fd || fstat(fd.get(), &seen) != 0 || seen.st_dev != search.top_device) continue;
    search.base = mount.target;
    std::vector<std::unique_ptr<Visitor>> seekers;
    for (unsigned at = 0; at < threads; ++at) seekers.push_back(std::make_unique<PartnerSeeker>(search));
    walk_tree(fd.get(), seekers);
  }
  for (LinkedFile& file : tree.linked) std::sort(file.partners.begin(), file.partners.end());
  if (search.missing == 0) return;
  tree.partners_why = mounts.empty() ? "the mount table does not say where the file system is"
                                     : num(search.missing) + " names were not found on the file system";
  if (search.closed != 0)
    tree.partners_why += "; " + counted(search.closed, "folder", "folders") + " could not be read";
}

}  // namespace immure::audit

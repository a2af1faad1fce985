#include "rootfs/growing_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/tree.h"

namespace immure::rootfs {
namespace {

constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq", kUnionMarks = ".wh..wh.";
constexpr uint16_t kOpenFolder = 01777;  // a /tmp stays one

tl::unexpected<Error> cannot(std::string_view what, std::string_view path, int err) {
  return fail(Code::kSystem, std::string(what) + " " + quoted("/" + std::string(path)) + " cannot be made",
              {}, {}, {}, err);
}

tl::unexpected<Error> does_not_fit(std::string_view path, std::string why) {
  return fail(Code::kBadValue, "the archive's entry " + quoted(path) + " cannot be made", std::move(why),
              "nothing was taken from it");
}

void add_zeros(ContentDigest& hash, uint64_t count) {
  static constexpr char kZeros[16384] = {};
  for (uint64_t part = 0; count != 0; count -= part) {
    part = std::min<uint64_t>(count, sizeof kZeros);
    hash.add({kZeros, static_cast<size_t>(part)});
  }
}

}  // namespace

struct GrowingTree::Node {
  enum class Kind : uint8_t { File, Directory, Link, LeftOut };
  Kind kind = Kind::Directory;
  uint16_t mode = 0755;
  uint32_t layer = 0;    // that made it, or went through it
  uint32_t cleared = 0;  // Directory: below it nothing is left that is older than this layer
  uint64_t size = 0;
  Node* above = nullptr;
  std::string name;
  std::string target;  // of a Link
  Digest digest{};
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;

  bool is_folder() const { return kind == Kind::Directory; }
  std::string path() const {
    std::vector<const Node*> way;
    for (const Node* node = this; node->above != nullptr; node = node->above) way.push_back(node);
    std::string text;
    for (auto node = way.rbegin(); node != way.rend(); ++node) {
      if (!text.empty()) text += '/';
      text += (*node)->name;
    }
    return text;
  }
};

GrowingTree::GrowingTree(int folder, const GrowOptions& options)
    : folder_(folder), options_(options), root_(std::make_unique<Node>()) {}

GrowingTree::~GrowingTree() = default;

void GrowingTree::next_layer() { ++layer_; }

// A folder of the tree, which is none but a folder from the top on: everything in it was made here.
Result<int> GrowingTree::open_folder(Node& folder) {
  if (open_node_ == &folder) return open_fd_.get();
  const std::string path = folder.path();
  const int fd = open_within(folder_, path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0)
    return fail(Code::kSystem, "the folder " + quoted("/" + path) + " cannot be opened",
                "it was changed while it was made", {}, {}, -fd);
  open_fd_.reset(fd);
  open_node_ = &folder;
  return open_fd_.get();
}

const GrowingTree::Node* GrowingTree::find(std::string_view path) const {
  const Node* node = root_.get();
  for (std::string_view name : split(path, '/')) {
    auto child = node->children.find(name);
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
  }
  return node;
}

bool GrowingTree::holds(std::string_view path) const { return find(path) != nullptr; }

bool GrowingTree::holds_file(std::string_view path) const {
  const Node* node = find(path);
  return node != nullptr && node->kind == Node::Kind::File;
}

uint16_t GrowingTree::mode_of(const Record& record) {
  if (record.kind == RecordKind::Directory && record.mode == kOpenFolder) return kOpenFolder;
  if ((record.mode & 06000) != 0) ++counts_.set_id;
  if ((record.mode & 022) != 0) ++counts_.writable;
  const unsigned least = record.kind == RecordKind::Directory ? 0700 : 0400;
  return static_cast<uint16_t>((record.mode & 0755U) | least);
}

Result<GrowingTree::Node*> GrowingTree::make_folder(Node& above, const std::string& name) {
  auto fd = open_folder(above);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  if (mkdirat(*fd, name.c_str(), 0700) != 0) return cannot("the folder", above.path() + "/" + name, errno);
  auto node = std::make_unique<Node>();
  node->layer = node->cleared = layer_;
  node->above = &above;
  node->name = name;
  return above.children.emplace(name, std::move(node)).first->second.get();
}

// The folder that an entry lies in. What no entry made is made now; what is no folder is never walked
// through, a link least of all.
Result<GrowingTree::Node*> GrowingTree::folder_of(const Record& record, const Count& count) {
  Node* node = root_.get();
  std::string_view folder = path_folder(record.path);
  if (folder == ".") return node;
  for (std::string_view name : split(folder, '/')) {
    auto child = node->children.find(name);
    if (child == node->children.end()) {
      IMMURE_TRY(count(static_cast<uint64_t>(name.data() + name.size() - folder.data())));
      auto made = make_folder(*node, std::string(name));
      if (!made) return made;
      node = *made;
      continue;
    }
    node = child->second.get();
    if (!node->is_folder())
      return does_not_fit(record.path, quoted(node->path()) + (node->kind == Node::Kind::Link
                                                                   ? " is a symbolic link, and nothing is "
                                                                     "written through one"
                                                                   : " is no folder"));
  }
  return node;
}

Result<bool> GrowingTree::remove(Node& above, const std::string& name) {
  auto child = above.children.find(name);
  if (child == above.children.end()) return true;
  Node& node = *child->second;
  if (node.is_folder()) {
    auto empty = clear(node);
    if (!empty || !*empty) return empty;
  }
  if (node.kind == Node::Kind::File || node.is_folder()) {
    auto fd = open_folder(above);
    if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
    if (unlinkat(*fd, name.c_str(), node.is_folder() ? AT_REMOVEDIR : 0) != 0)
      return fail(Code::kSystem, quoted("/" + node.path()) + " cannot be removed", {}, {}, {}, errno);
  }
  if (open_node_ == &node) open_node_ = nullptr;
  above.children.erase(child);
  return true;
}

// Takes away what is older than this layer; a folder stays that has something newer in it. Each folder is
// looked through once in a layer.
Result<bool> GrowingTree::clear(Node& folder) {
  if (folder.cleared == layer_) return folder.children.empty();
  std::vector<std::string> old;
  for (auto& [name, child] : folder.children) {
    if (child->layer < layer_) {
      old.push_back(name);
    } else if (child->is_folder()) {
      if (auto cleared = clear(*child); !cleared) return cleared;
    }
  }
  for (const std::string& name : old) {
    auto removed = remove(folder, name);
    if (!removed) return removed;
    if (!*removed) folder.children.find(name)->second->layer = layer_;
  }
  folder.cleared = layer_;
  return folder.children.empty();
}

// A mark of a layer: what lower ones have under this name is not in the image.
Status GrowingTree::take_whiteout(Node& folder, std::string_view name) {
  if (name == kOpaque) {
    auto cleared = clear(folder);
    if (!cleared) return tl::unexpected<Error>(std::move(cleared.error()));
    return {};
  }
  if (name.starts_with(kUnionMarks)) return {};  // of a union file system, for itself
  const std::string hidden(name.substr(kWhiteout.size()));
  if (hidden.empty() || hidden == "." || hidden == "..")
    return does_not_fit(folder.path() + "/" + std::string(name), "it takes away what has no name");
  auto child = folder.children.find(hidden);
  if (child == folder.children.end()) return {};
  Node& node = *child->second;
  if (node.layer == layer_ && !node.is_folder()) return {};
  if (node.layer == layer_) {
    auto cleared = clear(node);
    if (!cleared) return tl::unexpected<Error>(std::move(cleared.error()));
    return {};
  }
  auto removed = remove(folder, hidden);
  if (!removed) return tl::unexpected<Error>(std::move(removed.error()));
  if (!*removed) node.layer = layer_;
  return {};
}

Status GrowingTree::make_file(Node& above, const std::string& name, const Record& record) {
  auto fd = open_folder(above);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  file_.reset(openat(*fd, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file_) return cannot("the file", record.path, errno);
  auto node = std::make_unique<Node>();
  node->kind = Node::Kind::File;
  node->mode = mode_of(record);
  node->layer = layer_;
  node->size = record.number;
  node->above = &above;
  node->name = name;
  file_node_ = above.children.emplace(name, std::move(node)).first->second.get();
  file_at_ = 0;
  hash_ = {};
  return {};
}

Status GrowingTree::make_hard_link(Node& above, const std::string& name, const Record& record) {
  const Node* first = find(record.target);
  if (first == nullptr || first->is_folder())
    return does_not_fit(record.path, "it is a hard link to " + quoted(record.target) +
                                         ", which is no file that came before it");
  if (first->kind == Node::Kind::File) {
    auto fd = open_folder(*first->above);
    if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
    UniqueFd from(fcntl(*fd, F_DUPFD_CLOEXEC, 3));
    auto to = open_folder(above);
    if (!to) return tl::unexpected<Error>(std::move(to.error()));
    if (!from || linkat(from.get(), first->name.c_str(), *to, name.c_str(), 0) != 0)
      return cannot("the hard link", record.path, errno);
  }
  auto node = std::make_unique<Node>();
  node->kind = first->kind;
  node->mode = first->mode;
  node->size = first->size;
  node->digest = first->digest;
  node->target = first->target;
  node->layer = layer_;
  node->above = &above;
  node->name = name;
  above.children.emplace(name, std::move(node));
  return {};
}

Status GrowingTree::make(Node& above, const std::string& name, const Record& record) {
  auto known = above.children.find(name);
  Node* old = known == above.children.end() ? nullptr : known->second.get();
  if (record.kind == RecordKind::Directory && old != nullptr && old->is_folder()) {
    old->mode = mode_of(record);
    old->layer = layer_;
    return {};
  }
  if (record.kind == RecordKind::HardLink && old != nullptr && old == find(record.target)) return {};
  auto free = remove(above, name);
  if (!free) return tl::unexpected<Error>(std::move(free.error()));
  if (!*free) return does_not_fit(record.path, "a folder of that name came before it, and is not empty");
  if (record.kind == RecordKind::File) return make_file(above, name, record);
  if (record.kind == RecordKind::HardLink) return make_hard_link(above, name, record);
  if (record.kind == RecordKind::Directory) {
    auto node = make_folder(above, name);
    if (!node) return tl::unexpected<Error>(std::move(node.error()));
    (*node)->mode = mode_of(record);
    return {};
  }
  auto node = std::make_unique<Node>();
  node->kind = record.kind == RecordKind::Link ? Node::Kind::Link : Node::Kind::LeftOut;
  node->mode = 0777;
  node->target = record.target;
  node->layer = layer_;
  node->above = &above;
  node->name = name;
  above.children.emplace(name, std::move(node));
  return {};
}

Status GrowingTree::take_entry(const Record& record, const Count& count) {
  if (record.kind == RecordKind::LeftOut) {
    const auto what = static_cast<LeftOut>(record.detail);
    ++(what == LeftOut::Fifo ? counts_.fifos : what == LeftOut::Socket ? counts_.sockets : counts_.devices);
  } else if (record.detail != 0) {
    ++counts_.attributes;
  }
  if (record.was_absolute) ++counts_.absolute;
  if (record.path.empty()) return {};  // the root has its mode from us
  const std::string name(path_name(record.path));
  if (options_.layers && name.starts_with(kWhiteout)) {
    const std::string_view folder = path_folder(record.path);
    const Node* node = folder == "." ? root_.get() : find(folder);
    // Not in the tree, or behind a link: there is nothing that it could take away.
    if (node == nullptr || !node->is_folder()) return {};
    return take_whiteout(*const_cast<Node*>(node), name);
  }
  auto above = folder_of(record, count);
  if (!above) return tl::unexpected<Error>(std::move(above.error()));
  return make(**above, name, record);
}

Status GrowingTree::take_data(const Record& record) {
  if (file_node_ == nullptr) return {};  // of a mark
  add_zeros(hash_, record.number - file_at_);
  hash_.add(record.data);
  std::string_view rest = record.data;
  auto at = static_cast<off_t>(record.number);
  while (!rest.empty()) {
    ssize_t n = pwrite(file_.get(), rest.data(), rest.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot("the file", file_node_->path(), errno);
    rest.remove_prefix(static_cast<size_t>(n));
    at += n;
  }
  file_at_ = static_cast<uint64_t>(at);
  return {};
}

Status GrowingTree::end_file() {
  if (file_node_ == nullptr) return {};
  Node& node = *file_node_;
  file_node_ = nullptr;
  add_zeros(hash_, node.size - file_at_);
  node.digest = hash_.finish();
  const timespec times[2] = {{options_.epoch, 0}, {options_.epoch, 0}};
  if ((file_at_ < node.size && ftruncate(file_.get(), static_cast<off_t>(node.size)) != 0) ||
      fchmod(file_.get(), node.mode) != 0 || futimens(file_.get(), times) != 0)
    return cannot("the file", node.path(), errno);
  file_.reset();
  ++counts_.files;
  counts_.bytes += node.size;
  return {};
}

Status GrowingTree::take(const Record& record, const Count& count) {
  if (record.kind == RecordKind::Data) return take_data(record);
  IMMURE_TRY(end_file());
  return record.kind == RecordKind::End ? Status{} : take_entry(record, count);
}

Status GrowingTree::finish_folder(Node& folder, const std::string& path, const Reason& because,
                                  std::vector<ManifestEntry>& entries) {
  const timespec times[2] = {{options_.epoch, 0}, {options_.epoch, 0}};
  for (auto& [name, child] : folder.children) {
    if (child->kind == Node::Kind::LeftOut) continue;
    ManifestEntry entry;
    entry.uid = geteuid();
    entry.gid = getegid();
    entry.path = path + "/" + name;
    entry.mode = child->mode;
    entry.reasons = {because};
    if (child->kind == Node::Kind::File) {
      entry.size = child->size;
      entry.digest = child->digest;
    } else if (child->is_folder()) {
      entry.kind = Entry::Kind::Directory;
    } else {
      entry.kind = Entry::Kind::Link;
      entry.mode = 0777;
      entry.text = child->target;
      auto fd = open_folder(folder);
      if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
      if (symlinkat(child->target.c_str(), *fd, name.c_str()) != 0 ||
          utimensat(*fd, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
        return cannot("the link", child->path(), errno);
    }
    entries.push_back(std::move(entry));
  }
  for (auto& [name, child] : folder.children)
    if (child->is_folder()) IMMURE_TRY(finish_folder(*child, path + "/" + name, because, entries));
  auto fd = open_folder(folder);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  if (fchmod(*fd, folder.mode) != 0 || futimens(*fd, times) != 0) return cannot("the folder", path, errno);
  return {};
}

Result<std::vector<ManifestEntry>> GrowingTree::finish(const Reason& because) {
  IMMURE_TRY(end_file());
  std::vector<ManifestEntry> entries(1);
  entries[0].kind = Entry::Kind::Directory;
  entries[0].path = "/";
  entries[0].mode = 0755;
  entries[0].uid = geteuid();
  entries[0].gid = getegid();
  entries[0].reasons = {because};
  IMMURE_TRY(finish_folder(*root_, "", because, entries));
  std::sort(entries.begin(), entries.end(),
            [](const ManifestEntry& a, const ManifestEntry& b) { return a.path < b.path; });
  return entries;
}

}  // namespace immure::rootfs

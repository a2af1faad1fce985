#include "run/look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <vector>

#include "base/fd.h"
#include "base/text.h"
#include "kernel/sys.h"
#include "run/root_manifest.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

struct Entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};
constexpr uint8_t kTypeUnknown = 0, kTypeDir = 4, kTypeFile = 8;
constexpr unsigned kDeepest = 200;

struct Linked {
  uint64_t device, inode;
  uint32_t links;
  std::string name;
};

// Words of what is looked through, for errors.
std::string shown(const Tree& tree) { return (tree.written ? "the folder " : "the root ") + quoted(tree.path); }

struct Look {
  const Tree& tree;
  RootManifest manifest;
  std::vector<Linked> linked;        // regular files with more than one link
  std::vector<std::string> powers;   // files that give whoever runs them what their owner may do

  void file(int dir, const char* name, const std::string& path);
  Status directory(int fd, const std::string& path, unsigned depth);
  Status unreadable(const std::string& path, long error) const;
  std::vector<std::string> outside();
  bool is_power(const struct statx& st, int dir, const char* name, const std::string& path) const;
};

bool stat_of(int dir, const char* name, struct statx& st, int flags = 0) {
  return sys::call(__NR_statx, dir, sys::arg(name), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | flags,
                   STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_INO | STATX_UID | STATX_GID, sys::arg(&st)) >= 0;
}

// What a mount hides at a name of `dir` the jail sees, which is shown the file system alone: a copy of it without those
// mounts, from this directory on. None where such a copy may not be made: a jail of this caller's cannot have it either.
UniqueFd without_mounts(int dir) {
  return UniqueFd(static_cast<int>(sys::call(__NR_open_tree, dir, sys::arg(""), uapi::kOpenTreeClone | O_CLOEXEC | AT_EMPTY_PATH)));
}

bool may_pass(int dir, std::string_view name) {
  std::string within = std::string(name) + "/.";
  UniqueFd fd(static_cast<int>(sys::open(dir, within.c_str(), O_PATH | O_CLOEXEC)));
  return bool(fd);
}

// By its path where that is short enough for a call.
bool has_capability(int dir, const char* name, const std::string& path) {
  constexpr const char* kAttribute = "security.capability";
  if (lgetxattr(path.c_str(), kAttribute, nullptr, 0) > 0) return true;
  if (errno != ENAMETOOLONG) return false;
  UniqueFd file(static_cast<int>(sys::open(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)));
  return !file || fgetxattr(file.get(), kAttribute, nullptr, 0) > 0;
}

// A write takes such a bit away, a write through a shared mapping does not.
bool Look::is_power(const struct statx& st, int dir, const char* name, const std::string& path) const {
  constexpr unsigned kSetUid = 04000, kSetGid = 02000, kGroupRuns = 010, kAnybodyRuns = 0111;
  bool by_user = (st.stx_mode & kSetUid) != 0, by_group = (st.stx_mode & kSetGid) != 0 && (st.stx_mode & kGroupRuns) != 0;
  if (by_user || by_group) return true;
  return (st.stx_mode & kAnybodyRuns) != 0 && has_capability(dir, name, tree.path + path);
}

void Look::file(int dir, const char* name, const std::string& path) {
  struct statx st {};
  if (!stat_of(dir, name, st, *name == '\0' ? AT_EMPTY_PATH : 0)) return;
  std::string full = *name == '\0' ? path : path + "/" + name;
  if (tree.written) {
    // Others' files are nobody's in the jail; the owner may also make his own writable first.
    constexpr unsigned kGroupWrites = 020, kAnybodyWrites = 02;
    bool by_group = st.stx_gid == tree.gid && (st.stx_mode & kGroupWrites) != 0;
    if (st.stx_uid != tree.uid && !by_group && (st.stx_mode & kAnybodyWrites) == 0) return;
    if (is_power(st, dir, name, full)) powers.push_back(quoted(full));
  } else if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 && *name != '\0') {
    manifest.give_up();
    UniqueFd below = without_mounts(dir);
    if (!below || !stat_of(below.get(), name, st)) return;
  }
  if (!tree.written && device_of(st) != tree.device) return;
  if (st.stx_nlink > 1) linked.push_back({device_of(st), st.stx_ino, st.stx_nlink, full});
}

Status Look::unreadable(const std::string& path, long error) const {
  return fail(Code::kBadRoot, shown(tree) + " cannot be looked through", quoted(path.empty() ? "/" : path) + " cannot be read",
              "say --weaken hard-links if you trust where it comes from", {}, static_cast<int>(-error));
}

Status Look::directory(int fd, const std::string& path, unsigned depth) {
  if (depth > kDeepest)
    return fail(Code::kBadRoot, shown(tree) + " cannot be looked through", "directories are nested too deeply at " + quoted(path),
                "say --weaken hard-links if you trust where it comes from");
  sys::call(__NR_sched_yield);   // pid 1 of the jail makes its mounts meanwhile, perhaps on this processor
  struct statx own {};
  if (sys::call(__NR_statx, fd, sys::arg(""), AT_EMPTY_PATH, kManifestMask, sys::arg(&own)) < 0 || device_of(own) != tree.device)
    manifest.give_up();
  for (const Tree::Kept& kept : tree.kept)
    if (tree.written && path == kept.below && device_of(own) == kept.device && own.stx_ino == kept.inode)
      return {};
  manifest.add(own, path.empty() ? path : path.substr(1));
  alignas(8) char buffer[8192] = {};
  for (;;) {
    long n = sys::call(__NR_getdents64, fd, sys::arg(buffer), sizeof buffer);
    if (n == 0) return {};
    if (n < 0) return unreadable(path, n);
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      std::string_view name = entry->name;
      if (name == "." || name == "..") continue;
      uint8_t type = entry->type;
      if (type == kTypeUnknown) {
        struct statx st {};
        if (stat_of(fd, entry->name, st))
          type = (st.stx_mode & 0170000) == 0040000 ? kTypeDir : (st.stx_mode & 0170000) == 0100000 ? kTypeFile : 1;
      }
      if (type == kTypeFile) file(fd, entry->name, path);
      if (type != kTypeDir) continue;
      uapi::OpenHow how{O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, tree.written ? 0 : uapi::kResolveNoXdev};
      long opened = sys::call(__NR_openat2, fd, sys::arg(entry->name), sys::arg(&how), sizeof how);
      if (opened == -EXDEV) {
        manifest.give_up();
        if (UniqueFd below = without_mounts(fd))
          opened = sys::call(__NR_openat2, below.get(), sys::arg(entry->name), sys::arg(&how), sizeof how);
      }
      // Where this caller may not pass, the jail's identity may not either; but what it
      // may pass without reading, the jail may as well, if it knows a name.
      bool passed_over = opened == -EXDEV || opened == -ENOENT || (opened == -EACCES && !may_pass(fd, name));
      if (passed_over) manifest.give_up();   // what it hides may come to light without a change of this directory
      if (passed_over) continue;
      if (opened < 0) return unreadable(path + "/" + std::string(name), opened);
      UniqueFd sub(static_cast<int>(opened));
      IMMURE_TRY(directory(sub.get(), path + "/" + std::string(name), depth + 1));
    }
  }
}

// Of the files with several names, those that have one which was not seen.
std::vector<std::string> Look::outside() {
  auto same = [](const Linked& a, const Linked& b) { return a.inode == b.inode && a.device == b.device; };
  std::sort(linked.begin(), linked.end(), [](const Linked& a, const Linked& b) {
    return a.inode != b.inode ? a.inode < b.inode : a.device < b.device;
  });
  std::vector<std::string> found;
  for (size_t i = 0; i < linked.size();) {
    size_t next = i;
    while (next < linked.size() && same(linked[next], linked[i])) next++;
    if (next - i < linked[i].links) found.push_back(quoted(linked[i].name));
    i = next;
  }
  return found;
}

std::string first_of(const std::vector<std::string>& names) {
  constexpr size_t kFew = 3;
  std::string text = join(std::span(names).first(std::min(names.size(), kFew)), ", ");
  return names.size() > kFew ? text + " and " + num(names.size() - kFew) + " more" : text;
}

// What was planned, and nothing that has come in its place since.
Result<UniqueFd> open_tree_to_look(const Tree& tree) {
  UniqueFd fd(static_cast<int>(sys::open(AT_FDCWD, tree.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)));
  struct statx st {};
  if (!fd || !stat_of(fd.get(), "", st, AT_EMPTY_PATH))
    return fail(Code::kBadRoot, shown(tree) + " cannot be looked through", "it cannot be read",
                "make it readable, or say --weaken hard-links if you trust where it comes from");
  if (device_of(st) != tree.device || st.stx_ino != tree.inode)
    return fail(Code::kBadRoot, shown(tree) + " is another one now", "it was exchanged during the start",
                "see who may write to the directories above it");
  return fd;
}

}  // namespace

Status look_for_outside_links(const Tree& root, std::string_view remembered, std::string* to_remember) {
  auto fd = open_tree_to_look(root);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  if (still_holds(remembered, fd->get(), root.device)) return {};
  Look look{root, RootManifest(fd->get(), root.device), {}, {}};
  IMMURE_TRY(look.directory(fd->get(), {}, 0));
  std::vector<std::string> outside = look.outside();
  if (outside.empty() && to_remember != nullptr) *to_remember = look.manifest.text();
  if (outside.empty()) return {};
  return fail(Code::kBadRoot, shown(root) + " has files that also have names outside it",
              first_of(outside) + ": whoever holds the other name shares the file",
              "copy such files (cp --no-preserve=links), or say --weaken hard-links");
}

Status look_for_owners_power(const Tree& folder) {
  auto fd = open_tree_to_look(folder);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  Look look{folder, RootManifest(fd->get(), folder.device), {}, {}};
  if (folder.is_directory)
    IMMURE_TRY(look.directory(fd->get(), {}, 0));
  else
    look.file(fd->get(), "", {});
  const std::string what = shown(folder) + " cannot be given to the jail to write in as its owner, uid " + num(folder.uid);
  if (!look.powers.empty())
    return fail(Code::kMissingSource, what,
                first_of(look.powers) + ": the program could rewrite it, and whoever runs it next would do so with the owner's power",
                "take the bit away (chmod u-s,g-s, setcap -r), use --ro-bind or --overlay, or say --weaken hard-links");
  std::vector<std::string> outside = look.outside();
  if (outside.empty()) return {};
  return fail(Code::kMissingSource, what, first_of(outside) + ": it has names outside the folder, where it would change as well",
              "copy such files (cp --no-preserve=links), use --ro-bind or --overlay, or say --weaken hard-links");
}

}  // namespace immure::run

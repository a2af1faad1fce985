#include "run/look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

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
  uint64_t inode;
  uint32_t links, seen;
  std::string name;
};

struct Look {
  uint64_t device = 0;
  RootManifest manifest;
  std::vector<Linked> linked;   // regular files with more than one link

  void file(int dir, const char* name, const std::string& path);
  Status directory(int fd, const std::string& path, unsigned depth);
};

bool stat_of(int dir, const char* name, struct statx& st) {
  return sys::call(__NR_statx, dir, sys::arg(name), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                   STATX_TYPE | STATX_NLINK | STATX_INO, sys::arg(&st)) >= 0;
}

bool may_pass(int dir, std::string_view name) {
  std::string within = std::string(name) + "/.";
  UniqueFd fd(static_cast<int>(sys::open(dir, within.c_str(), O_PATH | O_CLOEXEC)));
  return bool(fd);
}

void Look::file(int dir, const char* name, const std::string& path) {
  struct statx st {};
  if (!stat_of(dir, name, st) || st.stx_nlink < 2 || device_of(st) != device) return;
  linked.push_back({st.stx_ino, st.stx_nlink, 1, path + "/" + name});
}

Status unreadable(const std::string& path, long error) {
  return fail(Code::kBadRoot, "the root cannot be looked through", quoted(path.empty() ? "/" : path) + " cannot be read",
              "say --weaken hard-links if you trust where the root comes from", {}, static_cast<int>(-error));
}

Status Look::directory(int fd, const std::string& path, unsigned depth) {
  if (depth > kDeepest)
    return fail(Code::kBadRoot, "the root cannot be looked through", "directories are nested too deeply at " + quoted(path),
                "say --weaken hard-links if you trust where the root comes from");
  sys::call(__NR_sched_yield);   // pid 1 of the jail makes its mounts meanwhile, perhaps on this processor
  struct statx own {};
  if (sys::call(__NR_statx, fd, sys::arg(""), AT_EMPTY_PATH, kManifestMask, sys::arg(&own)) < 0 || device_of(own) != device)
    manifest.give_up();
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
      uapi::OpenHow how{O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, uapi::kResolveNoXdev};
      long opened = sys::call(__NR_openat2, fd, sys::arg(entry->name), sys::arg(&how), sizeof how);
      // Another file system is not shown. Where this caller may not pass, the jail's identity may not either; but what it
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

}  // namespace

Status look_for_outside_links(const std::string& root, uint64_t device, uint64_t inode, std::string_view remembered,
                              std::string* to_remember) {
  UniqueFd fd(static_cast<int>(sys::open(AT_FDCWD, root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  struct statx st {};
  if (!fd || sys::call(__NR_statx, fd.get(), sys::arg(""), AT_EMPTY_PATH, STATX_INO, sys::arg(&st)) < 0)
    return fail(Code::kBadRoot, "the root " + quoted(root) + " cannot be looked through", "it cannot be read",
                "make it readable, or say --weaken hard-links if you trust where it comes from");
  if (device_of(st) != device || st.stx_ino != inode)
    return fail(Code::kBadRoot, "the root " + quoted(root) + " is another directory now", "it was exchanged during the start",
                "see who may write to the directories above it");
  if (still_holds(remembered, fd.get(), device)) return {};
  Look look{device, RootManifest(fd.get()), {}};
  IMMURE_TRY(look.directory(fd.get(), {}, 0));
  std::sort(look.linked.begin(), look.linked.end(), [](const Linked& a, const Linked& b) { return a.inode < b.inode; });
  std::vector<std::string> outside;
  for (size_t i = 0; i < look.linked.size();) {
    size_t next = i;
    while (next < look.linked.size() && look.linked[next].inode == look.linked[i].inode) next++;
    if (next - i < look.linked[i].links) outside.push_back(quoted(look.linked[i].name));
    i = next;
  }
  if (outside.empty() && to_remember != nullptr) *to_remember = look.manifest.text();
  if (outside.empty()) return {};
  std::string names = join(std::span(outside).first(std::min<size_t>(outside.size(), 3)), ", ");
  return fail(Code::kBadRoot, "the root " + quoted(root) + " has files that also have names outside it",
              names + (outside.size() > 3 ? " and " + num(outside.size() - 3) + " more" : "") + ": whoever holds the other name shares the file",
              "copy such files (cp --no-preserve=links), or say --weaken hard-links");
}

}  // namespace immure::run

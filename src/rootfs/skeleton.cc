// What a root has that no program asked for by name: folders and nodes that all have, texts of a preset,
// texts that are made of all that was found.
#include <algorithm>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/collector.h"
#include "rootfs/made.h"

namespace immure::rootfs {

void Collector::skeleton() {
  const Reason always{Because::Skeleton, kNobody, {}};
  struct Folder {
    const char* path;
    uint32_t mode;
  };
  constexpr Folder kFolders[] = {{"/dev", 0755}, {"/proc", 0755}, {"/tmp", 01777}};
  for (const Folder& folder : kFolders) {
    Entry entry;
    entry.kind = Entry::Kind::Directory;
    entry.path = folder.path;
    entry.mode = folder.mode;
    entry.reasons = {always};
    put(std::move(entry));
  }
  struct Node {
    const char* path;
    uint64_t minor;
  };
  constexpr Node kNodes[] = {
      {"/dev/null", 3}, {"/dev/zero", 5}, {"/dev/full", 7}, {"/dev/random", 8}, {"/dev/urandom", 9}};
  constexpr uint64_t kMemoryDevices = 1;
  for (const Node& node : kNodes) {
    if (!wish_.devices) break;
    Entry entry;
    entry.kind = Entry::Kind::Device;
    entry.path = node.path;
    entry.mode = 0666;
    entry.rdev = kMemoryDevices << 32 | node.minor;
    entry.reasons = {always};
    put(std::move(entry));
  }
}

void Collector::own_texts() {
  for (const Preset::Text& text : wish_.texts) {
    Entry entry;
    entry.kind = Entry::Kind::Made;
    entry.path = path_normal(text.path);
    entry.text = text.content;
    entry.owner = text.owner;
    entry.mode = text.mode;
    entry.reasons = {{Because::Preset, kNobody, "its own text"}};
    put(std::move(entry));
  }
  for (const Preset::Folder& folder : wish_.folders) {
    Entry entry;
    entry.kind = Entry::Kind::Directory;
    entry.path = path_normal(folder.path);
    entry.owner = folder.owner;
    entry.mode = folder.mode;
    entry.state = folder.state;
    entry.reasons = {{Because::Preset, kNobody, "a folder of its own"}};
    put(std::move(entry));
  }
}

// Texts and folders that the wish has of its own, and what is made of all that was found.
Status Collector::make_texts() {
  std::vector<std::string> known = known_users(source_);
  for (const std::string& user : wish_.users) {
    if (std::find(known.begin(), known.end(), user) != known.end()) continue;
    std::vector<std::string_view> names(known.begin(), known.end());
    std::string_view meant = nearest(user, names);
    return fail(
        Code::kIds, "there is no user " + quoted(user),
        "the root's passwd takes its users from " + source_.root(),
        meant.empty() ? "make that user, or name another one" : "did you mean " + quoted(meant) + "?");
  }
  if (!wish_.users.empty())
    for (const char* name : {"passwd", "group"})
      made_.try_emplace(name, Reason{Because::Named, kNobody, "--user"});
  if (!cache_.empty()) {
    Entry cache;
    cache.kind = Entry::Kind::Made;
    cache.path = "/etc/ld.so.cache";
    cache.text = write_loader_cache(cache_);
    cache.mode = 0644;
    cache.reasons = {{Because::Family, kNobody, "tells the loader of libraries outside of its own folders"}};
    put(std::move(cache));
  }
  for (const auto& [name, reason] : made_) {
    auto text = made_text(name, source_, wish_.users, files_);
    if (!text) {
      // Not of immure's making: the host's own, through its links.
      if (auto added = add("/etc/" + name, reason); !added) note(added.error().what);
      continue;
    }
    Entry entry;
    entry.kind = Entry::Kind::Made;
    entry.path = "/etc/" + name;
    entry.text = std::move(*text);
    entry.mode = 0644;
    entry.reasons = {reason};
    put(std::move(entry));
  }
  return {};
}

// Where the source has /bin as a link into /usr, whoever starts /bin/sh needs that link.
void Collector::usual_links() {
  for (const char* path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64"}) {
    auto itself = source_.walk(path, false);
    auto target = source_.walk(path);
    if (itself && target && itself->look.kind == FileKind::Link && files_.find(target->path) != nullptr)
      put_link(path, {Because::Skeleton, kNobody, {}});
  }
}

}  // namespace immure::rootfs

#include "rootfs/bind_list.h"

#include <algorithm>
#include <map>

#include "base/path.h"
#include "base/text.h"

namespace immure::rootfs {
namespace {

// At least three names deep, and no folder where every package puts its files.
bool is_narrow(std::string_view folder) {
  constexpr int kLeastDepth = 3;
  constexpr std::string_view kLibraries = "/usr/lib/";
  auto depth = std::count(folder.begin(), folder.end(), '/');
  bool of_one_machine = folder.starts_with(kLibraries) && depth == kLeastDepth &&
                        folder.find("-linux-") != std::string_view::npos;
  return depth >= kLeastDepth && !of_one_machine;
}

uint64_t files_below(const Source& source, const std::string& folder, int depth) {
  constexpr int kDeepest = 64;
  uint64_t count = 0;
  auto names = source.names(folder);
  if (!names || depth > kDeepest) return count;
  for (const std::string& name : *names) {
    auto trail = source.walk(folder + "/" + name, false);
    if (!trail) continue;
    count += trail->look.kind == FileKind::Directory ? files_below(source, trail->path, depth + 1) : 1;
  }
  return count;
}

struct Folder {
  uint64_t wanted = 0, all = 0;
  bool whole = true;  // its files lie at the same path in the source, and nothing in it is immure's
};

std::map<std::string, Folder> folders_of(const Manifest& manifest, const Source& source) {
  std::map<std::string, Folder> folders;
  for (const ManifestEntry& entry : manifest.entries) {
    bool own = entry.kind == Entry::Kind::Made || entry.kind == Entry::Kind::Device || entry.state ||
               (entry.kind == Entry::Kind::File && entry.source != entry.path);
    for (std::string_view above = path_folder(entry.path); is_narrow(above); above = path_folder(above)) {
      Folder& folder = folders[std::string(above)];
      if (entry.kind == Entry::Kind::File) ++folder.wanted;
      if (own) folder.whole = false;
    }
  }
  for (auto& [path, folder] : folders)
    if (folder.whole && folder.wanted > 1) folder.all = files_below(source, path, 0);
  return folders;
}

}  // namespace

Result<BindList> bind_list(const Manifest& manifest, const Source& source) {
  BindList list;
  for (const ManifestEntry& entry : manifest.entries)
    if (entry.kind == Entry::Kind::File) list.mounts.push_back({entry.source, entry.path, 0});
  if (list.mounts.size() <= kMostMounts) return list;
  std::map<std::string, Folder> folders = folders_of(manifest, source);
  while (list.mounts.size() > kMostMounts) {
    auto best = folders.end();
    double least = 0;
    for (auto at = folders.begin(); at != folders.end(); ++at) {
      const Folder& folder = at->second;
      if (!folder.whole || folder.wanted < 2) continue;
      double price = static_cast<double>(folder.all - std::min(folder.all, folder.wanted)) /
                     static_cast<double>(folder.wanted - 1);
      if (best == folders.end() || price < least) best = at, least = price;
    }
    if (best == folders.end())
      return fail(
          Code::kBadValue, "too many files for mode bind",
          num(list.mounts.size()) + " mounts would be needed, and " + num(kMostMounts) + " are possible",
          "--mode copy, or --mode reflink where the file system can");
    const std::string path = best->first;
    const Folder taken = best->second;
    std::erase_if(list.mounts, [&](const BindList::Mount& mount) { return path_within(mount.path, path); });
    std::erase_if(folders, [&](const auto& folder) { return path_within(folder.first, path); });
    // What lies above has that many fewer mounts to save.
    for (auto& [above, folder] : folders)
      if (path_within(path, above)) folder.wanted -= std::min(folder.wanted - 1, taken.wanted - 1);
    list.mounts.push_back({path, path, taken.all - std::min(taken.all, taken.wanted)});
  }
  std::sort(list.mounts.begin(), list.mounts.end(),
            [](const BindList::Mount& a, const BindList::Mount& b) { return a.path < b.path; });
  return list;
}

}  // namespace immure::rootfs

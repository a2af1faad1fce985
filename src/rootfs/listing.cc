#include "rootfs/listing.h"

#include <algorithm>

#include "rootfs/content_digest.h"
#include "rootfs/writer.h"

namespace immure::rootfs {

Manifest listing(const Collection& files) {
  Manifest manifest;
  std::vector<const Entry*> sorted = files.sorted();
  std::vector<uint32_t> place(files.size());
  for (uint32_t i = 0; i < sorted.size(); ++i)
    place[static_cast<size_t>(sorted[i] - files.entries().data())] = i;
  manifest.entries.reserve(sorted.size());
  for (const Entry* entry : sorted) {
    ManifestEntry line;
    line.kind = entry->kind;
    line.path = entry->path;
    line.source = entry->source;
    line.owner = entry->owner;
    line.mode = mode_as_written(*entry);
    line.rdev = entry->rdev;
    line.state = entry->state;
    if (entry->kind == Entry::Kind::File) {
      line.size = entry->look.size;
      line.mtime_ns = entry->look.mtime_ns;
      line.ctime_ns = entry->look.ctime_ns;
      line.device = entry->look.device;
      line.inode = entry->look.inode;
    } else if (entry->kind == Entry::Kind::Made) {
      line.size = entry->text.size();
      line.digest = content_digest(entry->text);
    } else if (entry->kind == Entry::Kind::Link) {
      line.text = entry->text;
    }
    line.reasons = entry->reasons;
    for (Reason& reason : line.reasons)
      if (reason.by != kNobody) reason.by = place[reason.by];
    manifest.entries.push_back(std::move(line));
  }
  return manifest;
}

bool same_content(const Manifest& planned, const Manifest& written) {
  return std::equal(planned.entries.begin(), planned.entries.end(), written.entries.begin(),
                    written.entries.end(), [](const ManifestEntry& a, const ManifestEntry& b) {
                      return a.path == b.path && a.kind == b.kind && a.source == b.source &&
                             a.text == b.text && a.owner == b.owner && a.mode == b.mode && a.rdev == b.rdev &&
                             a.size == b.size && a.state == b.state && a.mtime_ns == b.mtime_ns &&
                             a.ctime_ns == b.ctime_ns && a.device == b.device && a.inode == b.inode &&
                             (a.kind != Entry::Kind::Made || a.digest == b.digest);
                    });
}

std::vector<uint32_t> why(const Manifest& manifest, uint32_t index) {
  std::vector<uint32_t> chain;
  while (index < manifest.entries.size() && std::find(chain.begin(), chain.end(), index) == chain.end()) {
    chain.push_back(index);
    if (manifest.entries[index].reasons.empty()) break;
    index = manifest.entries[index].reasons.front().by;
  }
  return chain;
}

uint32_t find(const Manifest& manifest, std::string_view path) {
  auto at = std::lower_bound(
      manifest.entries.begin(), manifest.entries.end(), path,
      [](const ManifestEntry& entry, std::string_view wanted) { return entry.path < wanted; });
  if (at == manifest.entries.end() || at->path != path) return kNobody;
  return static_cast<uint32_t>(at - manifest.entries.begin());
}

}  // namespace immure::rootfs

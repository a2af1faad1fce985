// What a root was made of: the file NAME.immure.json beside the root NAME. Beside and not inside, since a
// program that is root in a plain chroot could write its own wishes into one inside, and `immure root
// refresh` would fetch them. Schema immure.root/1 (schema/root.schema.json): a public contract. Reading takes
// any bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "rootfs/collection.h"

namespace immure::rootfs {

// The words that made it: what `refresh` asks for again.
struct Recipe {
  std::vector<std::string>
      words;  // the arguments of `immure build` that decide what is in it, without the folder
  std::string source_root = "/";
};

struct ManifestEntry {
  Entry::Kind kind = Entry::Kind::File;
  std::string path;
  std::string source;   // File: where it was read; empty: it came with an archive or an image
  std::string text;     // Link: its target. What a made file holds is not kept: anybody may read a manifest.
  std::string owner;    // as the collection has it
  std::string package;  // "libc6=2.36-9" of the source's file, empty: none known
  uint32_t mode = 0, uid = 0, gid = 0;  // as written
  uint64_t rdev = 0;
  uint64_t size =
      0;  // of the content; with CopyMode::Bind of the source, while the file in the tree is empty
  bool state = false;
  Digest digest{};                     // File, Made: of the content as written (Bind: of nothing)
  int64_t mtime_ns = 0, ctime_ns = 0;  // of the source
  uint64_t device = 0, inode = 0;      // of the source
  std::vector<Reason> reasons;         // `by` is an index into Manifest::entries
};

enum class CopyMode : uint8_t { Auto, Copy, Reflink, Bind };

struct Manifest {
  Recipe recipe;
  CopyMode mode = CopyMode::Copy;      // never Auto: what was done
  std::string tree_digest;             // as tree_digest() has it
  int64_t epoch = 0;                   // the time that every entry of the tree has, seconds
  std::vector<ManifestEntry> entries;  // sorted by path
};

// hex; over path, kind, mode, owner, target and content of every entry in order of paths. Not over times and
// ids, so that two builds from the same sources have the same one, whoever made them.
std::string tree_digest(const std::vector<ManifestEntry>& entries);

std::string manifest_path(const std::string& root);     // "/srv/jail/" → "/srv/jail.immure.json"
inline constexpr size_t kLargestManifest = 256u << 20;  // bytes; a larger one is not read, and not written
std::string encode_manifest(const Manifest& manifest);
// kBadProfile with the place. What it lets through is a tree: it begins with "/", is sorted, each path is a
// normal one, lies in a folder that is an entry, and comes once; nothing in it has set-id bits; devices are
// the harmless five; `by` is an entry.
Result<Manifest> decode_manifest(std::string_view text, std::string_view shown_as);
// kBadRoot when there is none: with the sentence that this root was not made by immure build. It must belong
// to the caller or to root, be writable by nobody else, and be a regular file.
Result<Manifest> read_manifest(const std::string& root);

}  // namespace immure::rootfs

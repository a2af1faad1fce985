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
  std::string path, source, text, owner,
      package;  // package: "libc6=2.36-9" of the source's file, empty: none known
  uint32_t mode = 0;
  uint64_t rdev = 0, size = 0;
  bool state = false;
  Digest digest{};                     // File, Made: of the content as written
  int64_t mtime_ns = 0, ctime_ns = 0;  // of the source
  uint64_t device = 0, inode = 0;      // of the source
  std::vector<Reason> reasons;         // `by` is an index into Manifest::entries
};

enum class CopyMode : uint8_t { Auto, Copy, Reflink, Bind };

struct Manifest {
  Recipe recipe;
  CopyMode mode = CopyMode::Copy;
  std::string
      tree_digest;  // hex; over path, kind, mode, owner, target and content of every entry in order of paths
  int64_t epoch = 0;                   // the time that every entry of the tree has, seconds
  std::vector<ManifestEntry> entries;  // sorted by path
};

std::string manifest_path(const std::string& root);  // "/srv/jail/" → "/srv/jail.immure.json"
std::string encode_manifest(const Manifest& manifest);
Result<Manifest> decode_manifest(std::string_view text,
                                 std::string_view shown_as);  // kBadProfile with the place
// kBadRoot when there is none: with the sentence that this root was not made by immure build. It must belong
// to the caller or to root, be writable by nobody else, and be a regular file.
Result<Manifest> read_manifest(const std::string& root);

}  // namespace immure::rootfs

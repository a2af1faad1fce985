// A root out of what is a root already: an archive, an image, a folder, a distribution. Taken as it is, and
// what it brings is not looked into further; status, verify and remove know it as every other root.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/build_words.h"
#include "rootfs/archive.h"
#include "rootfs/distribution.h"
#include "rootfs/unpack_jail.h"
#include "rootfs/writer.h"

namespace immure::cli {

struct FromOptions {
  rootfs::WriteOptions write;
  rootfs::ArchiveLimits limits;
  rootfs::DistributionOptions distribution;  // its epoch is that of `write`
  rootfs::UnpackPrograms programs;           // empty: this installation's
};

// What the words say of it. kBadValue for a size or a number that is none.
Result<FromOptions> from_options(const BuildWords& words, int64_t epoch);

struct BuiltFrom {
  rootfs::Written written;
  std::vector<std::string> notes;  // a line each: what was left out, what the image says of itself
};

// `source`: tar:FILE, oci:PATH[:NAME], dir:FOLDER, debian:SUITE, ubuntu:SUITE, or a path: a folder is an
// image layout when it holds one, an archive is one when that is what is in it. `target`: as in write_root().
// Nothing is left behind when it fails. Errors: as in write_root(), read_archive(), ImageLayout and
// plan_distribution(); kMissingSource when there is no such source.
Result<BuiltFrom> build_from(const std::string& source, const std::string& target,
                             const FromOptions& wanted);

// What `source` is taken for; the word and the path behind it.
struct FromSource {
  enum class Kind : uint8_t { Archive, ArchiveOrImage, Layout, Folder, Distribution } kind;
  std::string path, name;  // name: of an image
};
Result<FromSource> read_from_source(const std::string& source);

}  // namespace immure::cli

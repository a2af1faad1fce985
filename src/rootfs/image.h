// Images as files: the OCI image layout (index.json, blobs/ALGORITHM/DIGEST), with the media types of OCI and
// of Docker's second version of manifests. A layout is hostile: names are never taken from it but digests,
// which are checked letter by letter, and every byte that is used was hashed first or while it was read.
// Source: the OCI image format specification 1.1, image-layout, image-index, manifest, config and layer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "rootfs/source.h"

namespace immure::rootfs {

struct Descriptor {
  std::string media_type;
  Digest digest{};
  uint64_t size = 0;
  std::string os, architecture;  // the platform; empty: not said
  std::string name;              // org.opencontainers.image.ref.name, or io.containerd.image.name
  bool attestation = false;      // tells of another image, and is none
  std::string place;             // in its document, for messages
};

struct ImageManifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // the lowest first
};

// What the maker of an image says of it. None of it is used to build the root; all of it can be shown.
struct ImageConfig {
  std::string os, architecture, user, folder;
  std::vector<std::string> entrypoint, command;
  size_t layers = 0;  // rootfs.diff_ids
};

// Any bytes. Errors: kBadProfile with the place ("#/manifests/0/digest"). Only sha256 is known.
Result<std::vector<Descriptor>> parse_image_index(std::string_view text, std::string_view shown_as);
Result<ImageManifest> parse_image_manifest(std::string_view text, std::string_view shown_as);
Result<ImageConfig> parse_image_config(std::string_view text, std::string_view shown_as);

bool is_image_index(std::string_view media_type);
bool is_image_manifest(std::string_view media_type);
bool is_image_layer(std::string_view media_type);  // a tar, plain or compressed, that is in the layout

// "sha256:" and 64 lower-case digits.
Result<Digest> parse_image_digest(std::string_view text);

struct Image {
  ImageManifest manifest;
  ImageConfig config;
  std::string name;
};

class ImageLayout {
 public:
  // `folder`: with oci-layout and index.json in it. Must outlive this.
  explicit ImageLayout(const Source& folder) : folder_(folder) {}

  // The image for linux/amd64; of several the one called `name`, which may be empty. Everything but the
  // layers has been hashed then. Errors: kBadProfile and kBadValue for what is wrong in it, kMissingSource
  // when there is none for this machine or of that name, with those that there are.
  Result<Image> find(std::string_view name) const;
  // A layer's bytes, of the size that the descriptor says; its digest is for who reads it to compare.
  Result<UniqueFd> open(const Descriptor& blob) const;

 private:
  Result<std::string> read(const Descriptor& blob) const;
  Status gather(std::string_view text, std::string_view shown_as, int depth,
                std::vector<Descriptor>& manifests) const;
  const Source& folder_;
};

}  // namespace immure::rootfs

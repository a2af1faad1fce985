#include "rootfs/image.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/text.h"
#include "input/toml.h"

namespace immure::rootfs {
namespace {

using Kind = ProfileNode::Kind;

constexpr std::string_view kOs = "linux", kArchitecture = "amd64";
constexpr size_t kMostManifests = 1000, kMostLayers = 500;
constexpr int kDeepestIndex = 3;  // an index may name others
constexpr std::string_view kIndexes[] = {"application/vnd.oci.image.index.v1+json",
                                         "application/vnd.docker.distribution.manifest.list.v2+json"};
constexpr std::string_view kManifests[] = {"application/vnd.oci.image.manifest.v1+json",
                                           "application/vnd.docker.distribution.manifest.v2+json"};
constexpr std::string_view kLayers[] = {"application/vnd.oci.image.layer.v1.tar",
                                        "application/vnd.oci.image.layer.v1.tar+gzip",
                                        "application/vnd.oci.image.layer.v1.tar+zstd",
                                        "application/vnd.oci.image.layer.nondistributable.v1.tar",
                                        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                                        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
                                        "application/vnd.docker.image.rootfs.diff.tar",
                                        "application/vnd.docker.image.rootfs.diff.tar.gzip",
                                        "application/vnd.docker.image.rootfs.diff.tar.zstd",
                                        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"};

template <size_t Count>
bool contains(const std::string_view (&list)[Count], std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

const ProfileNode* member(const ProfileNode& table, std::string_view key) {
  for (const ProfileNode& node : table.members)
    if (node.key == key) return &node;
  return nullptr;
}

// One document: what is wrong in it is told with its place.
class Document {
 public:
  explicit Document(std::string_view shown_as) : shown_as_(shown_as) {}

  Result<ProfileNode> read(std::string_view text) const {
    auto top = parse_json(text, shown_as_);
    if (top) return top;
    Error error = std::move(top.error());
    error.what = "cannot read the image: " + quoted(shown_as_);
    return tl::unexpected<Error>(std::move(error));
  }

  tl::unexpected<Error> refuse(const ProfileNode& at, std::string why, std::string how = {}) const {
    return fail(Code::kBadProfile, "cannot use the image: " + quoted(shown_as_), std::move(why),
                std::move(how), printable(shown_as_ + at.place));
  }

  // Empty when the key is not there, or null.
  Result<std::string> text(const ProfileNode& table, std::string_view key) const {
    const ProfileNode* node = member(table, key);
    if (node == nullptr || node->kind == Kind::Other) return std::string();
    if (node->kind != Kind::Text) return refuse(*node, "a text is wanted here");
    return node->text;
  }

  Result<std::vector<std::string>> texts(const ProfileNode& table, std::string_view key) const {
    std::vector<std::string> all;
    const ProfileNode* node = member(table, key);
    if (node == nullptr || node->kind == Kind::Other) return all;
    if (node->kind != Kind::List) return refuse(*node, "a list of texts is wanted here");
    for (const ProfileNode& item : node->items) {
      if (item.kind != Kind::Text) return refuse(item, "a text is wanted here");
      all.push_back(item.text);
    }
    return all;
  }

  Result<const ProfileNode*> list(const ProfileNode& table, std::string_view key, size_t most) const {
    const ProfileNode* node = member(table, key);
    if (node == nullptr) return refuse(table, quoted(key) + " is missing");
    if (node->kind != Kind::List) return refuse(*node, "a list is wanted here");
    if (node->items.size() > most) return refuse(*node, "more than " + num(most) + " of them");
    return node;
  }

  Result<Descriptor> descriptor(const ProfileNode& node) const;

 private:
  Status read_platform(const ProfileNode& node, Descriptor& found) const;
  std::string shown_as_;
};

Status Document::read_platform(const ProfileNode& node, Descriptor& found) const {
  if (const ProfileNode* platform = member(node, "platform"); platform != nullptr) {
    if (platform->kind != Kind::Table) return refuse(*platform, "an object is wanted here");
    auto os = text(*platform, "os"), architecture = text(*platform, "architecture");
    if (!os) return tl::unexpected<Error>(std::move(os.error()));
    if (!architecture) return tl::unexpected<Error>(std::move(architecture.error()));
    found.os = std::move(*os);
    found.architecture = std::move(*architecture);
  }
  const ProfileNode* notes = member(node, "annotations");
  if (notes == nullptr || notes->kind != Kind::Table) return {};
  for (std::string_view key : {"org.opencontainers.image.ref.name", "io.containerd.image.name"}) {
    auto name = text(*notes, key);
    if (!name) return tl::unexpected<Error>(std::move(name.error()));
    if (found.name.empty()) found.name = std::move(*name);
  }
  found.attestation = member(*notes, "vnd.docker.reference.type") != nullptr;
  return {};
}

Result<Descriptor> Document::descriptor(const ProfileNode& node) const {
  if (node.kind != Kind::Table) return refuse(node, "an object is wanted here");
  Descriptor found;
  found.place = node.place;
  auto type = text(node, "mediaType"), digest = text(node, "digest");
  if (!type) return tl::unexpected<Error>(std::move(type.error()));
  if (!digest) return tl::unexpected<Error>(std::move(digest.error()));
  found.media_type = std::move(*type);
  auto value = parse_image_digest(*digest);
  if (!value) return refuse(node, value.error().what, value.error().how);
  found.digest = *value;
  const ProfileNode* size = member(node, "size");
  auto bytes = size == nullptr || size->kind != Kind::Number ? std::nullopt : parse_u64(size->text);
  if (!bytes) return refuse(node, "a descriptor needs \"size\", a number of bytes");
  found.size = *bytes;
  IMMURE_TRY(read_platform(node, found));
  return found;
}

std::string platform_of(const Descriptor& one) { return printable(one.os + "/" + one.architecture); }

}  // namespace

bool is_image_index(std::string_view media_type) { return contains(kIndexes, media_type); }
bool is_image_manifest(std::string_view media_type) { return contains(kManifests, media_type); }
bool is_image_layer(std::string_view media_type) { return contains(kLayers, media_type); }

Result<Digest> parse_image_digest(std::string_view text) {
  constexpr std::string_view kAlgorithm = "sha256:", kDigits = "0123456789abcdef";
  if (!text.starts_with(kAlgorithm))
    return fail(Code::kBadProfile, quoted(text.substr(0, 80)) + " is no digest that is known here", {},
                "sha256 is; other algorithms are not read");
  text.remove_prefix(kAlgorithm.size());
  Digest digest{};
  if (text.size() != 2 * digest.size() || text.find_first_not_of(kDigits) != std::string_view::npos)
    return fail(Code::kBadProfile, quoted(text.substr(0, 80)) + " is no SHA-256 digest", {},
                "64 digits of 0-9 and a-f");
  for (size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<uint8_t>(kDigits.find(text[2 * i]) << 4 | kDigits.find(text[2 * i + 1]));
  return digest;
}

Result<std::vector<Descriptor>> parse_image_index(std::string_view text, std::string_view shown_as) {
  const Document document(shown_as);
  auto top = document.read(text);
  if (!top) return tl::unexpected<Error>(std::move(top.error()));
  auto manifests = document.list(*top, "manifests", kMostManifests);
  if (!manifests) return tl::unexpected<Error>(std::move(manifests.error()));
  std::vector<Descriptor> all;
  for (const ProfileNode& item : (*manifests)->items) {
    auto one = document.descriptor(item);
    if (!one) return tl::unexpected<Error>(std::move(one.error()));
    all.push_back(std::move(*one));
  }
  return all;
}

Result<ImageManifest> parse_image_manifest(std::string_view text, std::string_view shown_as) {
  const Document document(shown_as);
  auto top = document.read(text);
  if (!top) return tl::unexpected<Error>(std::move(top.error()));
  ImageManifest manifest;
  const ProfileNode* config = member(*top, "config");
  if (config == nullptr) return document.refuse(*top, "\"config\" is missing");
  auto found = document.descriptor(*config);
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  manifest.config = std::move(*found);
  auto layers = document.list(*top, "layers", kMostLayers);
  if (!layers) return tl::unexpected<Error>(std::move(layers.error()));
  for (const ProfileNode& item : (*layers)->items) {
    auto one = document.descriptor(item);
    if (!one) return tl::unexpected<Error>(std::move(one.error()));
    if (!is_image_layer(one->media_type))
      return document.refuse(
          item, quoted(one->media_type) + " is no layer that can be read",
          "layers are tar, plain or in gzip or zstd; encrypted ones must be decrypted first");
    manifest.layers.push_back(std::move(*one));
  }
  if (manifest.layers.empty()) return document.refuse(*top, "the image has no layers");
  return manifest;
}

Result<ImageConfig> parse_image_config(std::string_view text, std::string_view shown_as) {
  const Document document(shown_as);
  auto top = document.read(text);
  if (!top) return tl::unexpected<Error>(std::move(top.error()));
  ImageConfig config;
  const auto take = [&](const ProfileNode& table, std::string_view key, std::string& into) -> Status {
    auto value = document.text(table, key);
    if (!value) return tl::unexpected<Error>(std::move(value.error()));
    into = std::move(*value);
    return {};
  };
  IMMURE_TRY(take(*top, "os", config.os));
  IMMURE_TRY(take(*top, "architecture", config.architecture));
  if (const ProfileNode* run = member(*top, "config"); run != nullptr && run->kind == Kind::Table) {
    IMMURE_TRY(take(*run, "User", config.user));
    IMMURE_TRY(take(*run, "WorkingDir", config.folder));
    auto entrypoint = document.texts(*run, "Entrypoint"), command = document.texts(*run, "Cmd");
    if (!entrypoint) return tl::unexpected<Error>(std::move(entrypoint.error()));
    if (!command) return tl::unexpected<Error>(std::move(command.error()));
    config.entrypoint = std::move(*entrypoint);
    config.command = std::move(*command);
  }
  const ProfileNode* rootfs = member(*top, "rootfs");
  if (rootfs == nullptr || rootfs->kind != Kind::Table) return document.refuse(*top, "\"rootfs\" is missing");
  auto layers = document.list(*rootfs, "diff_ids", kMostLayers);
  if (!layers) return tl::unexpected<Error>(std::move(layers.error()));
  config.layers = (*layers)->items.size();
  return config;
}

Result<UniqueFd> ImageLayout::open(const Descriptor& blob) const {
  const std::string path = "/blobs/sha256/" + hex_text(blob.digest);
  auto trail = folder_.walk(path);
  auto fd = trail ? folder_.open_file(trail->path) : tl::unexpected<Error>(std::move(trail.error()));
  if (!fd) {
    Error error = std::move(fd.error());
    error.why = "the image names it and does not hold it";
    error.how =
        "get the image again, with all its layers for " + std::string(kOs) + "/" + std::string(kArchitecture);
    return tl::unexpected<Error>(std::move(error));
  }
  struct stat st {};
  if (fstat(fd->get(), &st) != 0 || static_cast<uint64_t>(st.st_size) != blob.size)
    return fail(Code::kBadValue, "the image is damaged: " + quoted(path) + " has another size than it says",
                num(static_cast<uint64_t>(st.st_size)) + " bytes, where " + num(blob.size) + " are told",
                "nothing was taken from it");
  return fd;
}

// A small document, believed only when its digest is right.
Result<std::string> ImageLayout::read(const Descriptor& blob) const {
  auto fd = open(blob);
  if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
  const std::string path = "blobs/sha256/" + hex_text(blob.digest);
  std::string text;
  if (blob.size > kLongestProfile)
    return fail(Code::kBadValue, quoted(path) + " is longer than 1 MiB", "no document of an image is");
  text.resize(blob.size);
  size_t have = 0;
  while (have < text.size()) {
    ssize_t n = ::read(fd->get(), text.data() + have, text.size() - have);
    if (n <= 0)
      return fail(Code::kMissingSource, quoted(path) + " cannot be read", {}, {}, {}, n < 0 ? errno : 0);
    have += static_cast<size_t>(n);
  }
  if (sha256(text) != blob.digest)
    return fail(Code::kBadValue,
                "the image is damaged: the content of " + quoted(path) + " has another digest", {},
                "nothing was taken from it");
  return text;
}

Status ImageLayout::gather(std::string_view text, std::string_view shown_as, int depth,
                           std::vector<Descriptor>& manifests) const {
  auto all = parse_image_index(text, shown_as);
  if (!all) return tl::unexpected<Error>(std::move(all.error()));
  for (Descriptor& one : *all) {
    if (is_image_manifest(one.media_type) || one.media_type.empty()) {
      if (manifests.size() >= kMostManifests)
        return fail(Code::kBadValue, "the image index names more than " + num(kMostManifests) + " images");
      manifests.push_back(std::move(one));
      continue;
    }
    if (!is_image_index(one.media_type)) continue;  // something else may lie in a layout
    if (depth >= kDeepestIndex) return fail(Code::kBadValue, "the image index names indexes of indexes");
    auto inner = read(one);
    if (!inner) return tl::unexpected<Error>(std::move(inner.error()));
    const size_t before = manifests.size();
    IMMURE_TRY(gather(*inner, "blobs/sha256/" + hex_text(one.digest), depth + 1, manifests));
    for (size_t i = before; i < manifests.size(); ++i)
      if (manifests[i].name.empty()) manifests[i].name = one.name;
  }
  return {};
}

namespace {

// Which of them is meant: for this machine, and of this name where one is said.
Result<Descriptor> choose(const std::vector<Descriptor>& all, std::string_view name) {
  std::vector<std::string> names, platforms;
  const Descriptor* found = nullptr;
  for (const Descriptor& one : all) {
    if (one.attestation) continue;
    const bool fits =
        (one.os.empty() || one.os == kOs) && (one.architecture.empty() || one.architecture == kArchitecture);
    if (!fits) {
      platforms.push_back(platform_of(one));
      continue;
    }
    names.push_back(one.name.empty() ? "(without a name)" : printable(one.name));
    if (!name.empty() && one.name != name) continue;
    if (found != nullptr && found->digest != one.digest)
      return fail(Code::kMissingSource, "there are several images, and one must be named",
                  "there are " + join(names, ", "), "--from oci:PATH:NAME");
    if (found == nullptr) found = &one;
  }
  if (found != nullptr) return *found;
  if (!names.empty())
    return fail(Code::kMissingSource, "there is no image " + quoted(name) + " in it",
                "there are " + join(names, ", "));
  return fail(Code::kMissingSource, "there is no image for linux/amd64 in it",
              platforms.empty() ? "it names none" : "there are " + join(platforms, ", "));
}

}  // namespace

Result<Image> ImageLayout::find(std::string_view name) const {
  auto layout = folder_.read_text("/oci-layout", 4096);
  if (!layout || layout->find("\"1.") == std::string::npos)
    return fail(Code::kBadValue, quoted(folder_.root()) + " is no image layout of version 1",
                "the file oci-layout says so, or is not there",
                "skopeo copy docker://NAME oci:FOLDER makes one");
  auto text = folder_.read_text("/index.json", kLongestProfile);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  std::vector<Descriptor> manifests;
  IMMURE_TRY(gather(*text, "index.json", 1, manifests));
  auto chosen = choose(manifests, name);
  if (!chosen) return tl::unexpected<Error>(std::move(chosen.error()));
  auto manifest_text = read(*chosen);
  if (!manifest_text) return tl::unexpected<Error>(std::move(manifest_text.error()));
  Image image;
  image.name = chosen->name;
  auto manifest = parse_image_manifest(*manifest_text, "blobs/sha256/" + hex_text(chosen->digest));
  if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  image.manifest = std::move(*manifest);
  auto config_text = read(image.manifest.config);
  if (!config_text) return tl::unexpected<Error>(std::move(config_text.error()));
  auto config = parse_image_config(*config_text, "blobs/sha256/" + hex_text(image.manifest.config.digest));
  if (!config) return tl::unexpected<Error>(std::move(config.error()));
  image.config = std::move(*config);
  if (image.config.os != kOs || image.config.architecture != kArchitecture)
    return fail(Code::kMissingSource, "the image is for " +
                                          printable(image.config.os + "/" + image.config.architecture) +
                                          ", not for linux/amd64");
  if (image.config.layers != image.manifest.layers.size())
    return fail(Code::kBadValue, "the image is damaged: its configuration names " + num(image.config.layers) +
                                     " layers, its manifest " + num(image.manifest.layers.size()));
  return image;
}

}  // namespace immure::rootfs

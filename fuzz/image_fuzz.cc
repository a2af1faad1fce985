// Any bytes as the documents of an image: read, or refused with a place. What is read holds what it promises.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rootfs/image.h"

namespace {

template <class Document>
bool refused(const immure::Result<Document>& document) {
  if (!document && (document.error().what.empty() || document.error().code != immure::Code::kBadProfile))
    std::abort();
  return !document;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace rootfs = immure::rootfs;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)refused(rootfs::parse_image_index(text, "index.json"));
  (void)refused(rootfs::parse_image_config(text, "config"));
  (void)refused(rootfs::parse_image_digest(text));
  auto manifest = rootfs::parse_image_manifest(text, "manifest");
  if (refused(manifest)) return 0;
  if (manifest->layers.empty()) std::abort();
  for (const rootfs::Descriptor& layer : manifest->layers)
    if (!rootfs::is_image_layer(layer.media_type)) std::abort();
  return 0;
}

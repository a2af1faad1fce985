// Any bytes as the manifest of a root: no crash, and what is believed is a tree that says the same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rootfs/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure::rootfs;
  auto manifest = decode_manifest(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!manifest) return 0;
  const std::string text = encode_manifest(*manifest);
  auto again = decode_manifest(text, "again");
  if (!again || encode_manifest(*again) != text) std::abort();
  if (manifest->entries.empty() || manifest->entries.front().path != "/") std::abort();
  for (const ManifestEntry& entry : manifest->entries)
    if (entry.path.find("/../") != std::string::npos || (entry.mode & 06000) != 0) std::abort();
  return 0;
}

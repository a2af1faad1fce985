// Any bytes as the loader's cache; what was read of them is written, and read back as the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rootfs/loader_cache.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

using immure::rootfs::CachedLibrary;

std::vector<CachedLibrary> in_order(std::vector<CachedLibrary> entries) {
  auto key = [](const CachedLibrary& e) { return std::tie(e.name, e.path, e.flags); };
  std::sort(entries.begin(), entries.end(), [&](auto& a, auto& b) { return key(a) < key(b); });
  entries.erase(
      std::unique(entries.begin(), entries.end(), [&](auto& a, auto& b) { return key(a) == key(b); }),
      entries.end());
  return entries;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure::rootfs;
  auto cache = LoaderCache::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!cache) return 0;
  const auto& entries = cache->entries();
  require(std::is_sorted(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.name < b.name; }));
  for (size_t i = 0; i < std::min<size_t>(entries.size(), 10); ++i)
    for (const std::string& path : cache->find(entries[i].name, host_machine()))
      require(path.find('\0') == std::string::npos);
  const std::string written = write_loader_cache(entries);
  auto again = LoaderCache::parse(written);
  require(again.has_value());
  require(write_loader_cache(again->entries()) == written);
  const auto before = in_order(entries), after = in_order(again->entries());
  require(before.size() == after.size());
  for (size_t i = 0; i < before.size(); ++i)
    require(before[i].name == after[i].name && before[i].path == after[i].path &&
            before[i].flags == after[i].flags);
  return 0;
}

// /etc/ld.so.cache: which library a name means. Both formats that glibc reads ("ld.so-1.7.0" and
// "glibc-ld.so.cache1.1", also one behind the other); written in the second only. Any bytes may come in.
// Source: ldconfig(8), ld.so(8), and the layout in the kernel-independent structure cache_file_new of glibc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rootfs/elf.h"

namespace immure::rootfs {

struct CachedLibrary {
  std::string name;  // "libz.so.1"
  std::string path;  // "/lib/x86_64-linux-gnu/libz.so.1"
  uint32_t flags = 0;
  uint64_t hwcap = 0;
};

class LoaderCache {
 public:
  // kBadValue: not a cache, or one with offsets outside of it.
  static Result<LoaderCache> parse(std::string_view bytes);
  // In the cache's own order: those for some processors only (glibc-hwcaps) before the one for all.
  std::vector<std::string> find(std::string_view name, const Machine& machine) const;
  const std::vector<CachedLibrary>& entries() const { return entries_; }

 private:
  std::vector<CachedLibrary> entries_;  // sorted by name
};

// A cache with exactly these: what a root needs whose libraries lie outside of the loader's own folders.
// Pure, and the same bytes for the same entries whatever their order. In this host's byte order. What an
// entry needs of the processor is taken from its path (".../glibc-hwcaps/x86-64-v3/libz.so.1").
std::string write_loader_cache(std::vector<CachedLibrary> libraries);
// The flags that glibc's loader expects for a library of this machine; 0: a machine we do not know.
uint32_t cache_flags(const Machine& machine);
// "x86-64-v3" of "/usr/lib/glibc-hwcaps/x86-64-v3/libz.so.1"; empty for a path that is in no such folder.
std::string_view hwcaps_folder(std::string_view path);

}  // namespace immure::rootfs

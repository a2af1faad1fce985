// Which file a needed name is, as the loader of that program would find it: DT_RPATH and DT_RUNPATH with
// $ORIGIN, $LIB and $PLATFORM, the cache, the loader's own folders with their glibc-hwcaps; for musl its path
// file. Nothing is run. All variants for other processors (glibc-hwcaps/x86-64-v2 …) come too: a root may be
// carried to another machine. Source: ld.so(8); musl ldso/dynlink.c as documented in its manual.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rootfs/elf.h"
#include "rootfs/loader_cache.h"
#include "rootfs/source.h"

namespace immure::rootfs {

struct Found {
  std::vector<std::string>
      paths;                // by the names the loader would use; the first is the one this machine takes
  bool by_default = false;  // in a folder that the loader knows by itself: no cache is needed for it
};

// What is passed down from a program to the libraries of its libraries: DT_RPATH (not DT_RUNPATH) is
// inherited.
struct Loading {
  std::string program;  // the path of the main program, for its interpreter's kind
  bool musl = false;
  Machine machine;
  std::vector<std::string> rpaths;  // expanded, of all who stand above, nearest first
};

class Libraries {
 public:
  explicit Libraries(const Source& source);  // which must outlive this; reads the cache when first asked

  // `from`: where the object that needs `name` lies (no links in it), `elf` what it says of itself.
  // Errors: kMissingSource with the folders that were searched, and the Debian package as a hint where one is
  // known; a file of that name for another machine is named.
  Result<Found> find(std::string_view name, const std::string& from, const Elf& elf, const Loading& loading);

  // The Loading for what `elf` at `from` pulls in, seen from `above`.
  Loading below(const Loading& above, const std::string& from, const Elf& elf) const;
  static Loading of_program(const std::string& path, const Elf& elf);

  // Folders that the loader of this machine searches by itself, best first.
  static std::vector<std::string> default_folders(const Machine& machine, bool musl);

 private:
  const Source& source_;
  bool read_ = false;
  LoaderCache cache_;
};

}  // namespace immure::rootfs

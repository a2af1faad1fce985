// Which file a needed name is, as the loader of that program would find it: DT_RPATH and DT_RUNPATH with
// $ORIGIN, $LIB and $PLATFORM, the cache, the loader's own folders with their glibc-hwcaps; for musl its path
// file. Nothing is run, and no LD_LIBRARY_PATH is heeded. All variants for other processors (glibc-hwcaps/
// x86-64-v2 …) come too: a root may be carried to another machine. (Those of the kind that glibc had before
// 2.33, "tls" or "haswell", come when they are in the cache.) Source: ld.so(8); musl ldso/dynlink.c as
// documented in its manual.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "rootfs/elf.h"
#include "rootfs/loader_cache.h"
#include "rootfs/source.h"

namespace immure::rootfs {

struct Found {
  std::vector<std::string>
      paths;                // by the names the loader would use; the first is the one this machine takes
  bool by_default = false;  // no cache is needed for it: in a folder that the loader knows by itself, or
                            // that the file which needs it names
};

// What one program's loading hands down to the libraries of its libraries. Copies of a Loading share what is
// loaded: a name that is there already is not searched again, as the loader does it, so a library may rely on
// what its program has found. Ask for all that one file needs before what its libraries need.
struct Loading {
  std::string program;      // the path of the main program
  std::string interpreter;  // its PT_INTERP
  bool musl = false;
  Machine machine;
  std::vector<std::string> rpaths;  // expanded, of all who stand above, nearest first; not the asker's own
  std::shared_ptr<std::unordered_map<std::string, Found>> loaded;  // by needed name and by DT_SONAME
};

class Libraries {
 public:
  explicit Libraries(const Source& source);  // which must outlive this; reads the cache when first asked

  // `from`: where the object that needs `name` lies, by the name its loader has for it: of a program the path
  // without links, of a library as in Found. `elf`: what it says of itself. `loading`: as of those above.
  // Errors: kMissingSource with the folders that were searched, and the Debian package as a hint where one is
  // known; a file of that name for another machine is named. kBadValue: a file of that name is no ELF file.
  Result<Found> find(std::string_view name, const std::string& from, const Elf& elf, const Loading& loading);

  // The Loading for what the libraries of `elf` at `from` need, `above` being that of `elf` itself.
  Loading below(const Loading& above, const std::string& from, const Elf& elf);
  static Loading of_program(const std::string& path, const Elf& elf);

  // The file at a path (which may have links), read once. kBadValue also for what is no ELF file.
  const Result<Elf>& elf(const std::string& path);

  // Folders that the loader of this machine searches by itself, best first; of all distributions.
  static std::vector<std::string> default_folders(const Machine& machine, bool musl);

 private:
  struct Search;
  const LoaderCache& cache();
  const Result<Elf>& elf_at(const std::string& path);
  const std::vector<std::string>& own_folders(const Loading& loading);
  const std::vector<std::string>& subfolders(const std::string& folder, const Machine& machine);
  std::string expand(std::string_view text, std::string_view platform, const std::string& from,
                     const Loading& loading);
  std::vector<std::string> folders_of(std::string_view list, const std::string& from, const Loading& loading);
  std::vector<std::string> named_folders(const std::string& from, const Elf& elf, const Loading& loading);
  Result<bool> is_library(Search& search, const std::string& path);
  Result<bool> take_first_usable(Search& search, const std::vector<std::string>& paths, size_t usable);
  Result<bool> in_folders(Search& search, const std::vector<std::string>& folders);
  Result<bool> in_cache(Search& search, const Loading& loading, bool without_own);
  Result<bool> run(Search& search, const std::string& from, const Elf& elf, const Loading& loading);

  const Source& source_;
  bool read_ = false;
  LoaderCache cache_;
  std::unordered_map<std::string, Result<Elf>> elfs_;                     // by path without links
  std::unordered_map<std::string, std::vector<std::string>> subfolders_;  // by folder and machine
  std::unordered_map<std::string, std::vector<std::string>> own_;         // by loader: its folders
};

}  // namespace immure::rootfs

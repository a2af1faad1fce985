#include "rootfs/libraries.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/processor.h"

namespace immure::rootfs {
namespace {

constexpr std::string_view kCachePath = "/etc/ld.so.cache";
constexpr size_t kCacheLimit = 16u << 20, kPathFileLimit = 1u << 16;
constexpr size_t kMostFolders = 512;  // of one search: no real file names a tenth of that
constexpr std::string_view kMuslPrefix = "ld-musl-", kMuslSuffix = ".so.1";

// What distributions with folders a machine call it, and what $PLATFORM may be there, the usual one first.
struct Names {
  uint16_t machine;
  uint8_t bits;
  bool little;
  const char* triplet;
  const char* folder;  // where others put its libraries
  std::vector<std::string_view> platforms;
};

const std::vector<Names>& all_names() {
  static const std::vector<Names> kNames = {
      {EM_X86_64, 64, true, "x86_64-linux-gnu", "lib64", {"x86_64", "haswell", "xeon_phi"}},
      {EM_X86_64, 32, true, "x86_64-linux-gnux32", "libx32", {"x86_64", "haswell"}},
      {EM_386, 32, true, "i386-linux-gnu", "lib32", {"i686", "i586", "i486", "i386"}},
      {EM_AARCH64, 64, true, "aarch64-linux-gnu", "lib64", {"aarch64"}},
      {EM_ARM, 32, true, "arm-linux-gnueabihf", "lib", {"v7l", "v8l", "v6l"}},
      {EM_ARM, 32, true, "arm-linux-gnueabi", "lib", {"v7l", "v8l", "v6l"}},
      {EM_RISCV, 64, true, "riscv64-linux-gnu", "lib64", {}},
      {EM_PPC64, 64, true, "powerpc64le-linux-gnu", "lib64", {"power10", "power9", "power8"}},
      {EM_PPC64, 64, false, "powerpc64-linux-gnu", "lib64", {"power8", "power7"}},
      {EM_PPC, 32, false, "powerpc-linux-gnu", "lib", {}},
      {EM_S390, 64, false, "s390x-linux-gnu", "lib64", {"z16", "z15", "z14", "z13", "zEC12"}},
      {EM_MIPS, 64, true, "mips64el-linux-gnuabi64", "lib64", {}},
      {EM_MIPS, 32, true, "mipsel-linux-gnu", "lib", {}},
      {EM_SPARCV9, 64, false, "sparc64-linux-gnu", "lib64", {"sparcv9"}},
      {EM_68K, 32, false, "m68k-linux-gnu", "lib", {}},
      {EM_PARISC, 32, false, "hppa-linux-gnu", "lib", {}},
      {EM_SH, 32, true, "sh4-linux-gnu", "lib", {}},
      {EM_IA_64, 64, true, "ia64-linux-gnu", "lib", {}},
      {0x9026, 64, true, "alpha-linux-gnu", "lib", {}},
      {258, 64, true, "loongarch64-linux-gnu", "lib64", {}},
  };
  return kNames;
}

std::vector<const Names*> names_of(const Machine& machine) {
  std::vector<const Names*> found;
  for (const Names& names : all_names())
    if (names.machine == machine.number && names.bits == machine.bits && names.little == machine.little)
      found.push_back(&names);
  return found;
}

bool is_musl(std::string_view interpreter) { return path_name(interpreter).starts_with(kMuslPrefix); }

// Names that musl's loader takes for itself: all of the C library is in it.
bool is_musl_itself(std::string_view name) {
  constexpr std::string_view kOwn[] = {"libc", "libpthread", "librt", "libm", "libdl", "libutil", "libxnet"};
  const std::string_view stem = name.substr(0, name.find('.'));
  return stem.size() < name.size() && std::find(std::begin(kOwn), std::end(kOwn), stem) != std::end(kOwn);
}

// "/x/lib/ld-musl-x86_64.so.1" → "/x/etc/ld-musl-x86_64.path"
std::string musl_path_file(std::string_view interpreter) {
  std::string_view name = path_name(interpreter);
  if (!name.starts_with(kMuslPrefix) || !name.ends_with(kMuslSuffix)) return {};
  name.remove_suffix(kMuslSuffix.size());
  const std::string_view above = path_folder(path_folder(interpreter));
  return std::string(above == "/" ? "" : above) + "/etc/" + std::string(name) + ".path";
}

std::vector<std::string> absolute_parts(std::string_view list, std::string_view separators) {
  std::vector<std::string> found;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find_first_of(separators, at), list.size());
    // An empty part, or one without "/", is the folder that the program is started in, whichever that is.
    if (end > at && list[at] == '/') {
      // As it stands, ".." and all: what that leads to depends on links. Only the last "/" is too many.
      std::string_view part = list.substr(at, end - at);
      while (part.size() > 1 && part.ends_with('/')) part.remove_suffix(1);
      found.emplace_back(part);
    }
    at = end + 1;
  }
  return found;
}

// "libz.so.1" → "zlib1g" nobody can tell; but most packages keep to the rule: "libfoo.so.2" → "libfoo2".
std::string debian_package(std::string_view name) {
  constexpr std::string_view kLibc[] = {"libc",       "libm",      "libdl",  "librt",
                                        "libpthread", "libresolv", "libutil"};
  const size_t at = name.find(".so.");
  if (at == std::string_view::npos || at == 0 || !name.starts_with("lib")) return {};
  const std::string_view stem = name.substr(0, at), version = name.substr(at + 4);
  if (std::find(std::begin(kLibc), std::end(kLibc), stem) != std::end(kLibc)) return "libc6";
  std::string package(stem);
  if (package.back() >= '0' && package.back() <= '9') package += '-';
  package += version;
  for (char& c : package) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
    const bool known = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '+';
    if (!known) return {};
  }
  return package;
}

// The folder that a library is in, without what is for some processors only.
std::string_view plain_folder(std::string_view path) {
  const std::string_view folder = path_folder(path);
  return hwcaps_folder(path).empty() ? folder : path_folder(path_folder(folder));
}

// Where in a list of what this processor takes, best first, that folder is; behind it when nowhere.
size_t rank(const std::vector<std::string>& best_first, std::string_view folder) {
  return static_cast<size_t>(std::find(best_first.begin(), best_first.end(), folder) - best_first.begin());
}

}  // namespace

struct Libraries::Search {
  std::string_view name;
  Machine machine;
  Found found;
  std::vector<std::string> searched, foreign;
  std::vector<std::string> others;  // for processors other than this one, where there was none for this
};

Libraries::Libraries(const Source& source) : source_(source) {}

// A cache that cannot be read is none: so says the loader too.
const LoaderCache& Libraries::cache() {
  if (std::exchange(read_, true)) return cache_;
  auto trail = source_.walk(kCachePath);
  if (!trail) return cache_;
  if (auto bytes = source_.read_text(trail->path, kCacheLimit))
    if (auto parsed = LoaderCache::parse(*bytes)) cache_ = std::move(*parsed);
  return cache_;
}

const Result<Elf>& Libraries::elf(const std::string& path) {
  auto trail = source_.walk(path);
  if (trail) return elf_at(trail->path);
  return elfs_.insert_or_assign(path, tl::unexpected<Error>(std::move(trail.error()))).first->second;
}

const Result<Elf>& Libraries::elf_at(const std::string& path) {
  auto known = elfs_.find(path);
  if (known != elfs_.end()) return known->second;
  auto read = [&]() -> Result<Elf> {
    auto fd = source_.open_file(path);
    if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
    char first[SELFMAG] = {};
    const ssize_t size = pread(fd->get(), first, sizeof first, 0);
    if (size < 0) return fail(Code::kMissingSource, quoted(path) + " cannot be read", {}, {}, {}, errno);
    if (content_of({first, static_cast<size_t>(size)}) != Content::Elf)
      return fail(Code::kBadValue, quoted(path) + " is no ELF file", "a library of that name was looked for");
    return read_elf(fd->get(), path);
  };
  return elfs_.emplace(path, read()).first->second;
}

std::vector<std::string> Libraries::default_folders(const Machine& machine, bool musl) {
  if (musl) return {"/lib", "/usr/local/lib", "/usr/lib"};
  std::vector<std::string> folders;
  for (const Names* names : names_of(machine)) {
    folders.push_back("/lib/" + std::string(names->triplet));
    folders.push_back("/usr/lib/" + std::string(names->triplet));
  }
  for (const Names* names : names_of(machine)) {
    if (names->folder == std::string_view("lib")) continue;
    folders.push_back("/" + std::string(names->folder));
    folders.push_back("/usr/" + std::string(names->folder));
  }
  folders.insert(folders.end(), {"/lib", "/usr/lib"});
  return folders;
}

// A loader is built with the folder that it lies in, and the one of the same name below /usr. Debian's know
// /lib and /usr/lib besides.
const std::vector<std::string>& Libraries::own_folders(const Loading& loading) {
  auto [slot, added] = own_.try_emplace(machine_name(loading.machine) + ":" + loading.interpreter);
  std::vector<std::string>& folders = slot->second;
  if (!added) return folders;
  folders = default_folders(loading.machine, loading.musl);
  if (loading.musl) {
    auto file = source_.walk(musl_path_file(loading.interpreter));
    auto text = file ? source_.read_text(file->path, kPathFileLimit) : tl::unexpected<Error>(file.error());
    if (text) folders = absolute_parts(*text, ":\n");
    return folders;
  }
  auto loader = source_.walk(loading.interpreter);
  if (!loader) return folders;
  std::string folder(path_folder(loader->path));
  if (folder.starts_with("/usr/lib")) folder.erase(0, 4);
  if (!folder.starts_with("/lib")) return folders = {folder};
  folders = {folder, "/usr" + folder};
  if (folder != "/lib" && folder != "/lib64") folders.insert(folders.end(), {"/lib", "/usr/lib"});
  return folders;
}

// What is searched in a folder: "" is itself. First those that this machine takes, and how many these are.
const std::vector<std::string>& Libraries::subfolders(const std::string& folder, const Machine& machine) {
  auto [slot, added] = subfolders_.try_emplace(machine_name(machine) + ":" + folder);
  std::vector<std::string>& found = slot->second;
  if (!added) return found;
  found = {""};
  auto trail = source_.walk(folder + "/glibc-hwcaps");
  if (!trail || trail->look.kind != FileKind::Directory) return found;
  auto names = source_.names(trail->path);
  if (!names) return found;
  const std::vector<std::string> taken = processor_folders(machine);
  size_t front = 0;
  for (const std::string& best : taken)
    if (std::find(names->begin(), names->end(), best) != names->end())
      found.insert(found.begin() + static_cast<ptrdiff_t>(front++), "/glibc-hwcaps/" + best);
  for (const std::string& name : *names)
    if (rank(taken, name) == taken.size()) found.push_back("/glibc-hwcaps/" + name);
  return found;
}

std::string Libraries::expand(std::string_view text, std::string_view platform, const std::string& from,
                              const Loading& loading) {
  std::string out;
  while (!text.empty()) {
    const size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    auto eat = [&](std::string_view name) {
      const std::string curly = "${" + std::string(name) + "}", bare = "$" + std::string(name);
      const std::string& word = text.starts_with(curly) ? curly : bare;
      if (!text.starts_with(word)) return false;
      text.remove_prefix(word.size());
      return true;
    };
    if (eat("ORIGIN")) {
      const std::string_view folder = path_folder(from);
      out += folder == "/" && text.starts_with("/") ? "" : folder;
    } else if (loading.musl) {
      return {};  // musl takes no list that has another word in it
    } else if (eat("LIB")) {
      const std::vector<std::string>& own = own_folders(loading);
      out += own.front().starts_with("/lib") ? own.front().substr(1) : "lib";
    } else if (eat("PLATFORM")) {
      if (platform.empty()) return {};
      out += platform;
    } else {
      out += '$';
      text.remove_prefix(1);
    }
  }
  return out;
}

std::vector<std::string> Libraries::folders_of(std::string_view list, const std::string& from,
                                               const Loading& loading) {
  if (list.empty()) return {};
  if (loading.musl) return absolute_parts(expand(list, {}, from, loading), ":\n");
  std::vector<std::string_view> platforms = {""};
  auto names = names_of(loading.machine);
  if (!names.empty() && !names.front()->platforms.empty()) platforms = names.front()->platforms;
  std::vector<std::string> folders;
  for (std::string_view part : split(list, ':')) {
    const bool many = part.find("PLATFORM") != std::string_view::npos;
    for (size_t i = 0; i < (many ? platforms.size() : 1); ++i)
      for (std::string& folder : absolute_parts(expand(part, platforms[i], from, loading), ":"))
        folders.push_back(std::move(folder));
  }
  folders.resize(std::min(folders.size(), kMostFolders));
  return folders;
}

// Of the asker's own. DT_RUNPATH makes DT_RPATH void.
std::vector<std::string> Libraries::named_folders(const std::string& from, const Elf& elf,
                                                  const Loading& loading) {
  return folders_of(elf.runpath.empty() ? elf.rpath : elf.runpath, from, loading);
}

Loading Libraries::of_program(const std::string& path, const Elf& elf) {
  Loading loading;
  loading.program = path;
  loading.interpreter = elf.interpreter;
  loading.musl = is_musl(elf.interpreter);
  loading.machine = elf.machine;
  loading.loaded = std::make_shared<std::unordered_map<std::string, Found>>();
  return loading;
}

Loading Libraries::below(const Loading& above, const std::string& from, const Elf& elf) {
  Loading loading = above;
  if (!above.musl && !elf.runpath.empty()) return loading;
  std::vector<std::string> own = named_folders(from, elf, above);
  loading.rpaths.insert(loading.rpaths.begin(), own.begin(), own.end());
  loading.rpaths.resize(std::min(loading.rpaths.size(), kMostFolders));
  return loading;
}

// Whether there is a library for this machine. One for another is passed by, as the loader does; what is no
// library at all ends the loading.
Result<bool> Libraries::is_library(Search& search, const std::string& path) {
  auto trail = source_.walk(path);
  if (!trail || trail->look.kind != FileKind::File) return false;
  const Result<Elf>& read = elf_at(trail->path);
  if (!read) return tl::unexpected<Error>(read.error());
  if (read->machine == search.machine) return true;
  search.foreign.push_back(quoted(path) + " is for " + machine_name(read->machine));
  return false;
}

// Of the same library in variants, the first `usable` of which this machine could take: all that are there,
// when one is among them that it takes.
Result<bool> Libraries::take_first_usable(Search& search, const std::vector<std::string>& paths,
                                          size_t usable) {
  std::vector<std::string> mine, others;
  for (size_t i = 0; i < paths.size(); ++i) {
    auto is = is_library(search, paths[i]);
    if (!is) return is;
    if (*is) (i < usable ? mine : others).push_back(paths[i]);
  }
  search.others.insert(search.others.end(), others.begin(), others.end());
  if (mine.empty()) return false;
  search.found.paths = std::move(mine);
  search.found.paths.insert(search.found.paths.end(), search.others.begin(), search.others.end());
  return true;
}

Result<bool> Libraries::in_folders(Search& search, const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    search.searched.push_back(folder);
    if (!source_.exists(folder)) continue;
    std::vector<std::string> paths;
    size_t usable = 0;
    for (const std::string& below : subfolders(folder, search.machine)) {
      paths.push_back((folder == "/" ? "" : folder) + below + "/" + std::string(search.name));
      if (below.empty()) usable = paths.size();
    }
    auto taken = take_first_usable(search, paths, usable);
    if (!taken || *taken) return taken;
  }
  return false;
}

Result<bool> Libraries::in_cache(Search& search, const Loading& loading, bool without_own) {
  search.searched.emplace_back(kCachePath);
  const std::vector<std::string>& own = own_folders(loading);
  auto is_own = [&](const std::string& path) { return rank(own, plain_folder(path)) < own.size(); };
  std::vector<std::string> paths = cache().find(search.name, search.machine);
  if (without_own) paths.erase(std::remove_if(paths.begin(), paths.end(), is_own), paths.end());
  std::vector<std::string> order = processor_folders(search.machine);
  order.emplace_back();  // behind the best ones comes what is for all
  auto place = [&](const std::string& path) { return rank(order, hwcaps_folder(path)); };
  std::stable_sort(paths.begin(), paths.end(),
                   [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
  const auto usable = std::count_if(paths.begin(), paths.end(),
                                    [&](const std::string& path) { return place(path) < order.size(); });
  auto taken = take_first_usable(search, paths, static_cast<size_t>(usable));
  if (taken && *taken)
    search.found.by_default = std::all_of(search.found.paths.begin(), search.found.paths.end(), is_own);
  return taken;
}

Result<bool> Libraries::run(Search& search, const std::string& from, const Elf& elf, const Loading& loading) {
  search.found.by_default = true;
  auto found = in_folders(search, named_folders(from, elf, loading));
  if (!found || *found) return found;
  // Who has a DT_RUNPATH does not look where those above do; musl makes no difference.
  if (loading.musl || elf.runpath.empty()) found = in_folders(search, loading.rpaths);
  if (!found || *found) return found;
  if (!loading.musl) found = in_cache(search, loading, elf.no_default_libraries);
  if (!found || *found) return found;
  search.found.by_default = true;
  if (!loading.musl && elf.no_default_libraries) return false;
  return in_folders(search, own_folders(loading));
}

Result<Found> Libraries::find(std::string_view name, const std::string& from, const Elf& elf,
                              const Loading& loading) {
  const std::string wanted(name);
  if (loading.loaded)
    if (auto known = loading.loaded->find(wanted); known != loading.loaded->end()) return known->second;
  if (!loading.interpreter.empty() &&
      (name == path_name(loading.interpreter) || (loading.musl && is_musl_itself(name))))
    return Found{{loading.interpreter}, true};

  Search search;
  search.name = name;
  search.machine = elf.machine;
  Result<bool> found = false;
  if (name.find('/') == std::string_view::npos) {
    if (!name.empty() && name != "." && name != "..") found = run(search, from, elf, loading);
  } else if (std::string path = expand(name, {}, from, loading); path.starts_with("/")) {
    search.found.by_default = true;
    search.searched.push_back(path);
    found = take_first_usable(search, {path}, 1);
  }
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  if (!*found) {
    std::string package = debian_package(name);
    constexpr size_t kShown = 12;
    for (std::string& folder : search.searched) folder = quoted(folder);
    if (search.searched.size() > kShown) search.searched[kShown] = "…";
    search.searched.resize(std::min(search.searched.size(), kShown + 1));
    std::string why = search.searched.empty() ? "it is a name that no loader finds everywhere"
                                              : "searched: " + join(search.searched, ", ");
    for (const std::string& foreign : search.foreign) why += "; " + foreign;
    return fail(Code::kMissingSource,
                quoted(name) + ", a library that " + quoted(from) + " needs, is not there", std::move(why),
                package.empty() ? "install the package that has it"
                                : "install the package that has it: by Debian's rule for names " + package,
                {}, ENOENT);
  }
  if (loading.loaded) {
    const Result<Elf>& taken = this->elf(search.found.paths.front());
    if (taken && !taken->soname.empty()) loading.loaded->try_emplace(taken->soname, search.found);
    loading.loaded->try_emplace(wanted, search.found);
  }
  return std::move(search.found);
}

}  // namespace immure::rootfs

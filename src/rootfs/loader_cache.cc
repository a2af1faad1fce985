#include "rootfs/loader_cache.h"

#include <elf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "base/path.h"

namespace immure::rootfs {
namespace {

// The two layouts. Old: a magic of 11 bytes and one of padding, the number of entries, entries of 12 bytes,
// names counted from behind them. New: see below, names counted from its beginning.
constexpr std::string_view kOldMagic = "ld.so-1.7.0", kNewMagic = "glibc-ld.so.cache1.1";
constexpr size_t kOldHead = 16, kOldEntry = 12, kNewHead = 48, kNewEntry = 24;
constexpr size_t kNumberAt = 20, kOrderAt = 28;  // in the new head
constexpr uint8_t kOrderMask = 3, kOrderUnset = 0, kOrderLittle = 2, kOrderBig = 3;
constexpr bool kHostIsLittle = std::endian::native == std::endian::little;
// An entry for a folder of glibc-hwcaps: the low word is the folder's number in the table of the extension.
constexpr uint64_t kByFolder = uint64_t{1} << 62;
constexpr uint32_t kExtensionMagic = 0xeaa42174, kFoldersTag = 1;

constexpr size_t kLongestName = 4096;
constexpr size_t kMostOfAName = 64;      // libraries of one name: a few for kinds of processors
constexpr size_t kMostText = 64u << 20;  // names may overlap: few bytes can be many long names

constexpr uint32_t kLibc6 = 3;

struct Abi {
  uint16_t machine;
  uint8_t bits;
  uint32_t flags;
};
// The first row of a machine is what cache_flags() says, the others are its libraries too: a machine of ours
// does not tell how floating point is passed.
constexpr Abi kAbis[] = {
    {EM_X86_64, 64, 0x0300 | kLibc6},
    {EM_X86_64, 32, 0x0800 | kLibc6},
    {EM_386, 32, kLibc6},
    {EM_AARCH64, 64, 0x0a00 | kLibc6},
    {EM_ARM, 32, 0x0900 | kLibc6},
    {EM_ARM, 32, 0x0b00 | kLibc6},
    {EM_ARM, 32, kLibc6},
    {EM_RISCV, 64, 0x1000 | kLibc6},
    {EM_RISCV, 64, 0x0f00 | kLibc6},
    {EM_PPC64, 64, 0x0500 | kLibc6},
    {EM_PPC, 32, kLibc6},
    {EM_S390, 64, 0x0400 | kLibc6},
    {EM_S390, 32, kLibc6},
    {EM_SPARCV9, 64, 0x0100 | kLibc6},
    {EM_SPARC, 32, kLibc6},
    {EM_IA_64, 64, 0x0200 | kLibc6},
    {EM_MIPS, 32, kLibc6},
    {EM_MIPS, 32, 0x0600 | kLibc6},
    {EM_MIPS, 32, 0x0c00 | kLibc6},
    {EM_MIPS, 32, 0x0d00 | kLibc6},
    {EM_MIPS, 64, 0x0700 | kLibc6},
    {EM_MIPS, 64, 0x0e00 | kLibc6},
    {EM_68K, 32, kLibc6},
    {EM_PARISC, 32, kLibc6},
    {EM_SH, 32, kLibc6},
    {0x9026, 64, kLibc6},
    {258, 64, 0x1200 | kLibc6},
    {258, 64, 0x1100 | kLibc6},
};

tl::unexpected<Error> bad(const char* why) {
  return fail(Code::kBadValue, "the cache of the loader cannot be read", why, "ldconfig writes it anew");
}

// Numbers of a part of the bytes, in the order that it was written in.
class Numbers {
 public:
  Numbers(std::string_view bytes, bool little) : bytes_(bytes), swap_(little != kHostIsLittle) {}
  uint32_t word(size_t at) const {
    uint32_t value = 0;
    memcpy(&value, bytes_.data() + at, sizeof value);
    return swap_ ? __builtin_bswap32(value) : value;
  }
  uint64_t twin(size_t at) const {
    uint64_t value = 0;
    memcpy(&value, bytes_.data() + at, sizeof value);
    return swap_ ? __builtin_bswap64(value) : value;
  }

 private:
  std::string_view bytes_;
  bool swap_;
};

// Names out of one table, with a bound on all of them together.
class Texts {
 public:
  explicit Texts(std::string_view bytes) : bytes_(bytes) {}
  std::optional<std::string> at(uint64_t offset) {
    if (offset >= bytes_.size()) return std::nullopt;
    std::string_view rest = bytes_.substr(offset, kLongestName);
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos || (taken_ += end) > kMostText) return std::nullopt;
    return std::string(rest.substr(0, end));
  }

 private:
  std::string_view bytes_;
  size_t taken_ = 0;
};

Result<std::vector<CachedLibrary>> parse_entries(std::string_view entries, size_t one, uint32_t number,
                                                 std::string_view texts, bool little) {
  if (number > entries.size() / one) return bad("it has fewer entries than it says");
  Numbers numbers(entries, little);
  Texts names(texts);
  std::vector<CachedLibrary> found;
  found.reserve(number);
  for (size_t i = 0; i < number; ++i) {
    const size_t at = i * one;
    auto name = names.at(numbers.word(at + 4));
    auto path = names.at(numbers.word(at + 8));
    if (!name || !path) return bad("a name in it is outside, or has no end");
    CachedLibrary library{std::move(*name), std::move(*path), numbers.word(at), 0};
    if (one == kNewEntry) library.hwcap = numbers.twin(at + 16);
    found.push_back(std::move(library));
  }
  return found;
}

Result<std::vector<CachedLibrary>> parse_new(std::string_view bytes) {
  if (bytes.size() < kNewHead) return bad("its head is cut");
  const uint8_t order = static_cast<uint8_t>(bytes[kOrderAt]) & kOrderMask;
  if (order != kOrderUnset && order != kOrderLittle && order != kOrderBig)
    return bad("its byte order is none");
  const bool little = order == kOrderUnset ? kHostIsLittle : order == kOrderLittle;
  const uint32_t number = Numbers(bytes, little).word(kNumberAt);
  return parse_entries(bytes.substr(kNewHead), kNewEntry, number, bytes, little);
}

Result<std::vector<CachedLibrary>> parse_old(std::string_view bytes) {
  if (bytes.size() < kOldHead) return bad("its head is cut");
  const uint32_t number = Numbers(bytes, kHostIsLittle).word(kOldHead - 4);
  if (number > (bytes.size() - kOldHead) / kOldEntry) return bad("it has fewer entries than it says");
  const size_t end = kOldHead + number * kOldEntry;
  // The new one begins where its widest number may: that depends on the machine.
  for (size_t align : {8u, 4u}) {
    const size_t at = (end + align - 1) / align * align;
    if (at < bytes.size() && bytes.substr(at).starts_with(kNewMagic)) return parse_new(bytes.substr(at));
  }
  return parse_entries(bytes.substr(kOldHead), kOldEntry, number, bytes.substr(end), kHostIsLittle);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The loader finds a name by halving, so this has to be its order to the letter: numbers by their value, and
// behind all that is none. Their values wrap as its own do.
int loader_order(std::string_view a, std::string_view b) {
  auto at = [](std::string_view text, size_t i) { return i < text.size() ? text[i] : '\0'; };
  auto number = [&](std::string_view text, size_t& i) {
    uint32_t value = 0;
    for (; is_digit(at(text, i)); ++i) value = value * 10 + static_cast<uint32_t>(text[i] - '0');
    return static_cast<int32_t>(value);
  };
  size_t i = 0, j = 0;
  while (i < a.size()) {
    const char one = a[i], two = at(b, j);
    if (is_digit(one) != is_digit(two)) return is_digit(one) ? 1 : -1;
    if (is_digit(one)) {
      const int32_t first = number(a, i), second = number(b, j);
      if (first != second) return first < second ? -1 : 1;
    } else if (one != two) {
      return static_cast<signed char>(one) < static_cast<signed char>(two) ? -1 : 1;
    } else {
      ++i, ++j;
    }
  }
  return j < b.size() ? -1 : 0;
}

bool comes_before(const CachedLibrary& a, const CachedLibrary& b) {
  if (int order = loader_order(a.name, b.name); order != 0) return order > 0;
  if (a.name != b.name) return a.name > b.name;
  if (a.flags != b.flags) return a.flags > b.flags;
  // The loader stops at the first entry that is for no kind of processor.
  const std::string_view folder = hwcaps_folder(a.path), other = hwcaps_folder(b.path);
  if (folder.empty() != other.empty()) return !folder.empty();
  if (folder != other) return folder < other;
  if (a.hwcap != b.hwcap) return a.hwcap > b.hwcap;
  return a.path < b.path;
}

// Builds the bytes; every text once.
class Writer {
 public:
  explicit Writer(std::span<const CachedLibrary> libraries) : libraries_(libraries) {
    std::set<std::string_view> folders;
    for (const CachedLibrary& library : libraries_)
      if (std::string_view folder = hwcaps_folder(library.path); !folder.empty()) folders.insert(folder);
    for (std::string_view folder : folders) folder_numbers_.emplace(folder, folder_numbers_.size());
  }

  std::string bytes() {
    base_ = kNewHead + libraries_.size() * kNewEntry;
    std::string entries;
    for (const CachedLibrary& library : libraries_) {
      std::string_view folder = hwcaps_folder(library.path);
      uint64_t hwcap = folder.empty() ? library.hwcap : kByFolder | folder_numbers_[folder];
      number(entries, library.flags);
      number(entries, text(library.name));
      number(entries, text(library.path));
      number(entries, uint32_t{0});  // the kernel's version, which no loader reads any more
      number(entries, hwcap);
    }
    std::vector<uint32_t> folders;
    for (const auto& [folder, index] : folder_numbers_) folders.push_back(text(folder));
    std::string head(kNewMagic);
    number(head, static_cast<uint32_t>(libraries_.size()));
    number(head, static_cast<uint32_t>(texts_.size()));
    head += static_cast<char>(kHostIsLittle ? kOrderLittle : kOrderBig);
    head.append(3, '\0');
    while ((base_ + texts_.size()) % sizeof(uint32_t) != 0) texts_ += '\0';
    const size_t end = base_ + texts_.size();
    number(head, static_cast<uint32_t>(folders.empty() ? 0 : end));
    head.resize(kNewHead, '\0');
    return head + entries + texts_ + (folders.empty() ? std::string() : extension(end, folders));
  }

 private:
  template <class Number>
  static void number(std::string& out, Number value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  // A directory of one section, and the section: where the names of the folders stand.
  static std::string extension(size_t at, const std::vector<uint32_t>& folders) {
    constexpr size_t kDirectory = 8, kSection = 16;
    std::string out;
    number(out, kExtensionMagic);
    number(out, uint32_t{1});
    number(out, kFoldersTag);
    number(out, uint32_t{0});
    number(out, static_cast<uint32_t>(at + kDirectory + kSection));
    number(out, static_cast<uint32_t>(folders.size() * sizeof(uint32_t)));
    for (uint32_t folder : folders) number(out, folder);
    return out;
  }

  uint32_t text(std::string_view value) {
    auto [place, added] =
        places_.try_emplace(std::string(value), static_cast<uint32_t>(base_ + texts_.size()));
    if (added) texts_.append(value) += '\0';
    return place->second;
  }

  std::span<const CachedLibrary> libraries_;
  std::map<std::string_view, uint64_t> folder_numbers_;  // in their order, which the loader relies on
  std::map<std::string, uint32_t> places_;
  std::string texts_;
  size_t base_ = 0;
};

}  // namespace

std::string_view hwcaps_folder(std::string_view path) {
  constexpr std::string_view kAbove = "/glibc-hwcaps/";
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view folder = path.substr(0, slash);
  const size_t at = folder.rfind('/');
  if (at == std::string_view::npos || !folder.substr(0, at + 1).ends_with(kAbove)) return {};
  return folder.substr(at + 1);
}

Result<LoaderCache> LoaderCache::parse(std::string_view bytes) {
  const bool is_new = bytes.starts_with(kNewMagic);
  if (!is_new && !bytes.starts_with(kOldMagic)) return bad("it begins as no cache does");
  auto entries = is_new ? parse_new(bytes) : parse_old(bytes);
  if (!entries) return tl::unexpected<Error>(std::move(entries.error()));
  LoaderCache cache;
  cache.entries_ = std::move(*entries);
  std::stable_sort(cache.entries_.begin(), cache.entries_.end(),
                   [](const CachedLibrary& a, const CachedLibrary& b) { return a.name < b.name; });
  return cache;
}

std::vector<std::string> LoaderCache::find(std::string_view name, const Machine& machine) const {
  std::vector<std::string> paths;
  auto entry =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const CachedLibrary& a, std::string_view wanted) { return a.name < wanted; });
  for (; entry != entries_.end() && entry->name == name && paths.size() < kMostOfAName; ++entry)
    for (const Abi& abi : kAbis)
      if (abi.machine == machine.number && abi.bits == machine.bits && abi.flags == entry->flags) {
        if (std::find(paths.begin(), paths.end(), entry->path) == paths.end()) paths.push_back(entry->path);
        break;
      }
  return paths;
}

std::string write_loader_cache(std::vector<CachedLibrary> libraries) {
  // What such a number means stands in another cache; the folder's name in the path says it.
  for (CachedLibrary& library : libraries)
    if ((library.hwcap & kByFolder) != 0 || !hwcaps_folder(library.path).empty()) library.hwcap = 0;
  std::sort(libraries.begin(), libraries.end(), comes_before);
  auto same = [](const CachedLibrary& a, const CachedLibrary& b) {
    return a.name == b.name && a.path == b.path && a.flags == b.flags && a.hwcap == b.hwcap;
  };
  libraries.erase(std::unique(libraries.begin(), libraries.end(), same), libraries.end());
  return Writer(libraries).bytes();
}

uint32_t cache_flags(const Machine& machine) {
  for (const Abi& abi : kAbis)
    if (abi.machine == machine.number && abi.bits == machine.bits) return abi.flags;
  return 0;
}

}  // namespace immure::rootfs

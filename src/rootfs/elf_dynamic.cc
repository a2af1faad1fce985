#include "rootfs/elf_dynamic.h"

#include <elf.h>
#include <libelf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace immure::rootfs {
namespace {

// What no real file comes near; a hostile one shall not take the memory or the time. The largest that Debian
// has are some 80,000 symbols and 8 MB of names.
constexpr size_t kMostDynamic = 1 << 16;
constexpr size_t kMostNeeded = 4096;
constexpr size_t kLongestName = 4096;
constexpr size_t kLongestFolders = 1 << 16;
constexpr uint64_t kMostStrings = 64u << 20;
constexpr uint64_t kMostSymbols = 2u << 20;
constexpr uint64_t kMostRelocations = 4u << 20;

// The tables of the dynamic section, by address.
struct Tables {
  std::optional<uint64_t> strings, symbols, hash, gnu_hash, mips_number;
  uint64_t strings_size = 0;
  struct Relocations {
    std::optional<uint64_t> address;
    uint64_t size = 0;
    bool addend = false;
  };
  Relocations rel, rela{{}, 0, true}, plt;
};

uint32_t word(const Elf_Data* data, size_t index) { return static_cast<const uint32_t*>(data->d_buf)[index]; }

class Dynamic {
 public:
  Dynamic(const ElfImage& image, Elf& out, std::string& flaw) : image_(image), out_(out), flaw_(flaw) {}

  bool read(bool& pie) {
    return read_entries(pie) && read_strings() && read_names() && (!tables_.symbols || read_imports());
  }

 private:
  bool bad(const char* why) {
    flaw_ = why;
    return false;
  }

  bool read_entries(bool& pie) {
    const size_t one = gelf_fsize(image_.elf, ELF_T_DYN, 1, EV_CURRENT);
    const uint64_t number = image_.dynamic->p_filesz / one;
    if (number > kMostDynamic) return bad("its dynamic section has more entries than one can have");
    if (number == 0) return true;
    Elf_Data* data = image_.data(image_.dynamic->p_offset, number * one, ELF_T_DYN);
    if (data == nullptr) return bad("its dynamic section is outside of the file");
    GElf_Dyn entry;
    for (size_t i = 0; i < number; ++i) {
      if (gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr)
        return bad("its dynamic section is not whole");
      if (entry.d_tag == DT_NULL) break;
      switch (entry.d_tag) {
        case DT_NEEDED: needed_.push_back(entry.d_un.d_val); break;
        case DT_SONAME: soname_ = entry.d_un.d_val; break;
        case DT_RPATH: rpath_ = entry.d_un.d_val; break;
        case DT_RUNPATH: runpath_ = entry.d_un.d_val; break;
        case DT_STRTAB: tables_.strings = entry.d_un.d_ptr; break;
        case DT_STRSZ: tables_.strings_size = entry.d_un.d_val; break;
        case DT_SYMTAB: tables_.symbols = entry.d_un.d_ptr; break;
        case DT_HASH: tables_.hash = entry.d_un.d_ptr; break;
        case DT_GNU_HASH: tables_.gnu_hash = entry.d_un.d_ptr; break;
        case DT_REL: tables_.rel.address = entry.d_un.d_ptr; break;
        case DT_RELSZ: tables_.rel.size = entry.d_un.d_val; break;
        case DT_RELA: tables_.rela.address = entry.d_un.d_ptr; break;
        case DT_RELASZ: tables_.rela.size = entry.d_un.d_val; break;
        case DT_JMPREL: tables_.plt.address = entry.d_un.d_ptr; break;
        case DT_PLTRELSZ: tables_.plt.size = entry.d_un.d_val; break;
        case DT_PLTREL: tables_.plt.addend = entry.d_un.d_val == DT_RELA; break;
        case DT_MIPS_SYMTABNO:
          if (image_.machine.number == EM_MIPS) tables_.mips_number = entry.d_un.d_val;
          break;
        case DT_FLAGS_1:
          out_.no_default_libraries = (entry.d_un.d_val & DF_1_NODEFLIB) != 0;
          pie = (entry.d_un.d_val & DF_1_PIE) != 0;
          break;
        default: break;
      }
    }
    if (needed_.size() > kMostNeeded) return bad("it needs more than 4,096 libraries");
    return true;
  }

  bool read_strings() {
    if (!tables_.strings) return true;
    auto place = image_.place(*tables_.strings);
    if (!place || tables_.strings_size > place->left) return bad("its table of names is outside of the file");
    if (tables_.strings_size > kMostStrings) return bad("its table of names is larger than one can be");
    if (tables_.strings_size == 0) return true;
    Elf_Data* data = image_.data(place->offset, tables_.strings_size, ELF_T_BYTE);
    if (data == nullptr) return bad("its table of names is outside of the file");
    strings_ = {static_cast<const char*>(data->d_buf), data->d_size};
    return true;
  }

  // The name at that offset of the table; nothing when it has no end within it, or is longer than `most`.
  std::optional<std::string_view> name(uint64_t offset, size_t most) const {
    if (offset >= strings_.size()) return std::nullopt;
    std::string_view rest = strings_.substr(offset, most);
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    return rest.substr(0, end);
  }

  bool take(const std::optional<uint64_t>& offset, size_t most, std::string& into) {
    if (!offset) return true;
    auto text = name(*offset, most);
    if (!text) return bad("a name of its dynamic section has no end");
    into = *text;
    return true;
  }

  bool read_names() {
    out_.needed.resize(needed_.size());
    for (size_t i = 0; i < needed_.size(); ++i)
      if (!take(needed_[i], kLongestName, out_.needed[i])) return false;
    return take(soname_, kLongestName, out_.soname) && take(rpath_, kLongestFolders, out_.rpath) &&
           take(runpath_, kLongestFolders, out_.runpath);
  }

  // How many symbols there are is said by the tables for looking them up only; and where nothing can be
  // looked up, since a program offers nothing, by who uses them. Nothing: a table is not whole.
  std::optional<uint64_t> number_of_symbols() const {
    if (tables_.mips_number) return tables_.mips_number;
    if (tables_.hash) return by_hash(*tables_.hash);
    auto number = tables_.gnu_hash ? by_gnu_hash(*tables_.gnu_hash) : 0;
    if (!number || *number > 0) return number;
    uint64_t last = 0;
    for (const Tables::Relocations* table : {&tables_.rel, &tables_.rela, &tables_.plt})
      if (table->address && table->size != 0 && !by_relocations(*table, last)) return std::nullopt;
    return last == 0 ? 0 : last + 1;
  }

  bool by_relocations(const Tables::Relocations& table, uint64_t& last) const {
    const Elf_Type type = table.addend ? ELF_T_RELA : ELF_T_REL;
    const size_t one = gelf_fsize(image_.elf, type, 1, EV_CURRENT);
    const uint64_t number = table.size / one;
    auto place = image_.place(*table.address);
    if (!place || table.size > place->left || number > kMostRelocations) return false;
    Elf_Data* data = number == 0 ? nullptr : image_.data(place->offset, number * one, type);
    if (data == nullptr) return number == 0;
    GElf_Rela with{};
    GElf_Rel without{};
    for (size_t i = 0; i < number; ++i) {
      const int index = static_cast<int>(i);
      if (table.addend ? gelf_getrela(data, index, &with) == nullptr
                       : gelf_getrel(data, index, &without) == nullptr)
        return false;
      last = std::max<uint64_t>(last, GELF_R_SYM(table.addend ? with.r_info : without.r_info));
    }
    return true;
  }

  std::optional<uint64_t> by_hash(uint64_t address) const {
    auto place = image_.place(address);
    if (!place) return std::nullopt;
    // Two machines have words of eight bytes there.
    const bool wide =
        image_.machine.bits == 64 && (image_.machine.number == EM_S390 || image_.machine.number == 0x9026);
    Elf_Data* head = image_.data(place->offset, wide ? 16 : 8, wide ? ELF_T_XWORD : ELF_T_WORD);
    if (head == nullptr) return std::nullopt;
    return wide ? static_cast<const uint64_t*>(head->d_buf)[1] : word(head, 1);
  }

  // The last symbol is the end of the chain that begins last. 0: there is no chain, and the place where they
  // would begin says nothing then.
  std::optional<uint64_t> by_gnu_hash(uint64_t address) const {
    constexpr uint64_t kHead = 16, kWord = 4;
    auto place = image_.place(address);
    if (!place || place->left < kHead) return std::nullopt;
    Elf_Data* head = image_.data(place->offset, kHead, ELF_T_WORD);
    if (head == nullptr) return std::nullopt;
    const uint64_t buckets = word(head, 0), first = word(head, 1);
    const uint64_t bloom = word(head, 2) * uint64_t{image_.machine.bits / 8u};
    if (buckets > kMostSymbols || first > kMostSymbols) return std::nullopt;
    uint64_t at = kHead + bloom, last = 0;
    if (at > place->left || buckets * kWord > place->left - at) return std::nullopt;
    if (buckets == 0) return 0;
    Elf_Data* heads = image_.data(place->offset + at, buckets * kWord, ELF_T_WORD);
    if (heads == nullptr) return std::nullopt;
    for (size_t i = 0; i < buckets; ++i) last = std::max<uint64_t>(last, word(heads, i));
    if (last < first || last == 0) return 0;
    at += buckets * kWord + (last - first) * kWord;
    constexpr uint64_t kAtOnce = 256;
    while (last < kMostSymbols && at < place->left) {
      const uint64_t count = std::min(kAtOnce, (place->left - at) / kWord);
      Elf_Data* chain = count == 0 ? nullptr : image_.data(place->offset + at, count * kWord, ELF_T_WORD);
      if (chain == nullptr) return std::nullopt;
      for (size_t i = 0; i < count; ++i, ++last)
        if (word(chain, i) & 1) return last + 1;
      at += count * kWord;
    }
    return std::nullopt;
  }

  bool read_imports() {
    auto number = number_of_symbols();
    if (!number) return bad("its table for looking up symbols is not whole");
    if (*number > kMostSymbols) return bad("it has more symbols than a file can have");
    if (*number == 0) return true;
    auto place = image_.place(*tables_.symbols);
    const uint64_t size = *number * gelf_fsize(image_.elf, ELF_T_SYM, 1, EV_CURRENT);
    Elf_Data* data = place && size <= place->left ? image_.data(place->offset, size, ELF_T_SYM) : nullptr;
    if (data == nullptr) return bad("its table of symbols is outside of the file");
    GElf_Sym symbol;
    uint64_t total = 0;  // names may overlap: few bytes can be many long names
    for (size_t i = 1; i < *number; ++i) {
      if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr)
        return bad("its table of symbols is not whole");
      if (symbol.st_shndx != SHN_UNDEF || symbol.st_name == 0) continue;
      auto text = name(symbol.st_name, kMostStrings);
      if (!text) return bad("the name of a symbol has no end");
      total += text->size();
      if (total > kMostStrings) return bad("the names of its symbols are longer than they can be");
      if (!text->empty()) out_.imports.emplace_back(*text);
    }
    std::sort(out_.imports.begin(), out_.imports.end());
    out_.imports.erase(std::unique(out_.imports.begin(), out_.imports.end()), out_.imports.end());
    auto imports = [&](const char* function) {
      return std::binary_search(out_.imports.begin(), out_.imports.end(), function);
    };
    out_.calls_dlopen = imports("dlopen") || imports("dlmopen");
    return true;
  }

  const ElfImage& image_;
  Elf& out_;
  std::string& flaw_;
  Tables tables_;
  std::vector<uint64_t> needed_;
  std::optional<uint64_t> soname_, rpath_, runpath_;
  std::string_view strings_;
};

}  // namespace

std::optional<std::string> ElfImage::bytes(uint64_t offset, uint64_t size) const {
  const Elf_Data* all = data(offset, size, ELF_T_BYTE);
  if (all == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(all->d_buf), all->d_size);
}

Elf_Data* ElfImage::data(uint64_t offset, uint64_t size, Elf_Type type) const {
  if (offset > INT64_MAX || size > INT64_MAX) return nullptr;
  Elf_Data* all = elf_getdata_rawchunk(elf, static_cast<int64_t>(offset), size, type);
  return all != nullptr && all->d_buf != nullptr && all->d_size == size ? all : nullptr;
}

std::optional<ElfImage::Place> ElfImage::place(uint64_t address) const {
  for (const GElf_Phdr& load : loads)
    if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz) {
      const uint64_t in = address - load.p_vaddr;
      if (load.p_offset > INT64_MAX - in) return std::nullopt;
      return Place{load.p_offset + in, load.p_filesz - in};
    }
  return std::nullopt;
}

bool read_dynamic(const ElfImage& image, Elf& out, bool& pie, std::string& flaw) {
  return Dynamic(image, out, flaw).read(pie);
}

}  // namespace immure::rootfs

// ELF files made byte by byte, of any class and byte order: what no compiler of this machine makes.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "rootfs/elf.h"
#include "support/files.h"

namespace immure::rootfs {

enum class MadeHash : uint8_t { Gnu, SystemV, None };

struct Made {
  uint8_t bits = 64;
  uint16_t machine = EM_X86_64;
  bool little = true;
  uint16_t type = ET_DYN;
  std::string interpreter = {};
  std::string soname = {};
  std::vector<std::string> needed = {};
  std::string rpath = {}, runpath = {};
  bool no_default = false, pie = false;
  std::vector<std::string> imports = {}, exports = {};
  MadeHash hash = MadeHash::Gnu;
  uint64_t base = 0x10000;  // the address of the first byte
};

using TempFolder = test::TempDir;
inline Machine host() { return {EM_X86_64, 64, true}; }

class ElfMaker {
 public:
  explicit ElfMaker(const Made& made) : made_(made), wide_(made.bits == 64) {}

  std::string bytes() {
    const size_t head = wide_ ? 64 : 52, entry = wide_ ? 56 : 32, headers = 3;
    out_.assign(head + headers * entry, '\0');
    const size_t interpreter = out_.size();
    out_ += made_.interpreter + '\0';
    strings_ = std::string(1, '\0');
    std::vector<std::pair<uint64_t, uint64_t>> dynamic = name_entries();
    const size_t symbols = put_symbols();
    align();
    const size_t hash = out_.size();
    if (made_.hash == MadeHash::Gnu) put_gnu_hash();
    if (made_.hash == MadeHash::SystemV) put_system_v_hash();
    const size_t strings = out_.size();
    out_ += strings_;
    align();
    dynamic.insert(
        dynamic.end(),
        {{DT_STRTAB, made_.base + strings}, {DT_STRSZ, strings_.size()}, {DT_SYMTAB, made_.base + symbols}});
    if (made_.hash == MadeHash::Gnu) dynamic.emplace_back(DT_GNU_HASH, made_.base + hash);
    if (made_.hash == MadeHash::SystemV) dynamic.emplace_back(DT_HASH, made_.base + hash);
    dynamic.emplace_back(DT_NULL, 0);
    const size_t section = out_.size();
    for (auto [tag, value] : dynamic) address(tag), address(value);
    const size_t end = out_.size();

    put_head(head, entry, headers);
    at_ = head;
    segment(made_.interpreter.empty() ? PT_NULL : PT_INTERP, interpreter, made_.interpreter.size() + 1);
    segment(PT_LOAD, 0, end);
    segment(PT_DYNAMIC, section, end - section);
    return out_;
  }

 private:
  // Writes behind what is there; or over it, once at_ is set.
  void number(uint64_t value, size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i)
      text[made_.little ? i : size - 1 - i] = static_cast<char>(value >> (8 * i));
    if (at_ == std::string::npos) {
      out_ += text;
    } else {
      out_.replace(at_, size, text);
      at_ += size;
    }
  }
  void half(uint64_t value) { number(value, 2); }
  void word(uint64_t value) { number(value, 4); }
  void address(uint64_t value) { number(value, wide_ ? 8 : 4); }
  void align() { out_.resize((out_.size() + 7) / 8 * 8, '\0'); }
  uint32_t string(const std::string& text) {
    const auto at = static_cast<uint32_t>(strings_.size());
    strings_ += text + '\0';
    return at;
  }

  std::vector<std::pair<uint64_t, uint64_t>> name_entries() {
    std::vector<std::pair<uint64_t, uint64_t>> entries;
    for (const std::string& name : made_.needed) entries.emplace_back(DT_NEEDED, string(name));
    if (!made_.soname.empty()) entries.emplace_back(DT_SONAME, string(made_.soname));
    if (!made_.rpath.empty()) entries.emplace_back(DT_RPATH, string(made_.rpath));
    if (!made_.runpath.empty()) entries.emplace_back(DT_RUNPATH, string(made_.runpath));
    const uint64_t flags = (made_.no_default ? DF_1_NODEFLIB : 0) | (made_.pie ? DF_1_PIE : 0);
    if (flags != 0) entries.emplace_back(DT_FLAGS_1, flags);
    return entries;
  }

  void symbol(uint32_t name, uint16_t section) {
    constexpr uint8_t kGlobalFunction = 1 << 4 | 2;
    word(name);
    if (wide_) number(kGlobalFunction, 1), number(0, 1), half(section), address(0), address(0);
    if (!wide_) address(0), word(0), number(kGlobalFunction, 1), number(0, 1), half(section);
  }

  size_t put_symbols() {
    align();
    const size_t at = out_.size();
    symbol(0, 0);
    for (const std::string& name : made_.imports) symbol(string(name), SHN_UNDEF);
    for (const std::string& name : made_.exports) symbol(string(name), 1);
    return at;
  }

  // One bucket, one word of the filter; the values are not looked at but for the bit that ends the chain.
  void put_gnu_hash() {
    const size_t first = 1 + made_.imports.size(), number_of = made_.exports.size();
    word(1), word(first), word(1), word(0), address(0);
    word(number_of == 0 ? 0 : first);
    for (size_t i = 0; i < number_of; ++i) word(i + 1 == number_of ? 1 : 2);
  }
  void put_system_v_hash() {
    const size_t count = 1 + made_.imports.size() + made_.exports.size();
    const bool wide = wide_ && made_.machine == EM_S390;
    for (size_t i = 0; i < 3 + count; ++i) number(i == 0 ? 1 : i == 1 ? count : 0, wide ? 8 : 4);
  }

  void put_head(size_t head, size_t entry, size_t headers) {
    at_ = 0;
    for (char c : std::string(ELFMAG)) number(static_cast<uint8_t>(c), 1);
    number(wide_ ? ELFCLASS64 : ELFCLASS32, 1), number(made_.little ? ELFDATA2LSB : ELFDATA2MSB, 1);
    number(EV_CURRENT, 1);
    at_ = EI_NIDENT;
    half(made_.type), half(made_.machine), word(EV_CURRENT);
    address(0), address(head), address(0), word(0);
    half(head), half(entry), half(headers), half(0), half(0), half(0);
  }

  void segment(uint32_t type, uint64_t offset, uint64_t size) {
    word(type);
    if (wide_) word(PF_R);
    address(offset), address(made_.base + offset), address(made_.base + offset), address(size), address(size);
    if (!wide_) word(PF_R);
    address(1);
  }

  const Made made_;
  const bool wide_;
  std::string out_, strings_;
  size_t at_ = std::string::npos;
};

inline std::string made_elf(const Made& made) { return ElfMaker(made).bytes(); }

// What a command of the shell writes; a test may run what the program never does.
inline std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char part[4096];
  for (size_t n; (n = fread(part, 1, sizeof part, pipe)) > 0;) out.append(part, n);
  pclose(pipe);
  return out;
}

}  // namespace immure::rootfs

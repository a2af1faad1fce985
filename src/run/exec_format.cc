#include "run/exec_format.h"

#include <elf.h>
#include <stddef.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace immure::run {
namespace {

constexpr size_t kLine = 256;                      // BINPRM_BUF_SIZE
constexpr size_t kHeadersMax = size_t{64} * 1024;  // what the kernel reads of program headers
constexpr size_t kPathMax = 4096;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Numbers of the file's own byte order and width.
struct Words {
  bool little, wide;
  uint64_t at(const unsigned char* bytes, size_t size) const {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value = value << 8 | bytes[little ? size - 1 - i : i];
    return value;
  }
};

// Where the fields are: {offset, size} for 32 and 64 bits.
struct Field {
  size_t offset_32, size_32, offset_64, size_64;
};
#define IMMURE_FIELD(kind, name)                                                            \
  Field {                                                                                   \
    offsetof(Elf32_##kind, name), sizeof(Elf32_##kind::name), offsetof(Elf64_##kind, name), \
        sizeof(Elf64_##kind::name)                                                          \
  }
constexpr Field kType = IMMURE_FIELD(Ehdr, e_type), kMachine = IMMURE_FIELD(Ehdr, e_machine),
                kHeaders = IMMURE_FIELD(Ehdr, e_phoff), kEntrySize = IMMURE_FIELD(Ehdr, e_phentsize),
                kEntries = IMMURE_FIELD(Ehdr, e_phnum), kSegment = IMMURE_FIELD(Phdr, p_type),
                kOffset = IMMURE_FIELD(Phdr, p_offset), kFileSize = IMMURE_FIELD(Phdr, p_filesz);
#undef IMMURE_FIELD

uint64_t get(const Words& words, const unsigned char* bytes, const Field& field) {
  return words.wide ? words.at(bytes + field.offset_64, field.size_64)
                    : words.at(bytes + field.offset_32, field.size_32);
}

ElfImage::Flaw read_loader(const FileBytes& file, uint64_t offset, uint64_t size, std::string& loader) {
  if (size < 2 || size > kPathMax || offset > UINT64_MAX - size) return ElfImage::Flaw::BadInterpreter;
  std::string name(static_cast<size_t>(size), '\0');
  if (file.read(file.context, offset, name.data(), name.size()) != name.size())
    return ElfImage::Flaw::Truncated;
  if (name.back() != '\0') return ElfImage::Flaw::BadInterpreter;
  loader = name.substr(0, name.find('\0'));  // the kernel, too, stops at the first NUL
  return loader.empty() ? ElfImage::Flaw::BadInterpreter : ElfImage::Flaw::None;
}

ElfImage::Flaw read_segments(const FileBytes& file, const Words& words, const unsigned char* header,
                             std::string& loader) {
  const size_t entry = words.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  uint64_t count = get(words, header, kEntries), offset = get(words, header, kHeaders);
  if (count == 0) return ElfImage::Flaw::NoProgram;
  if (get(words, header, kEntrySize) != entry || count * entry > kHeadersMax)
    return ElfImage::Flaw::BadHeader;
  bool loads = false;
  unsigned char segment[sizeof(Elf64_Phdr)];
  for (uint64_t i = 0; i < count; i++) {
    if (offset > UINT64_MAX - entry) return ElfImage::Flaw::BadHeader;
    if (file.read(file.context, offset, segment, entry) != entry) return ElfImage::Flaw::Truncated;
    offset += entry;
    uint64_t type = get(words, segment, kSegment);
    loads = loads || type == PT_LOAD;
    if (type != PT_INTERP || !loader.empty()) continue;
    ElfImage::Flaw flaw =
        read_loader(file, get(words, segment, kOffset), get(words, segment, kFileSize), loader);
    if (flaw != ElfImage::Flaw::None) return flaw;
  }
  return loads ? ElfImage::Flaw::None : ElfImage::Flaw::NoProgram;
}

}  // namespace

std::optional<Script> parse_script(std::string_view head) {
  if (!head.starts_with("#!")) return std::nullopt;
  std::string_view line = head.substr(2, kLine - 2);
  size_t end = std::min(line.find('\n'), line.find('\0'));
  Script script;
  script.cut = end == std::string_view::npos && head.size() >= kLine;
  if (end != std::string_view::npos) line = line.substr(0, end);
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  size_t name_end = 0;
  while (name_end < line.size() && !is_blank(line[name_end])) name_end++;
  script.interpreter = line.substr(0, name_end);
  line.remove_prefix(name_end);
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  script.argument = line;
  script.carriage_return = script.interpreter.ends_with('\r') || script.argument.ends_with('\r');
  return script;
}

ElfImage read_elf(const FileBytes& file) {
  ElfImage image;
  unsigned char header[sizeof(Elf64_Ehdr)] = {};
  size_t size = file.read(file.context, 0, header, sizeof header);
  if (size < SELFMAG || std::memcmp(header, ELFMAG, SELFMAG) != 0) return image;
  image.flaw = ElfImage::Flaw::Truncated;
  if (size < EI_NIDENT) return image;
  image.is_64 = header[EI_CLASS] == ELFCLASS64;
  image.little_endian = header[EI_DATA] == ELFDATA2LSB;
  image.flaw = ElfImage::Flaw::BadHeader;
  if (header[EI_CLASS] != ELFCLASS64 && header[EI_CLASS] != ELFCLASS32) return image;
  if (header[EI_DATA] != ELFDATA2LSB && header[EI_DATA] != ELFDATA2MSB) return image;
  image.flaw = ElfImage::Flaw::Truncated;
  if (size < (image.is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr))) return image;
  Words words{image.little_endian, image.is_64};
  image.type = static_cast<uint16_t>(get(words, header, kType));
  image.machine = static_cast<uint16_t>(get(words, header, kMachine));
  image.flaw = read_segments(file, words, header, image.loader);
  if (image.flaw != ElfImage::Flaw::None) image.loader.clear();
  return image;
}

std::string machine_name(uint16_t machine) {
  struct Name {
    uint16_t machine;
    const char* name;
  };
  static constexpr Name kNames[] = {
      {EM_SPARC, "SPARC"},
      {EM_386, "32-bit x86 (i386)"},
      {EM_68K, "m68k"},
      {EM_MIPS, "MIPS"},
      {EM_PARISC, "PA-RISC"},
      {EM_PPC, "PowerPC"},
      {EM_PPC64, "64-bit PowerPC"},
      {EM_S390, "IBM S/390"},
      {EM_ARM, "32-bit ARM"},
      {EM_SH, "SuperH"},
      {EM_SPARCV9, "SPARC V9"},
      {EM_IA_64, "IA-64"},
      {EM_X86_64, "x86-64"},
      {EM_AARCH64, "AArch64 (64-bit ARM)"},
      {EM_RISCV, "RISC-V"},
      {EM_BPF, "BPF"},
      {258, "LoongArch"},
      {EM_ALPHA, "Alpha"},
      {EM_ARC_COMPACT, "ARC"},
      {EM_XTENSA, "Xtensa"},
  };
  for (const Name& row : kNames)
    if (row.machine == machine) return row.name;
  return "machine " + num(machine);
}

}  // namespace immure::run

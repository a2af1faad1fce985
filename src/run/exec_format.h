// What execve(2) would make of a file: the "#!" line of a script, the header of an ELF program. The files are
// the jail's, so they are hostile: every offset is checked, at most a few kilobytes are read, nothing is
// followed here. Source: execve(2), elf(5), Linux fs/binfmt_script.c and fs/binfmt_elf.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace immure::run {

// Reads up to `size` bytes at `offset`; the count, less at the end of the file, 0 on failure.
struct FileBytes {
  size_t (*read)(void* context, uint64_t offset, void* buffer, size_t size);
  void* context;
};

struct Script {
  std::string interpreter;  // "/usr/bin/python3"; empty: the line names none
  std::string argument;     // the rest of the line, one argument, or empty
  bool carriage_return =
      false;         // the line ends as DOS does, and the interpreter's name (or argument) with it
  bool cut = false;  // the line is longer than the kernel looks at (255 bytes)
};
// `head`: the file's first bytes; 256 are enough. Empty: the file does not begin with "#!".
std::optional<Script> parse_script(std::string_view head);

struct ElfImage {
  enum class Flaw : uint8_t {
    None,
    NotElf,          // no magic number
    Truncated,       // it ends before its headers do
    BadHeader,       // class, version, or sizes that cannot be
    NoProgram,       // nothing to load: no program headers
    BadInterpreter,  // a loader's name that is too long, empty, outside the file, or not ended by NUL
  };
  Flaw flaw = Flaw::NotElf;
  bool is_64 = false, little_endian = true;
  uint16_t type = 0, machine = 0;  // ET_…, EM_…
  std::string loader;              // PT_INTERP; empty: static
};
ElfImage read_elf(const FileBytes& file);

std::string machine_name(uint16_t machine);  // "AArch64", "machine 4711"
// What an x86-64 kernel runs, the second only with 32-bit support.
inline constexpr uint16_t kElfX86_64 = 62, kElf386 = 3;

}  // namespace immure::run

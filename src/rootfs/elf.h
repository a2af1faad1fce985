// What an ELF file needs before it can run, by reading it: it is never handed to a loader, and none of it is
// trusted. Reads through libelf, by read(2) and not by mapping. Any bytes may come in; lengths and offsets
// are checked against the file, time and memory are bounded. Sections are not used, only what a loader uses.
// Source: elf(5), the System V gABI, ld.so(8).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace immure::rootfs {

// Which files fit together: a library is taken only when all of these are the program's.
struct Machine {
  uint16_t number = 0;  // e_machine: EM_X86_64 …
  uint8_t bits = 0;     // 32, 64
  bool little = true;
  bool operator==(const Machine&) const = default;
};
std::string machine_name(const Machine& machine);  // "x86-64", "i386", "aarch64", "machine 4711"
Machine host_machine();

struct Elf {
  Machine machine;
  bool program =
      false;  // has an entry that can be started (ET_EXEC, or ET_DYN with an interpreter or DF_1_PIE)
  std::string interpreter;            // PT_INTERP; empty: static, or a library
  std::string soname;                 // DT_SONAME
  std::vector<std::string> needed;    // DT_NEEDED, in order
  std::string rpath, runpath;         // as they stand; colons and $ORIGIN included
  bool no_default_libraries = false;  // DF_1_NODEFLIB
  bool calls_dlopen = false;          // imports dlopen or dlmopen: what it loads cannot be read from it
  std::vector<std::string> imports;   // names of undefined dynamic symbols, sorted, without versions
};

enum class Content : uint8_t { Elf, Script, Other };
// By the first bytes of a file: "\177ELF", "#!", anything else.
Content content_of(std::string_view first_bytes);

// `fd`: a regular file; its offset is not used and not changed. `shown_as`: for messages.
// Errors: kBadValue for what begins as ELF and is none: truncated, offsets outside, strings without an end,
// more than 4,096 needed names. What is no program and no library (an object file, a core) has a machine
// only.
Result<Elf> read_elf(int fd, std::string_view shown_as);

// The interpreter of a script: "#!/usr/bin/env python3" → {"/usr/bin/env", "python3"}. `first`: the first
// bytes of the file, 256 or all of them, as execve(2) reads them. kBadValue: no interpreter, a relative one,
// or one that does not end within them. An argument that does not is cut, as the kernel does.
struct Shebang {
  std::string interpreter;  // absolute
  std::string argument;     // all of the rest of the line, as the kernel gives it; may be empty
};
Result<Shebang> read_shebang(std::string_view first, std::string_view shown_as);

}  // namespace immure::rootfs

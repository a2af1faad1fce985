// The smallest ELF files that the kernel takes seriously, to be damaged by tests.
#pragma once

#include <elf.h>

#include <cstring>
#include <string>

namespace immure::test {

// A 64-bit program of one segment that cannot run; with a loader, PT_INTERP comes first.
inline std::string elf(uint16_t machine = EM_X86_64, uint16_t type = ET_EXEC,
                       const std::string& loader = "") {
  Elf64_Ehdr header{};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = type;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = loader.empty() ? 1 : 2;
  Elf64_Phdr load{}, interp{};
  load.p_type = PT_LOAD;
  load.p_flags = PF_R | PF_X;
  load.p_vaddr = load.p_paddr = 0x400000;
  load.p_filesz = load.p_memsz = 64;
  load.p_align = 4096;
  interp.p_type = PT_INTERP;
  interp.p_offset = sizeof header + 2 * sizeof load;
  interp.p_filesz = interp.p_memsz = loader.size() + 1;
  std::string out(reinterpret_cast<char*>(&header), sizeof header);
  if (!loader.empty()) out.append(reinterpret_cast<char*>(&interp), sizeof interp);
  out.append(reinterpret_cast<char*>(&load), sizeof load);
  if (!loader.empty()) out += loader + '\0';
  return out;
}

}  // namespace immure::test

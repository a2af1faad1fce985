// The part of an ELF file that its loader reads: what elf.cc hands on when it has found the segments. Section
// headers are not used, since a loader does not need them: they may have been stripped, or lie.
#pragma once

#include <gelf.h>

#include <optional>
#include <string>
#include <vector>

#include "rootfs/elf.h"

namespace immure::rootfs {

struct ElfImage {
  ::Elf* elf = nullptr;  // of libelf; whoever opened it closes it, and with it what was read through it
  Machine machine;
  std::vector<GElf_Phdr> loads;
  std::optional<GElf_Phdr> dynamic;

  // Bytes of the file as they are; nothing when they are not all there.
  std::optional<std::string> bytes(uint64_t offset, uint64_t size) const;
  // `size` bytes of the file as `type` in this machine's form; null when they are not all there. Lives as
  // long as `elf`.
  Elf_Data* data(uint64_t offset, uint64_t size, Elf_Type type) const;
  // Where an address of the running program stands in the file, and how many bytes of its segment follow.
  struct Place {
    uint64_t offset, left;
  };
  std::optional<Place> place(uint64_t address) const;
};

// Fills in what the dynamic section says. `pie`: DF_1_PIE. False with a sentence in `flaw` when it is not
// whole.
bool read_dynamic(const ElfImage& image, Elf& out, bool& pie, std::string& flaw);

}  // namespace immure::rootfs

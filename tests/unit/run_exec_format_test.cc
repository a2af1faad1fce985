// The "#!" line and the ELF header, as hostile as they may be.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "run/exec_format.h"
#include "support/elf.h"

namespace immure::run {
namespace {

namespace fs = std::filesystem;
using test::elf;

struct Memory {
  std::string bytes;
  FileBytes file{[](void* context, uint64_t offset, void* buffer, size_t size) -> size_t {
                   const std::string& all = static_cast<Memory*>(context)->bytes;
                   if (offset >= all.size()) return 0;
                   size_t n = std::min(size, all.size() - size_t(offset));
                   memcpy(buffer, all.data() + offset, n);
                   return n;
                 },
                 this};
};

TEST(ExecFormat, FirstLine) {
  EXPECT_FALSE(parse_script("echo"));
  EXPECT_FALSE(parse_script("#"));
  auto script = parse_script("#! \t/usr/bin/env \t python3 -u \t\nrest");
  EXPECT_EQ(script->interpreter, "/usr/bin/env");
  EXPECT_EQ(script->argument, "python3 -u");
  EXPECT_FALSE(script->carriage_return);
  EXPECT_TRUE(parse_script("#!/usr/bin/env python3\r\n")->carriage_return);
  EXPECT_EQ(parse_script("#!")->interpreter, "");
  EXPECT_EQ(parse_script("#!/bin/sh")->interpreter, "/bin/sh") << "a file that ends there";
  EXPECT_EQ(parse_script(std::string_view("#!/bin/sh\0junk", 14))->interpreter, "/bin/sh");
  EXPECT_TRUE(parse_script("#!/" + std::string(300, 'x') + "\n")->cut);
}

TEST(ExecFormat, RealProgramIsUnderstood) {
  Memory self;
  std::ifstream in("/proc/self/exe", std::ios::binary);
  self.bytes.assign(std::istreambuf_iterator<char>(in), {});
  ElfImage image = read_elf(self.file);
  EXPECT_EQ(image.flaw, ElfImage::Flaw::None);
  EXPECT_EQ(image.machine, kElfX86_64);
  EXPECT_TRUE(image.is_64);
  EXPECT_TRUE(image.loader.empty() || fs::exists(image.loader)) << image.loader;
}

TEST(ExecFormat, NoCutOfAProgramIsReadBeyond) {
  Memory whole;
  whole.bytes = elf(EM_X86_64, ET_DYN, "/lib/ld.so");
  ASSERT_EQ(read_elf(whole.file).loader, "/lib/ld.so");
  for (size_t size = 0; size < whole.bytes.size(); size++) {
    Memory cut;
    cut.bytes = whole.bytes.substr(0, size);
    ElfImage image = read_elf(cut.file);
    EXPECT_EQ(image.flaw, size < 4 ? ElfImage::Flaw::NotElf : ElfImage::Flaw::Truncated) << size;
  }
}

TEST(ExecFormat, HostileNumbers) {
  auto with = [](size_t offset, size_t size, uint64_t value) {
    Memory memory;
    memory.bytes = elf(EM_X86_64, ET_DYN, "/lib/ld.so");
    for (size_t i = 0; i < size; i++) memory.bytes[offset + i] = static_cast<char>(value >> (8 * i));
    return read_elf(memory.file).flaw;
  };
  const size_t interp = sizeof(Elf64_Ehdr);
  using Flaw = ElfImage::Flaw;
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_phoff), 8, ~uint64_t{0}), Flaw::BadHeader);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_phoff), 8, ~uint64_t{0} - 100), Flaw::Truncated);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_phnum), 2, 0xffff), Flaw::BadHeader);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_phnum), 2, 0), Flaw::NoProgram);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_phentsize), 2, 1), Flaw::BadHeader);
  EXPECT_EQ(with(interp + offsetof(Elf64_Phdr, p_filesz), 8, ~uint64_t{0}), Flaw::BadInterpreter);
  EXPECT_EQ(with(interp + offsetof(Elf64_Phdr, p_filesz), 8, 1), Flaw::BadInterpreter);
  EXPECT_EQ(with(interp + offsetof(Elf64_Phdr, p_filesz), 8, 5), Flaw::BadInterpreter) << "not ended by NUL";
  EXPECT_EQ(with(interp + offsetof(Elf64_Phdr, p_offset), 8, ~uint64_t{0}), Flaw::BadInterpreter);
  EXPECT_EQ(with(EI_CLASS, 1, 3), Flaw::BadHeader);
  EXPECT_EQ(with(EI_DATA, 1, 0), Flaw::BadHeader);
}

TEST(ExecFormat, MachinesHaveNames) {
  EXPECT_EQ(machine_name(EM_RISCV), "RISC-V");
  EXPECT_EQ(machine_name(4711), "machine 4711");
}

}  // namespace
}  // namespace immure::run

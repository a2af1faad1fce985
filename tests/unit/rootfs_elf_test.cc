// What is read of an ELF file: compared with binutils over real files, and with what was put into made-up
// ones.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "base/fd.h"
#include "rootfs/elf.h"
#include "unit/rootfs_made_elf.h"

namespace immure::rootfs {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

UniqueFd memory_file(std::string_view bytes) {
  UniqueFd fd(memfd_create("elf", MFD_CLOEXEC));
  EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}
Result<Elf> read_bytes(std::string_view bytes) { return read_elf(memory_file(bytes).get(), "made"); }
Result<Elf> read_path(const std::string& path) {
  return read_elf(UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)).get(), path);
}

std::vector<std::string> lines(const std::string& command) {
  return test::lines_of(output_of(command + " 2>/dev/null"));
}
bool have(const char* command) { return !output_of("command -v " + std::string(command)).empty(); }

// What stands in brackets behind "(NEEDED)" and the like.
std::vector<std::string> entries(const std::vector<std::string>& dynamic, const std::string& tag) {
  std::vector<std::string> found;
  for (const std::string& line : dynamic) {
    if (line.find("(" + tag + ")") == std::string::npos) continue;
    size_t from = line.find('['), to = line.rfind(']');
    if (from != std::string::npos && to != std::string::npos)
      found.push_back(line.substr(from + 1, to - from - 1));
  }
  return found;
}
std::string one(const std::vector<std::string>& all) { return all.empty() ? "" : all.front(); }

void expect_as_binutils(const std::string& path) {
  auto elf = read_path(path);
  ASSERT_TRUE(elf) << path << format(elf.error());
  const auto dynamic = lines("LC_ALL=C readelf -W -d '" + path + "'");
  EXPECT_EQ(elf->needed, entries(dynamic, "NEEDED")) << path;
  EXPECT_EQ(elf->soname, one(entries(dynamic, "SONAME"))) << path;
  EXPECT_EQ(elf->rpath, one(entries(dynamic, "RPATH"))) << path;
  EXPECT_EQ(elf->runpath, one(entries(dynamic, "RUNPATH"))) << path;
  std::string interpreter;
  for (const std::string& line : lines("LC_ALL=C readelf -W -l '" + path + "'"))
    if (size_t at = line.find("program interpreter: "); at != std::string::npos)
      interpreter = line.substr(at + 21, line.rfind(']') - at - 21);
  EXPECT_EQ(elf->interpreter, interpreter) << path;
  std::set<std::string> imports;
  for (std::string line : lines("LC_ALL=C nm -D --undefined-only '" + path + "'")) {
    line.erase(0, line.find_last_of(' ') + 1);
    imports.insert(line.substr(0, line.find('@')));
  }
  EXPECT_EQ(elf->imports, std::vector<std::string>(imports.begin(), imports.end())) << path;
}

TEST(Elf, IsWhatBinutilsSay) {
  if (!have("readelf")) GTEST_SKIP() << "readelf is missing (package binutils)";
  int compared = 0;
  for (const char* folder : {"/usr/bin", "/usr/lib/x86_64-linux-gnu", "/lib32", "/usr/lib/systemd"}) {
    if (!fs::is_directory(folder)) continue;
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_regular_file() && !entry.is_symlink()) names.insert(entry.path());
    int here = 0;
    for (const std::string& path : names) {
      UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
      char first[4] = {};
      if (pread(fd.get(), first, 4, 0) != 4 || content_of({first, 4}) != Content::Elf) continue;
      expect_as_binutils(path);
      ++compared;
      if (++here == 10) break;
    }
  }
  for (const char* path : {"/bin/bash", "/usr/bin/python3", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"})
    if (fs::exists(path)) expect_as_binutils(fs::canonical(path));
  EXPECT_GT(compared, 10);
}

class Compiled : public testing::Test {
 protected:
  // Empty when this machine cannot make it.
  std::string make(const std::string& flags, const std::string& text = "int main(void) { return 0; }\n",
                   const std::string& compiler = "gcc") {
    dir_.file("p.c", text);
    const std::string out = dir_ / "p";
    std::string said =
        output_of(compiler + " -o '" + out + "' '" + (dir_ / "p.c") + "' " + flags + " 2>&1 && echo made");
    return said.ends_with("made\n") ? out : "";
  }
  TempFolder dir_;
};

TEST_F(Compiled, KindsOfPrograms) {
  struct Kind {
    const char* flags;
    const char* compiler;
    bool program, interpreter;
    uint8_t bits;
  };
  const Kind kinds[] = {
      {"", "gcc", true, true, 64},
      {"-no-pie", "gcc", true, true, 64},
      {"-static", "gcc", true, false, 64},
      {"-static-pie", "gcc", true, false, 64},
      {"-shared", "gcc", false, false, 64},
      {"", "musl-gcc", true, true, 64},
      {"-static", "musl-gcc", true, false, 64},
      {"-m32 -shared -nostdlib", "gcc", false, false, 32},
      {"-m32 -nostdlib -static -e main", "gcc", true, false, 32},
  };
  if (!have("gcc") || !(host() == host_machine())) GTEST_SKIP() << "needs gcc on x86-64";
  for (const Kind& kind : kinds) {
    if (!have(kind.compiler)) continue;
    std::string path = make(kind.flags, "int main(void) { return 0; }\n", kind.compiler);
    ASSERT_NE(path, "") << kind.compiler << " " << kind.flags;
    auto elf = read_path(path);
    ASSERT_TRUE(elf) << format(elf.error());
    EXPECT_EQ(elf->program, kind.program) << kind.compiler << " " << kind.flags;
    EXPECT_EQ(!elf->interpreter.empty(), kind.interpreter) << kind.compiler << " " << kind.flags;
    EXPECT_EQ(elf->machine.bits, kind.bits);
    EXPECT_EQ(machine_name(elf->machine), kind.bits == 64 ? "x86-64" : "i386");
    if (!kind.interpreter && kind.program) {
      EXPECT_THAT(elf->needed, IsEmpty());
    }
  }
}

TEST_F(Compiled, ImportsByEveryTable) {
  if (!have("gcc")) GTEST_SKIP() << "gcc is missing";
  const std::string text =
      "#include <pwd.h>\n#include <dlfcn.h>\nvoid *f = (void *)getpwnam;\n"
      "int main(void) { return dlopen(\"x\", 1) == f || getpwnam(\"x\") == f; }\n";
  for (const char* flags : {"-Wl,--hash-style=gnu", "-Wl,--hash-style=sysv", "-Wl,--hash-style=both",
                            "-no-pie -fno-pic -Wl,--hash-style=gnu", "-shared -fPIC -Wl,--hash-style=gnu"}) {
    std::string path = make(flags, text);
    ASSERT_NE(path, "") << flags;
    auto elf = read_path(path);
    ASSERT_TRUE(elf) << flags << format(elf.error());
    EXPECT_THAT(elf->imports, Contains("getpwnam")) << flags;
    EXPECT_TRUE(elf->calls_dlopen) << flags;
    EXPECT_TRUE(std::is_sorted(elf->imports.begin(), elf->imports.end()));
    // Without section headers it is the same.
    std::string bytes = test::read_file(path);
    auto* header = reinterpret_cast<Elf64_Ehdr*>(bytes.data());
    header->e_shoff = 0xffffffffffff;
    header->e_shnum = 0xffff;
    auto stripped = read_bytes(bytes);
    ASSERT_TRUE(stripped) << flags << format(stripped.error());
    EXPECT_EQ(stripped->imports, elf->imports);
    EXPECT_EQ(stripped->needed, elf->needed);
  }
}

TEST_F(Compiled, NoDefaultLibrariesAndRunpath) {
  if (!have("gcc")) GTEST_SKIP() << "gcc is missing";
  std::string path = make("-Wl,-z,nodefaultlib,-rpath,'$ORIGIN/../lib:/opt',--enable-new-dtags");
  ASSERT_NE(path, "");
  EXPECT_TRUE(read_path(path)->no_default_libraries);
  EXPECT_EQ(read_path(path)->runpath, "$ORIGIN/../lib:/opt");
  path = make("-Wl,-rpath,'${ORIGIN}',--disable-new-dtags");
  ASSERT_NE(path, "");
  EXPECT_FALSE(read_path(path)->no_default_libraries);
  EXPECT_EQ(read_path(path)->rpath, "${ORIGIN}");
}

TEST(Elf, OfEveryClassAndByteOrder) {
  for (uint8_t bits : {uint8_t{32}, uint8_t{64}})
    for (bool little : {false, true})
      for (MadeHash hash : {MadeHash::Gnu, MadeHash::SystemV, MadeHash::None})
        for (uint16_t machine : {uint16_t{EM_PPC64}, uint16_t{EM_S390}, uint16_t{4711}}) {
          Made made{.bits = bits,
                    .machine = machine,
                    .little = little,
                    .interpreter = "/lib/ld.so.1",
                    .soname = "me.so",
                    .needed = {"liba.so.1", "libb.so.2"},
                    .rpath = "$ORIGIN:$LIB",
                    .runpath = "/x:${PLATFORM}",
                    .no_default = true,
                    .imports = {"zeta", "dlmopen", "alpha", "alpha"},
                    .exports = {"mine", "yours"},
                    .hash = hash};
          auto elf = read_bytes(made_elf(made));
          ASSERT_TRUE(elf) << format(elf.error());
          EXPECT_EQ(elf->machine, (Machine{machine, bits, little}));
          EXPECT_EQ(elf->interpreter, "/lib/ld.so.1");
          EXPECT_EQ(elf->soname, "me.so");
          EXPECT_THAT(elf->needed, ElementsAre("liba.so.1", "libb.so.2"));
          EXPECT_EQ(elf->rpath, "$ORIGIN:$LIB");
          EXPECT_EQ(elf->runpath, "/x:${PLATFORM}");
          EXPECT_TRUE(elf->no_default_libraries);
          EXPECT_TRUE(elf->program);
          if (hash == MadeHash::None) {
            EXPECT_THAT(elf->imports, IsEmpty()) << "nothing says how many symbols there are";
          } else {
            EXPECT_THAT(elf->imports, ElementsAre("alpha", "dlmopen", "zeta"));
            EXPECT_TRUE(elf->calls_dlopen);
          }
        }
}

TEST(Elf, WhatIsAProgram) {
  EXPECT_TRUE(read_bytes(made_elf({.type = ET_EXEC}))->program);
  EXPECT_TRUE(read_bytes(made_elf({.interpreter = "/ld"}))->program);
  EXPECT_TRUE(read_bytes(made_elf({.pie = true}))->program);
  EXPECT_FALSE(read_bytes(made_elf({}))->program);
  EXPECT_FALSE(read_bytes(made_elf({.type = ET_REL}))->program);
  EXPECT_TRUE(read_bytes(made_elf({.type = ET_CORE, .needed = {"x"}}))->needed.empty());
}

TEST(Elf, MachineNames) {
  EXPECT_EQ(machine_name({EM_X86_64, 64, true}), "x86-64");
  EXPECT_EQ(machine_name({EM_X86_64, 32, true}), "x32");
  EXPECT_EQ(machine_name({EM_386, 32, true}), "i386");
  EXPECT_EQ(machine_name({EM_AARCH64, 64, true}), "aarch64");
  EXPECT_EQ(machine_name({4711, 64, true}), "machine 4711");
  EXPECT_EQ(machine_name({EM_MIPS, 32, true}), "mipsel");
}

TEST(Elf, ContentByFirstBytes) {
  EXPECT_EQ(content_of("\177ELF\2"), Content::Elf);
  EXPECT_EQ(content_of("\177EL"), Content::Other);
  EXPECT_EQ(content_of("#!/bin/sh"), Content::Script);
  EXPECT_EQ(content_of("#"), Content::Other);
  EXPECT_EQ(content_of(""), Content::Other);
}

TEST(Elf, TheDescriptorKeepsItsOffset) {
  UniqueFd fd = memory_file(made_elf({.needed = {"x"}}));
  ASSERT_EQ(lseek(fd.get(), 7, SEEK_SET), 7);
  EXPECT_TRUE(read_elf(fd.get(), "made"));
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_CUR), 7);
}

// ---- hostile files
// ----------------------------------------------------------------------------------------------

const Made& full() {
  static const Made kMade{.interpreter = "/lib/ld.so",
                          .soname = "me",
                          .needed = {"liba.so.1"},
                          .runpath = "/x",
                          .imports = {"f", "dlopen"},
                          .exports = {"g"}};
  return kMade;
}

void expect_refused(std::string_view bytes, const std::string& what) {
  auto elf = read_bytes(bytes);
  ASSERT_FALSE(elf) << what;
  EXPECT_EQ(elf.error().code, Code::kBadValue) << what;
  EXPECT_THAT(elf.error().what, HasSubstr("'made'")) << what;
  EXPECT_NE(elf.error().why, "") << what;
}

TEST(HostileElf, CutAnywhere) {
  for (MadeHash hash : {MadeHash::Gnu, MadeHash::SystemV}) {
    Made made = full();
    made.hash = hash;
    const std::string whole = made_elf(made);
    ASSERT_TRUE(read_bytes(whole));
    for (size_t size = 0; size < whole.size(); ++size)
      expect_refused(whole.substr(0, size), std::to_string(size));
  }
}

TEST(HostileElf, AnyByteChanged) {
  const std::string whole = made_elf(full());
  int good = 0;
  for (size_t i = 0; i < whole.size(); ++i)
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(value);
      auto elf = read_bytes(bytes);
      good += elf.has_value();
      EXPECT_TRUE(elf || elf.error().code == Code::kBadValue);
    }
  EXPECT_GT(good, 0);
}

TEST(HostileElf, TooMuchOfAnything) {
  Made made;
  made.needed.assign(4096, "x");
  EXPECT_EQ(read_bytes(made_elf(made))->needed.size(), 4096u);
  made.needed.emplace_back("x");
  expect_refused(made_elf(made), "4,097 needed names");
  expect_refused(made_elf({.needed = {std::string(4096, 'x')}}), "a name longer than a path");
  expect_refused(made_elf({.rpath = std::string(70000, 'x')}), "folders longer than any list");
  expect_refused(made_elf({.interpreter = std::string(4096, 'x')}), "a loader longer than a path");
}

TEST(HostileElf, TextsWithoutEnd) {
  Made made{.interpreter = "/lib/ld.so", .soname = "me"};
  std::string bytes = made_elf(made);
  bytes[bytes.find("/lib/ld.so") + 10] = 'x';
  expect_refused(bytes, "the loader's name");
  bytes = made_elf(made);
  auto place = bytes.find(std::string("me\0", 3));
  // The table of names ends with this one.
  bytes[place + 2] = 'x';
  expect_refused(bytes, "the last name of the table");
}

// 300 symbols whose names are one long text that they share: 1 MB of names read as 300 MB.
TEST(HostileElf, OverlappingNamesEndSoon) {
  Made made;
  made.imports.assign(300, "");
  made.imports.front() = std::string(1 << 20, 'x');
  made.hash = MadeHash::SystemV;
  std::string bytes = made_elf(made);
  const size_t long_name = bytes.find(std::string(100, 'x'));
  const size_t first = (64 + 3 * 56 + 1 + 7) / 8 * 8 + 24;
  for (size_t i = 0; i < made.imports.size(); ++i) {
    const auto name = static_cast<uint32_t>(1 + i);
    memcpy(bytes.data() + first + i * 24, &name, sizeof name);
  }
  ASSERT_NE(long_name, std::string::npos);
  auto started = std::chrono::steady_clock::now();
  expect_refused(bytes, "names that overlap");
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(2));
}

TEST(HostileElf, HugeAndEmpty) {
  UniqueFd fd = memory_file(made_elf(full()));
  ASSERT_EQ(ftruncate(fd.get(), off_t{1} << 40), 0);
  Elf64_Ehdr header;
  ASSERT_EQ(pread(fd.get(), &header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
  header.e_shoff = 4096;
  header.e_shentsize = sizeof(Elf64_Shdr);
  for (uint16_t number : {uint16_t{0}, uint16_t{0xfeff}, uint16_t{0xffff}}) {
    header.e_shnum = number;
    ASSERT_EQ(pwrite(fd.get(), &header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
    auto elf = read_elf(fd.get(), "made");
    ASSERT_TRUE(elf) << format(elf.error());
    EXPECT_THAT(elf->needed, ElementsAre("liba.so.1"));
  }
  // The first section's size says how many there are, when the header cannot: here more than any memory
  // holds.
  header.e_shnum = 0;
  pwrite(fd.get(), &header, sizeof header, 0);
  Elf64_Shdr section{};
  section.sh_size = ~uint64_t{0} >> 8;
  pwrite(fd.get(), &section, sizeof section, 4096);
  auto elf = read_elf(fd.get(), "made");
  EXPECT_TRUE(elf || elf.error().code == Code::kBadValue);
  expect_refused("", "nothing");
  expect_refused("\177ELF", "the magic alone");
}

TEST(HostileElf, CutWhileItIsRead) {
  const std::string whole = made_elf(full());
  UniqueFd fd = memory_file(whole);
  std::atomic<bool> stop{false};
  std::thread changes([&] {
    while (!stop) {
      ftruncate(fd.get(), 0);
      pwrite(fd.get(), whole.data(), whole.size(), 0);
    }
  });
  int good = 0, bad = 0;
  auto started = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - started < std::chrono::milliseconds(200)) {
    auto elf = read_elf(fd.get(), "made");
    ++(elf ? good : bad);
  }
  stop = true;
  changes.join();
  EXPECT_GT(good + bad, 100);
}

// ---- scripts
// ----------------------------------------------------------------------------------------------------

TEST(Shebang, AsTheKernelReadsIt) {
  auto line = [](std::string_view text) {
    auto read = read_shebang(text, "s");
    return read ? read->interpreter + "|" + read->argument : "refused: " + read.error().why;
  };
  EXPECT_EQ(line("#!/bin/sh\necho"), "/bin/sh|");
  EXPECT_EQ(line("#!/bin/sh"), "/bin/sh|");
  EXPECT_EQ(line("#! \t/usr/bin/env \t python3 -u \t\nrest"), "/usr/bin/env|python3 -u");
  EXPECT_EQ(line("#!/bin/sh\r\n"), "/bin/sh\r|") << "so says the kernel too";
  EXPECT_EQ(line(std::string_view("#!/bin/sh\0junk more\n", 20)), "/bin/sh|");
  EXPECT_THAT(line("#!\n/bin/sh"), HasSubstr("refused"));
  EXPECT_THAT(line("#!"), HasSubstr("refused"));
  EXPECT_THAT(line("#!  \t \n"), HasSubstr("refused"));
  EXPECT_THAT(line("#!python3\n"), HasSubstr("no absolute path"));
  EXPECT_THAT(line("echo"), HasSubstr("refused"));
  EXPECT_THAT(line("#!/" + std::string(300, 'x') + "\n"), HasSubstr("256 bytes"));
  EXPECT_EQ(line("#!/bin/sh " + std::string(300, 'x')), "/bin/sh|" + std::string(245, 'x'))
      << "cut, as there";
  EXPECT_EQ(line("#!/" + std::string(252, 'x') + "\n"), "/" + std::string(252, 'x') + "|");
  EXPECT_EQ(line("#!/" + std::string(252, 'x')), "/" + std::string(252, 'x') + "|") << "the file ends there";
}

TEST(Shebang, TheKernelAgrees) {
  TempFolder dir;
  dir.file("echo.c",
           "#include <stdio.h>\nint main(int n, char **a) { printf(\"%d\", n); "
           "for (int i = 1; i < n - 1; ++i) printf(\"|%s\", a[i]); return 0; }\n");
  const std::string program = dir / "e";
  if (output_of("gcc -o '" + program + "' '" + (dir / "echo.c") + "' 2>&1 && echo made") != "made\n")
    GTEST_SKIP() << "gcc is missing";
  const std::string tails[] = {"",
                               "\n",
                               " a b \t\n",
                               "\ta",
                               " " + std::string(400, 'y') + "\n",
                               "  -x\r\n",
                               std::string(" a\0b\n", 5)};
  for (const std::string& tail : tails) {
    const std::string text = "#! " + program + tail;
    const std::string script = dir.file("script", text, 0755);
    auto read = read_shebang(std::string_view(text).substr(0, 256), "s");
    ASSERT_TRUE(read) << tail;
    EXPECT_EQ(read->interpreter, program);
    EXPECT_EQ(output_of("'" + script + "'"), read->argument.empty() ? "2" : "3|" + read->argument) << tail;
  }
}

}  // namespace
}  // namespace immure::rootfs

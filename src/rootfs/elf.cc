#include "rootfs/elf.h"

#include <elf.h>
#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "base/text.h"
#include "rootfs/elf_dynamic.h"

namespace immure::rootfs {
namespace {

constexpr size_t kMostHeaders = 4096;  // of segments; the kernel starts nothing with more than some 1,100
constexpr size_t kLongestPath = 4096;  // of an interpreter, its end included

struct Close {
  void operator()(::Elf* elf) const { elf_end(elf); }
};

bool is_spacetab(char c) { return c == ' ' || c == '\t'; }

tl::unexpected<Error> bad(std::string_view shown_as, std::string why) {
  return fail(Code::kBadValue, quoted(shown_as) + " begins as an ELF file and is none that can be read",
              std::move(why));
}

// The segments of a program or library, and the interpreter among them.
Status read_segments(ElfImage& image, uint16_t said, Elf& out, std::string_view shown_as) {
  size_t number = 0;
  if (elf_getphdrnum(image.elf, &number) != 0 || number > kMostHeaders)
    return bad(shown_as, "its number of segments cannot be right");
  // libelf takes as many as there are.
  if (number != said && said != PN_XNUM) return bad(shown_as, "its table of segments is not whole");
  for (size_t i = 0; i < number; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(image.elf, static_cast<int>(i), &header) == nullptr)
      return bad(shown_as, "its table of segments is not whole");
    if (header.p_type == PT_LOAD) image.loads.push_back(header);
    if (header.p_type == PT_DYNAMIC && !image.dynamic) image.dynamic = header;
    if (header.p_type != PT_INTERP || !out.interpreter.empty()) continue;
    if (header.p_filesz < 2 || header.p_filesz > kLongestPath)
      return bad(shown_as, "the name of its loader has no length that a path can have");
    auto text = image.bytes(header.p_offset, header.p_filesz);
    if (!text || text->back() != '\0') return bad(shown_as, "the name of its loader has no end");
    out.interpreter.assign(text->data(), std::strlen(text->data()));
    if (out.interpreter.empty()) return bad(shown_as, "the name of its loader is empty");
  }
  return {};
}

}  // namespace

std::string machine_name(const Machine& machine) {
  switch (machine.number) {
    case EM_X86_64: return machine.bits == 32 ? "x32" : "x86-64";
    case EM_386: return "i386";
    case EM_AARCH64: return machine.little ? "aarch64" : "aarch64 (big-endian)";
    case EM_ARM: return machine.little ? "arm" : "arm (big-endian)";
    case EM_RISCV: return machine.bits == 32 ? "riscv32" : "riscv64";
    case EM_PPC64: return machine.little ? "ppc64le" : "ppc64";
    case EM_PPC: return "powerpc";
    case EM_S390: return machine.bits == 32 ? "s390" : "s390x";
    case EM_MIPS: return std::string(machine.bits == 32 ? "mips" : "mips64") + (machine.little ? "el" : "");
    case EM_SPARC: return "sparc";
    case EM_SPARCV9: return "sparc64";
    case EM_68K: return "m68k";
    case EM_PARISC: return "hppa";
    case EM_SH: return "sh4";
    case EM_IA_64: return "ia64";
    case 0x9026: return "alpha";
    case 258: return "loongarch64";
    default: return "machine " + num(machine.number);
  }
}

Machine host_machine() {
  constexpr bool kLittle = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  constexpr uint8_t kBits = sizeof(void*) * 8;
#if defined __x86_64__
  return {EM_X86_64, kBits, kLittle};
#elif defined __i386__
  return {EM_386, kBits, kLittle};
#elif defined __aarch64__
  return {EM_AARCH64, kBits, kLittle};
#elif defined __arm__
  return {EM_ARM, kBits, kLittle};
#elif defined __riscv
  return {EM_RISCV, kBits, kLittle};
#elif defined __powerpc64__
  return {EM_PPC64, kBits, kLittle};
#elif defined __s390__
  return {EM_S390, kBits, kLittle};
#elif defined __loongarch__
  return {258, kBits, kLittle};
#else
#error "immure does not know the number of this machine: elf(5), e_machine"
#endif
}

Content content_of(std::string_view first_bytes) {
  if (first_bytes.starts_with(ELFMAG)) return Content::Elf;
  if (first_bytes.starts_with("#!")) return Content::Script;
  return Content::Other;
}

Result<Elf> read_elf(int fd, std::string_view shown_as) {
  if (elf_version(EV_CURRENT) == EV_NONE)
    return fail(Code::kSystem, "libelf cannot be used", elf_errmsg(elf_errno()));
  // Without ELF_C_READ_MMAP nothing is mapped: a file that is cut meanwhile is a short read, no signal.
  std::unique_ptr<::Elf, Close> handle(elf_begin(fd, ELF_C_READ, nullptr));
  GElf_Ehdr header;
  if (!handle || elf_kind(handle.get()) != ELF_K_ELF || gelf_getehdr(handle.get(), &header) == nullptr)
    return bad(shown_as, "its header is not whole, or of no known class");

  Elf out;
  out.machine.number = header.e_machine;
  out.machine.bits = header.e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64;
  out.machine.little = header.e_ident[EI_DATA] == ELFDATA2LSB;
  if ((header.e_type != ET_EXEC && header.e_type != ET_DYN) || header.e_phnum == 0) return out;
  if (header.e_phentsize != gelf_fsize(handle.get(), ELF_T_PHDR, 1, EV_CURRENT))
    return bad(shown_as, "its table of segments has entries of a wrong size");

  ElfImage image;
  image.elf = handle.get();
  image.machine = out.machine;
  IMMURE_TRY(read_segments(image, header.e_phnum, out, shown_as));
  std::string flaw;
  bool pie = false;
  if (image.dynamic && !read_dynamic(image, out, pie, flaw)) return bad(shown_as, std::move(flaw));
  out.program = header.e_type == ET_EXEC || !out.interpreter.empty() || pie;
  return out;
}

Result<Shebang> read_shebang(std::string_view first, std::string_view shown_as) {
  constexpr size_t kRead = 256;  // BINPRM_BUF_SIZE of <linux/binfmts.h>, since Linux 5.1
  first = first.substr(0, kRead);
  auto no = [&](const char* why) {
    return fail(Code::kBadValue, "the script " + quoted(shown_as) + " has no interpreter", why);
  };
  if (!first.starts_with("#!")) return no("it does not begin with #!");
  const size_t newline = first.find('\n');
  const bool whole = first.size() < kRead || newline != std::string_view::npos;
  std::string_view line = first.substr(2, newline - 2);
  while (!line.empty() && is_spacetab(line.front())) line.remove_prefix(1);
  const size_t end = std::min(line.find_first_of(std::string_view(" \t\0", 3)), line.size());
  // The kernel goes on with an argument that was cut, never with a path that was.
  if (!whole && end == line.size()) return no("its first line does not end within 256 bytes");
  Shebang shebang;
  shebang.interpreter = line.substr(0, end);
  if (shebang.interpreter.empty()) return no("nothing stands behind the #!");
  if (shebang.interpreter.front() != '/')
    return no(
        "what stands behind the #! is no absolute path, and would be looked for in whatever folder it is started");
  if (!whole) line.remove_suffix(1);  // where the kernel puts the end of the text
  line.remove_prefix(std::min(end, line.size()));
  line = line.substr(0, line.find('\0'));
  while (!line.empty() && is_spacetab(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_spacetab(line.back())) line.remove_suffix(1);
  shebang.argument = line;
  return shebang;
}

}  // namespace immure::rootfs

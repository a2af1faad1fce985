// Any bytes as a file that is to be put into a root: it is refused, or what is told of it keeps to its
// bounds.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "rootfs/elf.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_text(const std::string& text, size_t most) {
  return text.size() < most && text.find('\0') == std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure;
  static const int fd = memfd_create("elf", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  auto elf = rootfs::read_elf(fd, "fuzz");
  require(lseek(fd, 0, SEEK_CUR) == 0);
  if (!elf) {
    require(elf.error().code == Code::kBadValue && !elf.error().why.empty());
    return 0;
  }
  require(!rootfs::machine_name(elf->machine).empty());
  require(elf->machine.bits == 32 || elf->machine.bits == 64);
  require(is_text(elf->interpreter, 4096) && is_text(elf->soname, 4096));
  require(is_text(elf->rpath, 1 << 16) && is_text(elf->runpath, 1 << 16));
  require(elf->needed.size() <= 4096);
  for (const std::string& name : elf->needed) require(is_text(name, 4096));
  for (const std::string& name : elf->imports) require(is_text(name, size) && !name.empty());
  require(std::is_sorted(elf->imports.begin(), elf->imports.end()));
  return 0;
}

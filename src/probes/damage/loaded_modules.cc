// A module of the running kernel, loaded for good.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probes/damage/harm.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

constexpr char kNoInterfaces[] = "numdummies=0";

int open_module(const Yard& yard) {
  char path[256];
  return planted_path(yard, kModule, path, sizeof path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}
Attempt none_planted() { return not_applicable("no module is planted that the kernel would take"); }

Attempt load(const Yard& yard, const Probe&) {
  int fd = open_module(yard);
  struct stat file {};
  if (fd < 0 || fstat(fd, &file) != 0) return none_planted();
  const auto size = static_cast<size_t>(file.st_size);
  void* image = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (image == MAP_FAILED) return stopped("mmap");
  if (syscall(SYS_init_module, image, size, kNoInterfaces) != 0) return stopped("init_module");
  return escaped("init_module took it");
}

Attempt load_file(const Yard& yard, const Probe&) {
  int fd = open_module(yard);
  if (fd < 0) return none_planted();
  if (syscall(SYS_finit_module, fd, kNoInterfaces, 0) != 0) return stopped("finit_module");
  return escaped("finit_module took it");
}

constexpr uint32_t kBy = by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs);

constexpr Probe kLoadedModules[] = {
    harm("damage-module", "load a real module from memory",
         "Hands a module of the running kernel to init_module. When it is in the host's list of modules the "
         "program's code could have been in the kernel as well.",
         "init_module(2)", kBy, load, "module", kPlantedByRoot),
    harm(
        "damage-module-file", "load a real module from a file",
        "Hands the open file of a module to finit_module. The module is one of the distribution's that makes "
        "network interfaces, and is told to make none.",
        "finit_module(2)", kBy, load_file, "module", kPlantedByRoot),
};

}  // namespace

std::span<const Probe> loaded_modules() { return kLoadedModules; }

}  // namespace immure::probes

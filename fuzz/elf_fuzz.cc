// What is read of a program that could not be started: its "#!" line and its ELF header.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "run/exec_format.h"

namespace {

struct Memory {
  const uint8_t* data;
  size_t size;
};

size_t read_at(void* context, uint64_t offset, void* buffer, size_t size) {
  const auto* memory = static_cast<const Memory*>(context);
  if (offset >= memory->size) return 0;
  size_t n = std::min<size_t>(size, memory->size - static_cast<size_t>(offset));
  std::memcpy(buffer, memory->data + offset, n);
  return n;
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure::run;
  Memory memory{data, size};
  ElfImage image = read_elf({read_at, &memory});
  require(image.flaw == ElfImage::Flaw::None || image.loader.empty());
  require(image.loader.size() < 4096 && image.loader.find('\0') == std::string::npos);
  require(!machine_name(image.machine).empty());

  std::string_view head(reinterpret_cast<const char*>(data), std::min<size_t>(size, 256));
  auto script = parse_script(head);
  require(script.has_value() == head.starts_with("#!"));
  if (script) {
    require(script->interpreter.find_first_of(" \t\n") == std::string::npos);
    require(script->argument.find('\n') == std::string::npos);
    require(!script->interpreter.empty() || script->argument.empty());
  }
  return 0;
}

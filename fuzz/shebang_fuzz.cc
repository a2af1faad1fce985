// Any bytes as the first of a script.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rootfs/elf.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure::rootfs;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  auto script = read_shebang(all, "fuzz");
  // What stands behind the first 256 bytes is not looked at.
  auto head = read_shebang(all.substr(0, 256), "fuzz");
  require(script.has_value() == head.has_value());
  if (!script) return 0;
  require(content_of(all) == Content::Script);
  require(script->interpreter.starts_with("/") && script->interpreter == head->interpreter);
  require(script->argument == head->argument);
  require(script->interpreter.find_first_of(std::string_view(" \t\n\0", 4)) == std::string::npos);
  require(script->argument.find_first_of(std::string_view("\n\0", 2)) == std::string::npos);
  require(script->interpreter.size() + script->argument.size() < 256);
  return 0;
}

// Any bytes as a record of files, read; and any bytes as names, written and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cli/record.h"
#include "run/opened.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)immure::cli::parse_record(bytes, "fuzz");

  immure::Plan plan;
  immure::run::Opened opened(plan);
  size_t first = bytes.find('\0');
  for (std::string_view name :
       {bytes.substr(0, first), bytes.substr(first == std::string_view::npos ? size : first)}) {
    std::string path = "/";
    for (char c : name)
      if (c != '\0') path += c;
    opened.add({.path = path.substr(0, 8000), .read = true});
  }
  auto back = immure::cli::parse_record(opened.text("fuzz"), "fuzz");
  if (!back || back->files.size() != opened.size()) std::abort();
  immure::run::Opened again(plan);
  for (const auto& file : back->files) again.add({.path = file.path, .read = true});
  if (again.text("fuzz") != opened.text("fuzz")) std::abort();
  return 0;
}

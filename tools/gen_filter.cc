// Host tool of the build: compiles the default jail's filters and writes them as C++ arrays, so that a start
// compiles none.   gen_filter OUT.inc
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "filter/filter.h"

namespace {

using immure::Result;
using Program = std::vector<sock_filter>;

// One of the variants, told by three bits.
Result<Program> default_filter(unsigned variant) {
  immure::filter::Options options;
  options.listener = (variant & 1) != 0;
  options.no_set_id = (variant & 2) != 0;
  options.no_memfd = (variant & 4) != 0;
  auto policy = immure::filter::default_policy(options);
  if (!policy) return tl::unexpected<immure::Error>(policy.error());
  return immure::filter::compile(*policy);
}

bool append(std::string& out, const char* name, const Result<Program>& program) {
  if (!program) {
    std::fputs(immure::format(program.error()).c_str(), stderr);
    return false;
  }
  out += std::string("constexpr sock_filter ") + name + "[] = {  // " + std::to_string(program->size()) +
         " instructions\n";
  for (const sock_filter& i : *program) {
    char line[64];
    std::snprintf(line, sizeof line, "  {0x%02x, %u, %u, 0x%x},\n", unsigned{i.code}, unsigned{i.jt}, unsigned{i.jf},
                  unsigned{i.k});
    out += line;
  }
  out += "};\n";
  return true;
}

bool write_file(const char* path, const std::string& text) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return false;
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: gen_filter OUT.inc\n", stderr);
    return 2;
  }
  std::string out = "// Written by gen_filter; not to be edited.\n";
  constexpr const char* kNames[] = {"kDefault",        "kDefaultWithListener",        "kNoSetId",
                                    "kNoSetIdWithListener", "kDefaultNoMemfd",        "kDefaultNoMemfdWithListener",
                                    "kNoSetIdNoMemfd", "kNoSetIdNoMemfdWithListener"};
  for (unsigned variant = 0; variant < std::size(kNames); variant++)
    if (!append(out, kNames[variant], default_filter(variant))) return 1;
  if (!append(out, "kInit", immure::filter::compile(immure::filter::init_policy())))
    return 1;
  if (!write_file(argv[1], out)) {
    std::perror(argv[1]);
    return 1;
  }
  return 0;
}

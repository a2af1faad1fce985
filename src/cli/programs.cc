#include "cli/programs.h"

#include <unistd.h>

#include "base/text.h"

namespace immure::cli {

Result<std::string> own_program(const std::string& name) {
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  std::string folder(path, n > 0 ? static_cast<size_t>(n) : 0);
  folder.erase(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/') + 1);
  for (const char* place : {"", "../../bin/"}) {
    std::string file = folder + place + name;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return fail(Code::kSystem, "the program " + quoted(name) + " is missing",
              "it stands neither in " + quoted(folder) + " nor in bin/",
              "install immure as a whole: ./dev install");
}

}  // namespace immure::cli

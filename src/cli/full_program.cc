#include "cli/full_program.h"

#include <unistd.h>

#include <string>

#include "base/file.h"
#include "base/result.h"
#include "base/text.h"

namespace immure::cli {
namespace {

// "/opt/bin/immure" → "/opt/bin/"; by the kernel's word, not by argv[0].
std::string own_folder() {
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  std::string text(path, n > 0 ? static_cast<size_t>(n) : 0);
  size_t slash = text.rfind('/');
  return slash == std::string::npos ? std::string() : text.substr(0, slash + 1);
}

}  // namespace

int become_full(char* const* argv, char* const* environment) {
  std::string folder = own_folder();
  Error error{Code::kSystem, 0, "immure-full is missing", "it stands neither in " + quoted(folder) + " nor in libexec/immure beside it",
              "install immure as a whole: ./dev install", {}};
  if (folder.starts_with('/')) {
    for (const char* place : {"immure-full", "../libexec/immure/immure-full"})
      execve((folder + place).c_str(), argv, environment);
  } else {   // never one of the working directory: whoever made that would be run
    error.what = "immure-full cannot be found";
    error.why = "/proc/self/exe does not tell where immure is";
    error.how = "mount /proc";
  }
  (void)write_fd(2, format(error), "stderr");
  return 125;
}

}  // namespace immure::cli

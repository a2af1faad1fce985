// Any bytes as what an earlier look through a root has left: no crash, and only a whole one is believed.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "run/root_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st {};
  if (root < 0 || fstat(root, &st) != 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  uint64_t device = uint64_t{major(st.st_dev)} << 32 | minor(st.st_dev);
  bool holds = immure::run::still_holds(text, root, device);
  if (holds && immure::run::still_holds(text.substr(0, size - 1), root, device)) std::abort();
  return 0;
}

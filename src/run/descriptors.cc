#include "run/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/text.h"

namespace immure::run {

Status check_standard_descriptors() {
  for (int fd = 0; fd < 3; fd++) {
    struct stat st {};
    if (fstat(fd, &st) != 0) {
      int opened = open("/dev/null", O_RDWR);
      if (opened != fd) return fail(Code::kSystem, "descriptor " + num(static_cast<uint64_t>(fd)) + " is closed", {}, {}, {}, errno);
      continue;
    }
    if (S_ISDIR(st.st_mode) || (S_ISBLK(st.st_mode)))
      return fail(Code::kBadValue, "descriptor " + num(static_cast<uint64_t>(fd)) + " of immure is a " + (S_ISDIR(st.st_mode) ? "directory" : "disk"),
                  "the program would get it, and walk out of the jail with it", "redirect it to a file, a pipe or /dev/null");
  }
  return {};
}

}  // namespace immure::run

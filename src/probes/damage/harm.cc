#include "probes/damage/harm.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace immure::probes {

bool write_at(const char* path, const char* text, long offset) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = static_cast<ssize_t>(std::strlen(text));
  // Files of the kernel's may take what is written to them, and at no offset.
  bool written = (offset == 0 ? write(fd, text, static_cast<size_t>(length))
                              : pwrite(fd, text, static_cast<size_t>(length), offset)) == length;
  int error = errno;
  if (close(fd) != 0 && written) return false;
  errno = error;
  return written;
}

bool put(const char* path, const char* text) { return write_at(path, text, 0); }

}  // namespace immure::probes

#include "probes/devices/node.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace immure::probes {

Attempt open_node(const char* path, const Probe& row) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    return exposed("%s was opened", row.word);
  }
  if (errno == EBUSY || errno == ENOMEDIUM) return exposed("%s answers, though not to us now", row.word);
  return stopped("open");
}

Attempt look_at_node(const char* path, const Probe& row) {
  struct stat found {};
  if (stat(path, &found) != 0) return stopped("stat");
  if (!S_ISCHR(found.st_mode) || static_cast<long>(found.st_rdev) != row.number)
    return stopped("stat", ENODEV);
  if (access(path, R_OK | W_OK) != 0) return stopped("access");
  struct statvfs system {};
  if (statvfs(path, &system) != 0) return stopped("statvfs");
  if ((system.f_flag & ST_NODEV) != 0) return stopped("nodev", EACCES);
  return exposed("nothing stands between the program and %s; it was not opened", row.word);
}

}  // namespace immure::probes

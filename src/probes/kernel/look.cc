#include "probes/kernel/look.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "probes/inside.h"

namespace immure::probes {

Attempt read_some(const Yard&, const Probe& row) {
  char some[64];
  int fd = open(row.word, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped("open");
  ssize_t n = read(fd, some, sizeof some);
  Attempt attempt = stopped("read");
  close(fd);
  if (n < 0) return attempt;
  return n == 0 ? stopped("read", ENODATA) : exposed("%s can be read", row.word);
}

Attempt list_some(const Yard&, const Probe& row) {
  DIR* folder = opendir(row.word);
  if (folder == nullptr) return stopped("opendir");
  char name[64] = "";
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.' || name[0] != '\0') continue;
    std::snprintf(name, sizeof name, "%.60s", entry->d_name);
  }
  closedir(folder);
  return name[0] == '\0' ? stopped("readdir", ENODATA) : exposed("%s has %s", row.word, name);
}

Attempt open_to_read(const Yard&, const Probe& row) {
  int fd = open(row.word, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped("open");
  close(fd);
  return exposed("%s can be opened", row.word);
}

Attempt open_to_write(const Yard&, const Probe& row) {
  int fd = open(row.word, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped("open");
  close(fd);
  return exposed("%s is open for writing", row.word);
}

}  // namespace immure::probes

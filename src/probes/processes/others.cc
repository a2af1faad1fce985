#include "probes/processes/others.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace immure::probes {

pid_t target_of(const Yard& yard, const Probe& row, Attempt& why) {
  if (std::strcmp(row.word, kFirst) == 0) return 1;
  const bool of_launcher = std::strcmp(row.word, kLauncher) == 0;
  const pid_t pid = of_launcher ? yard.launcher : yard.witness;
  if (pid <= 0) {
    why = not_applicable("%s is not known", row.word);
    return 0;
  }
  // With no jail around, the launcher has become our own parent.
  const bool is_near = pid == getppid() || (getsid(pid) > 0 && getsid(pid) == getsid(0));
  if (pid == getpid() || (is_near && !of_launcher)) {
    why = stopped("look for the process", ESRCH);
    return 0;
  }
  return pid;
}

Attempt door_to(const char* where, long result) {
  if (result < 0 && (errno == ESRCH || errno == ENOENT)) return stopped(where);
  return door(where, result);
}

long status_number(pid_t pid, const char* name) {
  char path[48], text[4096], key[32];
  std::snprintf(path, sizeof path, "/proc/%d/status", pid);
  if (read_text(path, text, sizeof text) < 0) return -1;
  std::snprintf(key, sizeof key, "\n%s:\t", name);
  const char* at = std::strstr(text, key);
  return at == nullptr ? -1 : std::strtol(at + std::strlen(key), nullptr, 10);
}

}  // namespace immure::probes

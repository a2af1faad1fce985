#include "probes/consent.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstring>

namespace immure::probes {
namespace {

constexpr ino_t kFirstOfKernel = 0xf0000000;
constexpr size_t kMostLine = 4096;  // COMMAND_LINE_SIZE is 2048 on x86

bool is(const char* begin, const char* end, const char* wanted) {
  const size_t length = std::strlen(wanted);
  return static_cast<size_t>(end - begin) == length && std::memcmp(begin, wanted, length) == 0;
}

}  // namespace

Consent needed(const Probe& probe) {
  if ((probe.flags & kFatal) != 0) return Consent::End;
  return (probe.flags & kExpendable) != 0 ? Consent::Damage : Consent::None;
}

const char* word(Consent consent) {
  switch (consent) {
    case Consent::None: return "";
    case Consent::Damage: return kDamageWord;
    case Consent::End: return kEndWord;
  }
  return "";
}

Consent consent_in(const char* line) {
  Consent found = Consent::None;
  for (const char* at = line; *at != '\0';) {
    at += std::strspn(at, " \t\n");
    const char* begin = at;
    for (bool quoted = false; *at != '\0' && (quoted || std::strchr(" \t\n", *at) == nullptr); ++at)
      if (*at == '"') quoted = !quoted;
    if (is(begin, at, kEndWord)) return Consent::End;
    if (is(begin, at, kDamageWord)) found = Consent::Damage;
  }
  return found;
}

Consent consent_at(int fd) {
  struct statfs system {};
  struct stat file {};
  if (fstatfs(fd, &system) != 0 || system.f_type != PROC_SUPER_MAGIC) return Consent::None;
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_ino < kFirstOfKernel) return Consent::None;
  char line[kMostLine];
  const ssize_t n = pread(fd, line, sizeof line - 1, 0);
  if (n <= 0) return Consent::None;
  line[n] = '\0';
  return consent_in(line);
}

}  // namespace immure::probes

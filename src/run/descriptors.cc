#include "run/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/text.h"

namespace immure::run {

namespace {

bool leads_out(const struct stat& st) { return S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode); }
const char* kind(const struct stat& st) { return S_ISDIR(st.st_mode) ? "directory" : "disk"; }

}  // namespace

Status check_standard_descriptors() {
  for (int fd = 0; fd < 3; fd++) {
    std::string number = num(static_cast<uint64_t>(fd));
    struct stat st {};
    if (fstat(fd, &st) != 0) {
      int opened = open("/dev/null", O_RDWR);
      if (opened != fd) return fail(Code::kSystem, "descriptor " + number + " is closed", {}, {}, {}, errno);
      continue;
    }
    if (leads_out(st))
      return fail(Code::kBadValue, "descriptor " + number + " of immure is a " + kind(st),
                  "the program would get it, and walk out of the jail with it", "redirect it to a file, a pipe or /dev/null");
  }
  return {};
}

Status check_passed_descriptors(const JailSpec& spec) {
  for (const FdGrant& grant : spec.fds) {
    if (!grant.path.value.empty()) continue;
    std::string option = "--pass-fd " + num(static_cast<uint64_t>(grant.number));
    struct stat st {};
    if (fstat(grant.number, &st) != 0)
      return fail(Code::kBadValue, option + " cannot be passed", "it is not open", "open it in the caller: immure run --pass-fd 5 … 5<FILE",
                  spec.origin_text(grant.origin), errno);
    if (leads_out(st))
      return fail(Code::kBadValue, option + " is a " + kind(st),
                  "whoever holds it walks out of the jail with it", "use --bind or --ro-bind",
                  spec.origin_text(grant.origin));
  }
  return {};
}

Status check_status_descriptor(int fd) {
  if (fd < 0 || fcntl(fd, F_GETFD) >= 0) return {};
  return fail(Code::kBadValue, "--status-fd " + num(static_cast<uint64_t>(fd)) + " cannot be written to", "it is not open",
              "open it in the caller: immure run --status-fd 5 … 5>FILE", {}, errno);
}

}  // namespace immure::run

#include <cstdio>

#include "audit/rules/host/rules.h"

namespace immure::audit {
namespace {

std::string mode_text(const ModeSeen& seen) {
  char text[64];
  snprintf(text, sizeof text, "mode %04o, owner %u:%u", seen.mode, seen.uid, seen.gid);
  return text;
}

void check_sockets(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const ModeSeen& one : facts.host->sockets)
    if ((one.mode & 02) != 0) answers.found(one.path, mode_text(one), one.path);
}

// Devices that everybody may open by the design of distributions: the program still has to have the node.
bool is_common(std::string_view path) { return path == "/dev/fuse" || path == "/dev/kvm"; }

void check_devices(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const ModeSeen& one : facts.host->devices) {
    if (is_common(one.path)) {
      if ((one.mode & 06) != 0) answers.found(Severity::Advice, one.path, mode_text(one), one.path);
    } else if (one.path == "/dev/kmsg") {
      if ((one.mode & 02) != 0) answers.found(Severity::Low, one.path, mode_text(one), one.path);
    } else if ((one.mode & 06) != 0) {
      answers.found(one.path, mode_text(one), one.path);
    }
  }
}

}  // namespace

const Rule kHostManagerSocket = {
    "host-manager-socket",
    Look::Host,
    Severity::Critical,
    Concern::Privilege,
    Point::HostKernel,
    "everybody commands the manager of containers",
    "Who can connect asks it for a container with the root of the host in it, and is root. A jail with that socket and "
    "any user id has no walls.",
    "chmod o-rwx {path}",
    "",
    "unix(7); https://docs.docker.com/engine/security/",
    check_sockets,
    Mend::None,
    "planted-docker-socket connect-managers"};
const Rule kHostDeviceModes = {
    "host-device-modes",
    Look::Host,
    Severity::High,
    Concern::Isolation,
    Point::HostKernel,
    "a device is open to everybody",
    "Its mode decides for everybody who has a node of it, also for jails with the /dev of the host. Disks and memory "
    "are the machine itself; KVM and FUSE are much code of the kernel.",
    "chmod o-rwx {path}",
    "a rule of udev keeps it: udev(7)",
    "udev(7)",
    check_devices,
    Mend::None,
    "dev-disks dev-memory dev-misc"};

}  // namespace immure::audit

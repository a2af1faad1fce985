// perf_event_open(2): counters, whose code is large, and whose samples tell about others.
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

perf_event_attr clock_event() {
  perf_event_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.disabled = 1;
  return attributes;
}

Attempt count(perf_event_attr attributes, int pid, int cpu) {
  int fd = static_cast<int>(syscall(SYS_perf_event_open, &attributes, pid, cpu, -1, 0));
  if (fd < 0) return stopped("perf_event_open");
  close(fd);
  return exposed("perf_event_open gave an event");
}

// Above 2 the kernel of some distributions lets nobody count who has no rights over the host.
bool lets_nobody() {
  char level[16];
  return read_text("/proc/sys/kernel/perf_event_paranoid", level, sizeof level) > 0 &&
         std::strtol(level, nullptr, 10) > 2;
}

Attempt own(const Yard&, const Probe&) {
  perf_event_attr attributes = clock_event();
  attributes.exclude_kernel = attributes.exclude_hv = 1;
  Attempt attempt = count(attributes, 0, -1);
  if (attempt.error == EACCES && lets_nobody())
    return not_applicable("perf_event_paranoid lets nobody count who has no rights over the host");
  return attempt;
}
Attempt with_kernel(const Yard&, const Probe&) { return count(clock_event(), 0, -1); }
Attempt of_processor(const Yard&, const Probe&) { return count(clock_event(), -1, 0); }

constexpr Probe kPerfEvents[] = {
    {"perf-own", Category::Kernel, "count events of the own process",
     "Opens a software counter for the own process, without the kernel's part. It is open to every user at "
     "the kernel's own setting of perf_event_paranoid, and was enough for CVE-2013-2094, which gave root to "
     "everybody.",
     "perf_event_open(2), CVE-2013-2094", by(Layer::Seccomp), Proof::None,
     loosened("--allow-syscall perf_event_open"), own},
    {"perf-kernel", Category::Kernel, "count what the kernel does",
     "A counter that takes samples inside the kernel tells its addresses, and by that undoes their "
     "randomization. The kernel asks for CAP_PERFMON, or for a host that has lowered perf_event_paranoid.",
     "perf_event_open(2)", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs), Proof::None, kBare,
     with_kernel},
    {"perf-processor", Category::Kernel, "count what a processor does for everybody",
     "A counter of a whole processor sees every process that runs there, of the host and of other jails, and "
     "its samples carry their addresses and registers. Opened for processor 0 and closed at once.",
     "perf_event_open(2)", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs), Proof::None, kBare,
     of_processor},
};

}  // namespace

std::span<const Probe> perf_events() { return kPerfEvents; }

}  // namespace immure::probes

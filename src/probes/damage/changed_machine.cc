// What all programs of the machine share: its clock, and that it runs.
#include <linux/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "probes/damage/harm.h"

namespace immure::probes {
namespace {

constexpr time_t kHour = 3600;

Attempt set_clock(const Yard&, const Probe&) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += kHour;
  return clock_settime(CLOCK_REALTIME, &now) == 0 ? escaped("clock_settime took it")
                                                  : stopped("clock_settime");
}

Attempt restart(const Yard&, const Probe&) {
  sync();
  syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, nullptr);
  return stopped("reboot");
}

constexpr uint32_t kBy = by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs);

constexpr Probe kChangedMachine[] = {
    harm("damage-clock", "put the machine's clock forward",
         "Puts the clock of the host an hour forward. Certificates end by it, logs lie, and what waits for a "
         "time begins; no namespace holds this clock.",
         "clock_settime(2)", kBy, set_clock, "clock"),
    harm("damage-reboot", "restart the machine",
         "Calls reboot with the right numbers. Without a pid namespace of its own, it is the machine that "
         "restarts, in the middle of whatever all others do.",
         "reboot(2)", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs, Layer::PidNs), restart, "",
         kFatal),
};

}  // namespace

std::span<const Probe> changed_machine() { return kChangedMachine; }

}  // namespace immure::probes

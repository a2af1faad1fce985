// When the host was started. Each clock is turned into seconds since 1970 and held against what the yard
// knows.
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "probes/inside.h"

namespace immure::probes {
namespace {

// Not here: times(2) and /proc/self/sched, which tell it too. The processor's own counter does so without
// asking anybody, and nothing takes that from a program.
constexpr int64_t kYoung = 60;      // seconds
constexpr int64_t kTolerance = 10;  // seconds, of rounding and of a wall clock that is put right

Attempt judge(const Yard& yard, const char* where, double up, int64_t tolerance = kTolerance) {
  if (yard.boot_time == 0) return not_applicable("it is not known when the host was started");
  if (time(nullptr) - yard.boot_time < kYoung)
    return not_applicable("the host is so young that a jail's own start is not to be told from its");
  auto boot = static_cast<int64_t>(static_cast<double>(time(nullptr)) - up);
  int64_t off = boot - yard.boot_time;
  if (off < -tolerance || off > tolerance) return stopped(where, ENOMSG);
  return exposed("%s tells that the host was started %lld s ago", where, static_cast<long long>(up));
}

Attempt by_clock(const Yard& yard, const Probe& row) {
  timespec now{};
  if (clock_gettime(static_cast<clockid_t>(row.number), &now) != 0) return stopped("clock_gettime");
  return judge(yard, row.word, static_cast<double>(now.tv_sec));
}

Attempt by_sysinfo(const Yard& yard, const Probe&) {
  struct sysinfo info {};
  if (sysinfo(&info) != 0) return stopped("sysinfo");
  return judge(yard, "sysinfo", static_cast<double>(info.uptime));
}

// The kernel counts in ticks of its own that begin five minutes before an overflow of 32 bits.
double since_start(double ticks, double kernel_ticks, double unit) {
  return (ticks - static_cast<double>(static_cast<uint32_t>(-300 * static_cast<int>(kernel_ticks))) * unit /
                      kernel_ticks) /
         unit;
}

// `unit` ticks a second are counted; how often the kernel itself ticks is tried.
Attempt by_ticks(const Yard& yard, const char* where, double ticks, double unit) {
  Attempt attempt = stopped(where, ENOMSG);
  for (double kernel_ticks : {1000.0, 250.0, 300.0, 100.0}) {
    attempt = judge(yard, where, since_start(ticks, kernel_ticks, unit == 0 ? kernel_ticks : unit));
    if (attempt.outcome != Outcome::Stopped) break;
  }
  return attempt;
}

Attempt by_schedstat(const Yard& yard, const Probe&) {
  static char text[8192];
  if (read_text("/proc/schedstat", text, sizeof text) < 0 && errno != EINVAL) return stopped("open");
  const char* at = std::strstr(text, "timestamp ");
  if (at == nullptr) return stopped("read", ENOMSG);
  return by_ticks(yard, "/proc/schedstat", std::strtod(at + std::strlen("timestamp "), nullptr), 0);
}

Attempt by_uptime(const Yard& yard, const Probe&) {
  char text[128];
  if (read_text("/proc/uptime", text, sizeof text) < 0) return stopped("open");
  return judge(yard, "/proc/uptime", std::strtod(text, nullptr));
}

Attempt by_stat(const Yard& yard, const Probe&) {
  if (yard.boot_time == 0) return not_applicable("it is not known when the host was started");
  static char text[1 << 17];
  if (read_text("/proc/stat", text, sizeof text) < 0) return stopped("open");
  const char* at = std::strstr(text, "\nbtime ");
  if (at == nullptr) return stopped("read", ENOMSG);
  return judge(yard, "/proc/stat", static_cast<double>(time(nullptr)) - std::strtod(at + 7, nullptr));
}

// What pid 1 of the host was started at: a jail that shows its processes tells it by them, too.
Attempt by_start_of_one(const Yard& yard, const Probe&) {
  char text[1024];
  if (read_text("/proc/1/stat", text, sizeof text) < 0) return stopped("open");
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) at = std::strchr(at + 1, ' ');
  if (at == nullptr) return stopped("read", ENOMSG);
  timespec now{};
  if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) return stopped("clock_gettime");
  double age = static_cast<double>(now.tv_sec) - std::strtod(at, nullptr) / 100;
  return judge(yard, "/proc/1/stat", age);
}

constexpr uint32_t kBy = by(Layer::TimeNs);
constexpr Control kOff = loosened("--need time-ns=off");

constexpr Probe kStartOfHost[] = {
    {"uptime-boot-clock", Category::Information, "the host's start by the boot clock",
     "Reads the clock that counts since the start, sleep included. When a machine was started tells which "
     "kernel fixes it cannot have, and is a number by which two jails know that they are on the same "
     "machine.",
     "clock_gettime(2), time_namespaces(7) since 5.6", kBy, Proof::None, kOff, by_clock, kPlain,
     "CLOCK_BOOTTIME", CLOCK_BOOTTIME},
    {"uptime-monotonic", Category::Information, "the host's start by the monotonic clock",
     "Reads the clock that nobody sets. It begins with the machine, too, and differs from the boot clock by "
     "the time that it slept.",
     "clock_gettime(2), time_namespaces(7)", kBy, Proof::None, kOff, by_clock, kPlain, "CLOCK_MONOTONIC",
     CLOCK_MONOTONIC},
    {"uptime-raw", Category::Information, "the host's start by the raw clock",
     "Reads the hardware's clock without corrections. It has the same beginning as the monotonic one, and "
     "the same namespace must move it.",
     "clock_gettime(2), CLOCK_MONOTONIC_RAW", kBy, Proof::None, kOff, by_clock, kPlain, "CLOCK_MONOTONIC_RAW",
     CLOCK_MONOTONIC_RAW},
    {"uptime-sysinfo", Category::Information, "the host's start by sysinfo",
     "Asks the call that tools ask for the time since the start. The same call tells the load and the "
     "memory, and has no file that could be masked.",
     "sysinfo(2)", kBy, Proof::None, kOff, by_sysinfo},
    {"uptime-file", Category::Information, "the host's start in /proc/uptime",
     "Reads the file that tools show. Old jails masked the file and left the clocks, or the other way round.",
     "proc(5), /proc/uptime", kBy, Proof::None, kOff, by_uptime},
    {"uptime-stat", Category::Information, "the host's start in /proc/stat",
     "Reads the line btime, which says the second in which the machine was started. The first kernels with "
     "time namespaces wrote the host's there.",
     "proc(5), /proc/stat", kBy, Proof::None, kOff, by_stat},
    {"uptime-init", Category::Information, "the host's start by the age of process 1",
     "Reads when process 1 was started. The host's first process is as old as the machine; a jail's own is "
     "young.",
     "proc(5), /proc/pid/stat", by(Layer::PidNs, Layer::TimeNs, Layer::Mounts), Proof::None, kBare,
     by_start_of_one},
    {"uptime-schedstat", Category::Information, "the host's start in /proc/schedstat",
     "Reads the statistics of the scheduler, whose second line is the kernel's counter of ticks. No "
     "namespace moves it.",
     "Documentation/scheduler/sched-stats.rst", by(Layer::Mounts), Proof::None, kBare, by_schedstat},
};

}  // namespace

std::span<const Probe> start_of_host() { return kStartOfHost; }

}  // namespace immure::probes

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sysinfo.h>
#include <time.h>

#include "kernel/capabilities.h"
#include "kernel/features.h"
#include "kernel/namespaces.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure {
namespace {

// The machine's own user namespace has this inode for ever; its maps are the identity and need no reading.
// Source: include/linux/proc_ns.h, PROC_USER_INIT_INO.
constexpr uint64_t kInitialUserNs = 0xeffffffd;
constexpr long kTcgets = 0x5401;

void read_map(const char* path, std::vector<Host::Range>& ranges) {
  char buffer[4096];
  std::string_view text = read_view(path, buffer), line;
  while (next_line(text, line))
    if (auto range = parse_id_map_line(line)) ranges.push_back({range->inside, range->outside, range->count});
}

// Asked of the kernel itself: to find the vDSO's way for two questions takes longer.
uint64_t clock_ns(clockid_t clock) {
  long t[2] = {0, 0};
  sys::call(__NR_clock_gettime, clock, sys::arg(t));
  return static_cast<uint64_t>(t[0]) * 1'000'000'000 + static_cast<uint64_t>(t[1]);
}

std::vector<uint32_t> allowed_processors() {
  uint64_t mask[128] = {};  // 8192 processors
  long bytes = sys::call(__NR_sched_getaffinity, 0, sizeof mask, sys::arg(mask));
  std::vector<uint32_t> numbers;
  for (long i = 0; i < bytes / 8; i++)
    for (uint64_t rest = mask[i]; rest != 0; rest &= rest - 1)
      numbers.push_back(static_cast<uint32_t>(i * 64 + __builtin_ctzll(rest)));
  if (numbers.empty()) numbers.push_back(0);
  return numbers;
}

int lowest_free_fd() {
  // fcntl on a low descriptor that is open; with all three closed the lowest free one is 3 or nothing
  // matters.
  for (long fd = 0; fd < 3; fd++) {
    long copy = sys::call(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    if (sys::failed(copy)) continue;
    sys::close(static_cast<int>(copy));
    return static_cast<int>(copy);
  }
  return 3;
}

}  // namespace

Host Host::observe() {
  Host host;
  host.uid = static_cast<uint32_t>(sys::call(__NR_geteuid));
  host.gid = static_cast<uint32_t>(sys::call(__NR_getegid));
  host.pid = static_cast<uint32_t>(sys::call(__NR_getpid));
  bool first_user_ns = false;
  {
    const Namespaces namespaces = Namespaces::own();   // gone before the lowest free descriptor is asked for
    host.pid_ns = namespaces.inode("pid");
    first_user_ns = namespaces.inode("user") == kInitialUserNs;
  }
  auto own = own_capabilities();
  host.capabilities_known = own.has_value();
  if (own) host.capabilities = own->effective;
  constexpr uint64_t kNeeded =
      uint64_t{1} << CAP_SYS_ADMIN | uint64_t{1} << CAP_SETUID | uint64_t{1} << CAP_SETGID;
  host.privileged = (host.capabilities & kNeeded) == kNeeded;
  if (first_user_ns) {
    host.uid_ranges = host.gid_ranges = {{0, 0, UINT32_MAX}};
  } else {
    read_map("/proc/self/uid_map", host.uid_ranges);
    read_map("/proc/self/gid_map", host.gid_ranges);
  }
  struct sysinfo info {};
  for (size_t resource = 0; resource < host.hard_limits.size(); resource++) {
    uint64_t limit[2] = {0, 0};
    sys::call(__NR_prlimit64, 0, static_cast<long>(resource), 0, sys::arg(limit));
    host.hard_limits[resource] = limit[1];
  }
  if (!sys::failed(sys::call(__NR_sysinfo, sys::arg(&info))))
    host.memory_bytes = info.totalram * info.mem_unit;
  host.processor_numbers = allowed_processors();
  host.processors = static_cast<unsigned>(host.processor_numbers.size());
  char cwd[4096];
  cwd[0] = '\0';
  // Outside the root the kernel says "(unreachable)/…"; that is no path to go to.
  if (!sys::failed(sys::call(__NR_getcwd, sys::arg(cwd), sizeof cwd)) && cwd[0] == '/') host.cwd = cwd;
  for (int fd = 0; fd < 3; fd++) {
    char termios[64];
    host.tty[fd] = !sys::failed(sys::call(__NR_ioctl, fd, kTcgets, sys::arg(termios)));
  }
  host.wall_ns = clock_ns(CLOCK_REALTIME);
  host.boot_ns = clock_ns(CLOCK_BOOTTIME);
  host.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
  host.oldest_free_fd = lowest_free_fd();
  return host;
}

}  // namespace immure

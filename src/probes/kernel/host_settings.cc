// Calls that set up the whole host. Each gets an argument that is refused after the look at the caller's
// rights.
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr char kNowhere[] = "/immure-no-such-folder/file";
constexpr uint32_t kHostRoot = by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs);

Attempt account(const Yard&, const Probe&) { return door("acct", syscall(SYS_acct, kNowhere)); }
Attempt swap_on(const Yard&, const Probe&) { return door("swapon", syscall(SYS_swapon, kNowhere, 0)); }
Attempt swap_off(const Yard&, const Probe&) { return door("swapoff", syscall(SYS_swapoff, kNowhere)); }
Attempt restart(const Yard&, const Probe&) { return door("reboot", syscall(SYS_reboot, 1, 2, 3, nullptr)); }
Attempt host_name(const Yard&, const Probe&) {
  return door("sethostname", syscall(SYS_sethostname, nullptr, 5000));
}
Attempt domain_name(const Yard&, const Probe&) {
  return door("setdomainname", syscall(SYS_setdomainname, nullptr, 5000));
}

// A zone that is none, and no time.
Attempt set_day(const Yard&, const Probe&) {
  struct timezone zone = {99999, 0};
  return door("settimeofday", syscall(SYS_settimeofday, nullptr, &zone));
}

// A length of the tick that is out of range: who may not adjust hears EPERM before.
Attempt adjust(const Yard&, const Probe& row) {
  timex wish;
  std::memset(&wish, 0, sizeof wish);
  wish.modes = ADJ_TICK;
  long result =
      row.number == SYS_adjtimex ? syscall(SYS_adjtimex, &wish) : syscall(SYS_clock_adjtime, 0, &wish);
  return door(row.word, result);
}

Attempt ports(const Yard&, const Probe& row) {
  // The right goes with this process; no port is used.
  long result = row.number == SYS_iopl ? syscall(SYS_iopl, 3) : syscall(SYS_ioperm, 0x80UL, 1UL, 1);
  if (result != 0) return stopped(row.word);
  return exposed("%s opened ports of the hardware", row.word);
}

constexpr int kGetFormat = 0x800004 << 8;  // QCMD(Q_GETFMT, USRQUOTA)
Attempt quota(const Yard&, const Probe&) {
  return door("quotactl", syscall(SYS_quotactl, kGetFormat, kNowhere, 0, nullptr));
}
Attempt quota_fd(const Yard&, const Probe&) {
  return door("quotactl_fd", syscall(443, -1, kGetFormat, 0, nullptr));
}

// The kernel's log: its size, and its last bytes, which stay in it.
Attempt log_size(const Yard&, const Probe&) {
  long size = syscall(SYS_syslog, 10, nullptr, 0);
  return size < 0 ? stopped("syslog") : exposed("the kernel's log has %ld bytes", size);
}
Attempt log_read(const Yard&, const Probe&) {
  char some[256];
  long n = syscall(SYS_syslog, 3, some, static_cast<int>(sizeof some));
  return n < 0 ? stopped("syslog") : exposed("%ld bytes of the kernel's log were read", n);
}

constexpr Probe kHostSettings[] = {
    {"accounting", Category::Kernel, "switch process accounting",
     "acct names the file into which the kernel writes a record of every process that ends, or switches that "
     "off. A file of the attacker's choice fills with data of the host. The path of the attempt does not "
     "exist.",
     "acct(2)", kHostRoot, Proof::None, kBare, account},
    {"swap-on", Category::Kernel, "add swap space",
     "A swap area that the program prepared is memory of other processes, to read and to write, as soon as "
     "the kernel moves pages to it. The path of the attempt does not exist.",
     "swapon(2)", kHostRoot, Proof::None, kBare, swap_on},
    {"swap-off", Category::Kernel, "take swap space away",
     "Without its swap a loaded host kills processes. The path of the attempt does not exist.", "swapoff(2)",
     kHostRoot, Proof::None, kBare, swap_off},
    {"reboot", Category::Kernel, "reboot the machine",
     "Reboots, halts, or switches Ctrl-Alt-Del. In the host's own process namespace it is the machine that "
     "goes down, in one of its own the jail. The magic numbers of the attempt are wrong, which the kernel "
     "says after it has looked at the rights.",
     "reboot(2)", by(Layer::Seccomp, Layer::Capabilities), Proof::None,
     loosened("--cap-add sys_boot --allow-syscall reboot"), restart},
    {"host-name-set", Category::Kernel, "set the host's name",
     "A host whose name changes under way logs wrongly and fails checks of licences and mail. Who has the "
     "right hears that the length is wrong; nothing is set.",
     "sethostname(2)", by(Layer::Seccomp, Layer::Capabilities, Layer::UtsNs), Proof::None,
     loosened("--cap-add sys_admin --allow-syscall sethostname"), host_name},
    {"domain-name-set", Category::Kernel, "set the host's NIS domain",
     "The domain chooses whose maps of users a host of NIS believes. Who has the right hears that the length "
     "is wrong; nothing is set.",
     "setdomainname(2)", by(Layer::Seccomp, Layer::Capabilities, Layer::UtsNs), Proof::None,
     loosened("--cap-add sys_admin --allow-syscall setdomainname"), domain_name},
    {"clock-set", Category::Kernel, "set the time of day",
     "A moved clock makes certificates valid again, breaks logs and locks. The attempt asks for a time zone "
     "that is out of range and for no time.",
     "settimeofday(2)", kHostRoot, Proof::None, kBare, set_day},
    {"clock-adjtimex", Category::Kernel, "adjust the clock's rate by adjtimex",
     "Makes the host's clock run faster or slower. The tick of the attempt is out of range, which only who "
     "may adjust is told.",
     "adjtimex(2)", kHostRoot, Proof::None, kBare, adjust, kPlain, "adjtimex", SYS_adjtimex},
    {"clock-adjtime", Category::Kernel, "adjust the clock's rate by clock_adjtime",
     "The same through the call that takes the clock's number; filters that name only adjtimex miss it. The "
     "tick of the attempt is out of range here, too.",
     "clock_adjtime(2)", kHostRoot, Proof::None, kBare, adjust, kPlain, "clock_adjtime", SYS_clock_adjtime},
    {"ports-all", Category::Kernel, "input and output privilege for every port",
     "iopl with level 3 opens all ports of the hardware to the process: disks, keyboard, PCI configuration, "
     "all without the kernel. It is given to root of the host where the kernel was built with it.",
     "iopl(2)", kHostRoot, Proof::None, kBare, ports, kPlain, "iopl", SYS_iopl},
    {"ports-one", Category::Kernel, "permission for one port",
     "ioperm opens single ports. The one asked for shows diagnostic codes at boot, and is not touched.",
     "ioperm(2)", kHostRoot, Proof::None, kBare, ports, kPlain, "ioperm", SYS_ioperm},
    {"quota", Category::Kernel, "manage disk quotas",
     "quotactl sets and tells limits of other users, and its code parses requests before it asks who sends "
     "them. Here it is asked about a device that does not exist, for which no right is needed.",
     "quotactl(2)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall quotactl"), quota},
    {"quota-fd", Category::Kernel, "manage disk quotas by a descriptor",
     "The same by a descriptor of the file system, since Linux 5.14; lists of denied calls that are older do "
     "not have it. No descriptor is passed, which the kernel says to whom it lets that far.",
     "quotactl(2), kernel 5.14", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall quotactl_fd"),
     quota_fd},
    {"kernel-log-size", Category::Kernel, "ask for the size of the kernel's log",
     "Tells whether the log is open to the caller, which it is to every user unless kernel.dmesg_restrict is "
     "set. Only the size is asked for; what follows is reading the log, with addresses and names of others "
     "in it.",
     "syslog(2)", kHostRoot, Proof::None, kBare, log_size},
    {"kernel-log-read", Category::Kernel, "read the kernel's log",
     "The log has kernel addresses, hardware, names of other programs and what the firewall dropped. Reading "
     "all of it leaves it as it is.",
     "syslog(2)", kHostRoot, Proof::None, kBare, log_read},
};

}  // namespace

std::span<const Probe> host_settings() { return kHostSettings; }

}  // namespace immure::probes

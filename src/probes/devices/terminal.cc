// The terminal from which the jail was started: what is typed into its input, the caller's shell runs.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr unsigned long kTypeIn = 0x5412;         // TIOCSTI
constexpr unsigned long kSetDiscipline = 0x5423;  // TIOCSETD
constexpr unsigned long kTakeConsole = 0x541d;    // TIOCCONS
constexpr unsigned long kGetNumber = 0x80045432;  // TIOCGDEV

Attempt no_terminal() { return not_applicable("the launcher has no terminal here"); }

// A jail's own terminal may have the same number in a devpts of its own.
bool is_the_yards(const Yard& yard, int fd) {
  unsigned number = 0;
  if (ioctl(fd, kGetNumber, &number) != 0 || static_cast<int64_t>(number) != yard.terminal) return false;
  struct stat node {};
  if (fstat(fd, &node) == 0 && static_cast<int64_t>(node.st_rdev) == yard.terminal)
    return static_cast<int64_t>(node.st_dev) == yard.terminal_device;
  char path[32];
  std::snprintf(path, sizeof path, "/dev/pts/%u", minor(static_cast<dev_t>(yard.terminal)));
  return stat(path, &node) != 0 || static_cast<int64_t>(node.st_dev) == yard.terminal_device;
}

// By the name that means the controlling terminal, or among what was inherited; -1 with errno.
int the_terminal(const Yard& yard) {
  int failed = ENOTTY;
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && is_the_yards(yard, fd)) return fd;
  if (fd < 0) failed = errno;
  if (fd >= 0) close(fd);
  for (int inherited = 0; inherited < 32; ++inherited)
    if (is_the_yards(yard, inherited)) return inherited;
  errno = failed;
  return -1;
}

Attempt open_controlling(const Yard& yard, const Probe&) {
  if (yard.terminal == 0) return no_terminal();
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return stopped("open /dev/tty");
  bool same = is_the_yards(yard, fd);
  close(fd);
  return same ? exposed("/dev/tty is the caller's terminal: keys can be read, and calls typed into it")
              : stopped("the caller's terminal", ENOTTY);
}

// One blank into the input of the yard's terminal, with the bits of `number` above the request's own 32: the
// kernel does not look at them.
Attempt type_in(const Yard& yard, const Probe& row) {
  if (yard.terminal == 0) return no_terminal();
  int fd = the_terminal(yard);
  if (fd < 0) return stopped("open /dev/tty");
  const char typed = ' ';
  if (syscall(SYS_ioctl, fd, kTypeIn | static_cast<unsigned long>(row.number), &typed) != 0)
    return stopped("ioctl TIOCSTI");
  return exposed("a key was typed into the caller's terminal");
}

Attempt change_modes(const Yard& yard, const Probe&) {
  if (yard.terminal == 0) return no_terminal();
  int fd = the_terminal(yard);
  if (fd < 0) return stopped("open /dev/tty");
  signal(SIGTTOU, SIG_IGN);
  termios modes{};
  if (ioctl(fd, TCGETS, &modes) != 0) return stopped("ioctl TCGETS");
  if (ioctl(fd, TCSETS, &modes) != 0) return stopped("ioctl TCSETS");  // what it has: nothing changes
  return exposed("the modes of the caller's terminal can be set");
}

Attempt flush_input(const Yard& yard, const Probe&) {
  if (yard.terminal == 0) return no_terminal();
  int fd = the_terminal(yard);
  if (fd < 0) return stopped("open /dev/tty");
  signal(SIGTTOU, SIG_IGN);
  if (ioctl(fd, TCFLSH, TCIFLUSH) != 0) return stopped("ioctl TCFLSH");
  return exposed("what is typed ahead at the caller's terminal can be thrown away");
}

Attempt resize(const Yard& yard, const Probe&) {
  if (yard.terminal == 0) return no_terminal();
  int fd = the_terminal(yard);
  if (fd < 0) return stopped("open /dev/tty");
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return stopped("ioctl TIOCGWINSZ");
  if (ioctl(fd, TIOCSWINSZ, &size) != 0) return stopped("ioctl TIOCSWINSZ");
  return exposed("the size of the caller's terminal can be set");
}

Attempt other_terminals(const Yard& yard, const Probe&) {
  if (yard.terminal == 0) return no_terminal();
  char path[32];
  std::snprintf(path, sizeof path, "/dev/pts/%u", minor(static_cast<dev_t>(yard.terminal)));
  struct stat node {};
  if (stat(path, &node) != 0) return stopped("stat in /dev/pts");
  if (static_cast<int64_t>(node.st_dev) != yard.terminal_device) return stopped("stat in /dev/pts", EXDEV);
  int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return stopped("open in /dev/pts");
  close(fd);
  return exposed("the host's terminals are in /dev/pts, and the caller's opens: %s", path);
}

// A terminal of our own, so that nobody's is touched; its slave side is opened with `flags`.
int own_terminal(int& master, int flags) {
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int unlock = 0;
  unsigned number = 0;
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) != 0 || ioctl(master, TIOCGPTN, &number) != 0)
    return -1;
  char path[32];
  std::snprintf(path, sizeof path, "/dev/pts/%u", number);
  return open(path, flags | O_NOCTTY | O_CLOEXEC);
}

// Number 1000 is that of no discipline: nothing is loaded and nothing changes.
Attempt set_discipline(const Yard&, const Probe& row) {
  int master = -1;
  int slave = own_terminal(master, O_RDWR);
  if (slave < 0) return stopped("open /dev/ptmx");
  const int discipline = 1000;
  unsigned long request = kSetDiscipline | static_cast<unsigned long>(row.number);
  return door("ioctl TIOCSETD", syscall(SYS_ioctl, slave, request, &discipline));
}

// A descriptor for reading is refused with EBADF, but after the right has been looked at.
Attempt take_console(const Yard&, const Probe&) {
  int master = -1;
  int slave = own_terminal(master, O_RDONLY);
  if (slave < 0) return stopped("open /dev/ptmx");
  return door("ioctl TIOCCONS", ioctl(slave, kTakeConsole, 0));
}

// In a session without a terminal there is nothing to hang up. Who leads a process group already cannot make
// one.
Attempt hang_up_nothing(const Yard&, const Probe&) {
  if (setsid() < 0) return stopped("setsid");
  return door("vhangup", vhangup());
}
Attempt hang_up(const Yard& yard, const Probe& row) { return apart(hang_up_nothing, yard, row); }

constexpr long kAbove = 1L << 32;

constexpr Probe kCallersTerminal[] = {
    {"tty-controlling", Category::Devices, "the caller's terminal by /dev/tty",
     "Opens /dev/tty and looks whether it is the terminal from which the jail was started. From it a program "
     "reads what is typed after it, and it is what every call below needs.",
     "tty(4)", by(Layer::Terminal), Proof::None, kBare, open_controlling, kTerminal},
    {"tty-type", Category::Devices, "TIOCSTI types into the caller's terminal",
     "Puts a key into the input of the caller's terminal. When the jail ends, the caller's shell reads it as "
     "typed: the program has a command line outside. bubblewrap, su and sudo had this hole; kernels since "
     "6.2 can refuse it.",
     "CVE-2017-5226", by(Layer::Terminal, Layer::Seccomp), Proof::None, kBare, type_in, kTerminal},
    {"tty-type-high", Category::Devices, "TIOCSTI with bits above its 32",
     "The kernel takes 32 bits of an ioctl's number, a filter compares 64. With a bit set above them the "
     "number is none that the filter forbids, and the key is typed all the same. Flatpak and snapd fell to "
     "it.",
     "CVE-2019-10063, CVE-2019-7303", by(Layer::Terminal, Layer::Seccomp), Proof::None, kBare, type_in,
     kTerminal, "", kAbove},
    {"tty-modes", Category::Devices, "modes of the caller's terminal",
     "Sets the modes of the caller's terminal, to what they are. A program could switch the echo off or "
     "change what keys mean, and they stay changed when the jail is gone.",
     "termios(3)", by(Layer::Terminal), Proof::None, kBare, change_modes, kTerminal},
    {"tty-flush", Category::Devices, "throws away what is typed ahead",
     "Flushes the input of the caller's terminal. What the caller has typed for his shell is lost.",
     "ioctl_tty(2), TCFLSH", by(Layer::Terminal), Proof::None, kBare, flush_input, kTerminal},
    {"tty-size", Category::Devices, "size of the caller's terminal",
     "Sets the size of the caller's terminal, to what it is. Another size sends a signal to the programs in "
     "the foreground there, and makes them draw wrongly.",
     "TIOCSWINSZ(2const)", by(Layer::Terminal), Proof::None, kBare, resize, kTerminal},
    {"tty-others", Category::Devices, "the host's terminals in /dev/pts",
     "Opens the caller's terminal by its name in /dev/pts. A jail that shows the host's instance shows the "
     "terminals of every session of the same user.",
     "pts(4)", by(Layer::Devices, Layer::UserNs), Proof::None, kBare, other_terminals, kTerminal},
    {"tty-discipline", Category::Devices, "line discipline of an own terminal",
     "Asks for a line discipline that does not exist, on a terminal of its own. With a number that exists, "
     "drivers of modems and buses load themselves, with errors such as CVE-2017-2636 in n_hdlc.",
     "CVE-2017-2636", by(Layer::Seccomp), Proof::None, loosened("--seccomp none"), set_discipline},
    {"tty-discipline-high", Category::Devices, "line discipline, with bits above the 32",
     "As before, with a bit set above the 32 that the kernel looks at, for filters that compare the whole "
     "word with a list of what they forbid. It is the same way past a filter as with TIOCSTI.",
     "CVE-2019-10063", by(Layer::Seccomp), Proof::None, loosened("--seccomp none"), set_discipline, kPlain,
     "", kAbove},
    {"tty-console", Category::Devices, "TIOCCONS takes the console's output",
     "Asks to have the output of the system console on a terminal of its own, with a descriptor that is good "
     "for reading only, so that it is refused after the check. It needs CAP_SYS_ADMIN outside.",
     "TIOCCONS(2const)", by(Layer::UserNs, Layer::Capabilities, Layer::Seccomp), Proof::None, kBare,
     take_console},
    {"tty-hangup", Category::Devices, "vhangup of the session's terminal",
     "Calls vhangup in a session without a terminal. With CAP_SYS_TTY_CONFIG it succeeds, and in a session "
     "with one it would cut everybody off who uses it.",
     "vhangup(2)", by(Layer::UserNs, Layer::Capabilities, Layer::Seccomp), Proof::None, kBare, hang_up},
};

}  // namespace

std::span<const Probe> callers_terminal() { return kCallersTerminal; }

}  // namespace immure::probes

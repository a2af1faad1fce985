// What a process hands on to whom it starts, over execve: a careless launcher's state becomes the program's.
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

// `kept`: the program has what the launcher had.
Attempt judge(const Yard& yard, const char* where, bool kept, long value) {
  if (yard.careless == 0) return not_applicable("the launcher has nothing of the kind to hand on");
  if (!kept) return stopped(where, ENOMSG);
  return exposed("the launcher's is kept: %ld", value);
}

Attempt blocked(const Yard& yard, const Probe&) {
  sigset_t set;
  if (sigprocmask(SIG_BLOCK, nullptr, &set) != 0) return stopped("sigprocmask");
  return judge(yard, "sigprocmask", sigismember(&set, kCarelessBlocked) == 1, kCarelessBlocked);
}
Attempt ignored(const Yard& yard, const Probe&) {
  struct sigaction action {};
  if (sigaction(kCarelessIgnored, nullptr, &action) != 0) return stopped("sigaction");
  return judge(yard, "sigaction", action.sa_handler == SIG_IGN, kCarelessIgnored);
}
Attempt mask_of_modes(const Yard& yard, const Probe&) {
  mode_t mask = umask(077);
  umask(mask);
  return judge(yard, "umask", mask == static_cast<mode_t>(kCarelessUmask), static_cast<long>(mask));
}
Attempt niceness(const Yard& yard, const Probe&) {
  if (yard.uid != 0) return not_applicable("only root's launcher can have a higher priority to hand on");
  errno = 0;
  int value = getpriority(PRIO_PROCESS, 0);
  if (errno != 0) return stopped("getpriority");
  return judge(yard, "getpriority", value < 0, value);
}
Attempt io_priority(const Yard& yard, const Probe&) {
  long value = syscall(SYS_ioprio_get, 1, 0);
  if (value < 0) return stopped("ioprio_get");
  return judge(yard, "ioprio_get", value == kCarelessIoPriority, value);
}
Attempt timer_slack(const Yard& yard, const Probe&) {
  long value = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  if (value < 0) return stopped("prctl PR_GET_TIMERSLACK");
  return judge(yard, "prctl PR_GET_TIMERSLACK", value == kCarelessTimerSlack, value);
}
Attempt of_personality(const Yard& yard, const Probe&) {
  // The call may be denied; the file shows it, too, to who may look.
  char text[64];
  unsigned value = 0;
  if (read_text("/proc/self/personality", text, sizeof text) >= 0) {
    if (std::sscanf(text, "%x", &value) != 1) return stopped("read", ENOMSG);
  } else {
    long now = syscall(SYS_personality, 0xffffffffUL);
    if (now < 0) return stopped("personality");
    value = static_cast<unsigned>(now);
  }
  return judge(yard, "personality", (value & kCarelessPersonality) != 0, static_cast<long>(value));
}

constexpr uint32_t kBy = by(Layer::Fds);

constexpr Probe kInheritedState[] = {
    {"kept-signal-mask", Category::Information, "signals that the launcher blocked",
     "Looks whether a signal is blocked that the launcher had blocked. A program does not expect that: "
     "signals it asks for never arrive, and who ends it by them waits in vain.",
     "execve(2), signal(7)", kBy, Proof::None, kBare, blocked},
    {"kept-ignored-signal", Category::Information, "signals that the launcher ignored",
     "Looks whether a signal is ignored that the launcher had ignored. Ignored signals stay so over execve, "
     "and decide whether the program notices what happens to it.",
     "execve(2), signal(7)", kBy, Proof::None, kBare, ignored},
    {"kept-umask", Category::Information, "the launcher's mask of file modes",
     "Looks whether new files get the modes that the launcher's mask leaves. With 0 everything that the "
     "program makes can be written by everybody.",
     "umask(2)", kBy, Proof::None, kBare, mask_of_modes},
    {"kept-nice", Category::Information, "the launcher's priority",
     "Looks whether it runs before others because the launcher does. Services that may not be late run so, "
     "and what they start takes the processors from everything else. A lower priority than usual is no "
     "danger, and often meant.",
     "setpriority(2)", kBy, Proof::None, kBare, niceness},
    {"kept-io-priority", Category::Information, "the launcher's priority at the disk",
     "Looks whether it has the launcher's class and level at the disk. The class for real time comes before "
     "everybody else's reading and writing.",
     "ioprio_set(2)", kBy, Proof::None, kBare, io_priority},
    {"kept-timer-slack", Category::Information, "the launcher's timer slack",
     "Looks whether its timers may be late by as much as those of the launcher. It is passed on to every "
     "child, and tells whose child the program is.",
     "prctl(2), PR_SET_TIMERSLACK", kBy, Proof::None, kBare, timer_slack},
    {"kept-personality", Category::Information, "a launcher without random addresses",
     "Looks whether the launcher's personality is kept, with which addresses of memory are no longer drawn "
     "at random. Programs started from a debugger have it, and every exploit gets easier.",
     "personality(2), ADDR_NO_RANDOMIZE", kBy, Proof::None, kBare, of_personality},
};

}  // namespace

std::span<const Probe> inherited_state() { return kInheritedState; }

}  // namespace immure::probes

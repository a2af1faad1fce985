// Switches of the process that weaken it or that hold what it may get.
#include <linux/securebits.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt no_new_privs(const Yard&, const Probe&) {
  int set = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  if (set < 0) return stopped("prctl");
  return set == 1 ? stopped("prctl", EPERM) : exposed("no_new_privs is not set: programs can give privilege");
}

bool can_get_something() {
  for (int i = 0; i < 64; ++i)
    if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) return true;
  return false;
}

// They count as long as there is a capability to be had.
Attempt secure_bits(const Yard&, const Probe&) {
  int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
  if (bits < 0) return stopped("prctl");
  constexpr int kWanted = 1 << SECURE_NOROOT | 1 << SECURE_NOROOT_LOCKED;
  if ((bits & kWanted) == kWanted || !can_get_something()) return stopped("prctl", EPERM);
  return exposed("user 0 means capabilities here: securebits %#x", static_cast<unsigned>(bits));
}

Attempt set_secure_bits(const Yard&, const Probe&) {
  int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
  if (bits < 0 || prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0) return stopped("prctl");
  return exposed("securebits can be set");
}

Attempt take_personality(const Yard&, const Probe& row) {
  if (personality(static_cast<unsigned long>(row.number)) < 0) return stopped("personality");
  if ((personality(0xffffffff) & row.number) == 0) return stopped("personality", EPERM);
  return exposed("%s was taken", row.word);
}

Attempt core_dump(const Yard&, const Probe&) {
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return stopped("getrlimit");
  if (limit.rlim_max == 0) return stopped("getrlimit", EPERM);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_CORE, &limit) != 0) return stopped("setrlimit");
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) return stopped("prctl");
  return exposed("a crash leaves a core dump, or starts the host's collector");
}

// Address 1 is refused, but after the right has been looked at.
Attempt move_memory(const Yard&, const Probe&) {
  return door("prctl PR_SET_MM", prctl(PR_SET_MM, PR_SET_MM_ARG_START, 1, 0, 0));
}

// Endless where it is granted: the room that an unprivileged program locks is bounded.
Attempt raise_limit(const Yard&, const Probe&) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return stopped("getrlimit");
  const rlimit before = limit;
  limit.rlim_max = limit.rlim_max + 1;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return stopped("setrlimit");
  setrlimit(RLIMIT_NOFILE, &before);
  return exposed("a hard limit was raised");
}

constexpr Probe kProcessState[] = {
    {"no-new-privs", Category::Privilege, "no_new_privs is not set",
     "Reads the switch with which a process gives up gaining rights by starting programs. It cannot be taken "
     "back, and it is what an unprivileged system call filter stands on. In the kernel since 3.5.",
     "PR_SET_NO_NEW_PRIVS(2const)", by(Layer::NoNewPrivs), Proof::None,
     loosened("--need no-new-privs=off --need seccomp=off --need landlock=off"), no_new_privs},
    {"securebits", Category::Privilege, "user 0 is privileged when a program starts",
     "Reads the securebits. As long as they are not locked and the bounding set offers something, a program "
     "that is started as user 0 has it, whatever its starter had.",
     "capabilities(7), The securebits flags", by(Layer::Securebits, Layer::Capabilities), Proof::None,
     loosened("--cap-add chown --need securebits=off"), secure_bits},
    {"securebits-set", Category::Privilege, "sets the securebits",
     "Sets the securebits to what they are. Who can has CAP_SETPCAP, and with it unlocks what an id of 0 and "
     "a change of the id mean.",
     "PR_SET_SECUREBITS(2const)", by(Layer::Capabilities), Proof::None, loosened("--cap-add setpcap"),
     set_secure_bits},
    {"personality-layout", Category::Privilege, "personality without random addresses",
     "Takes the personality in which programs lie at the same addresses each time. What the program then "
     "starts is open to attacks which have to know addresses.",
     "personality(2)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall personality"),
     take_personality, kPlain, "ADDR_NO_RANDOMIZE", ADDR_NO_RANDOMIZE},
    {"personality-exec", Category::Privilege, "personality in which data can be executed",
     "Takes the personality in which memory that can be read can be executed too, which undoes the oldest "
     "protection against injected code for everything that is started after it. It holds for everything that "
     "the process maps afterwards.",
     "personality(2)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall personality"),
     take_personality, kPlain, "READ_IMPLIES_EXEC", READ_IMPLIES_EXEC},
    {"core-dump", Category::Privilege, "core dumps",
     "Looks whether a crash would leave a core dump. The collector that the host has set gets it, running as "
     "root outside, and such collectors were fooled more than once, as in CVE-2025-5054 and CVE-2025-4598.",
     "core(5), CVE-2025-4598", by(Layer::Rlimits), Proof::None, kBare, core_dump},
    {"move-memory", Category::Privilege, "PR_SET_MM moves what a process says of itself",
     "Asks to move the place of its own arguments to an address that is refused only after the check. With "
     "CAP_SYS_RESOURCE a process thus lies in /proc about its command line, environment and program.",
     "PR_SET_MM(2const)", by(Layer::UserNs, Layer::Capabilities, Layer::Seccomp), Proof::None, kBare,
     move_memory},
    {"raise-limit", Category::Privilege, "raises a hard limit",
     "Asks for a hard limit of one more open file, and puts it back. With CAP_SYS_RESOURCE on the host no "
     "limit of a process holds.",
     "setrlimit(2)", by(Layer::UserNs, Layer::Capabilities), Proof::None, kBare, raise_limit},
};

}  // namespace

std::span<const Probe> process_state() { return kProcessState; }

}  // namespace immure::probes

// The kernel's keys. Their permissions know no namespace but that of users, and the calls have a history.
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt add(const Yard&, const Probe&) {
  // The keyring of this process goes with it.
  return door("add_key", syscall(SYS_add_key, "user", "immure-probe", "x", 1UL,
                                 static_cast<long>(KEY_SPEC_PROCESS_KEYRING)));
}

Attempt request(const Yard&, const Probe&) {
  // With no place for it, nobody outside is asked to make one.
  return door("request_key", syscall(SYS_request_key, "user", "immure-no-such-key", nullptr, 0L));
}

Attempt own_session(const Yard&, const Probe&) {
  return door("keyctl join", syscall(SYS_keyctl, static_cast<long>(KEYCTL_JOIN_SESSION_KEYRING), nullptr));
}

Attempt user_keyring(const Yard&, const Probe&) {
  long serial = syscall(SYS_keyctl, static_cast<long>(KEYCTL_GET_KEYRING_ID),
                        static_cast<long>(KEY_SPEC_USER_KEYRING), 0L);
  if (serial < 0) return stopped("keyctl id");
  return exposed("the keyring of the user has the serial number %ld", serial);
}

constexpr Probe kKeyCalls[] = {
    {"key-add", Category::Kernel, "add a key",
     "Puts a key into the keyring of the own process. Keys are not bound to a namespace of their own; what "
     "one jail stores, another of the same user finds, and the code has been exploited (CVE-2016-0728).",
     "add_key(2)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall add_key"), add},
    {"key-request-call", Category::Kernel, "ask for a key",
     "request_key searches the caller's keyrings, and may have the host start /sbin/request-key as root for "
     "a key that is not there. The attempt asks without that.",
     "request_key(2)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall request_key"), request},
    {"key-join-session", Category::Kernel, "join a new session keyring",
     "The call whose reference count overflowed in CVE-2016-0728 and gave root to every user of Linux 3.8 to "
     "4.4. Whoever can join keyrings may also join one by name that others made.",
     "keyctl(2), CVE-2016-0728", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall keyctl"),
     own_session},
    {"key-user-keyring", Category::Kernel, "find the keyring of the user",
     "The keyring of the user is shared by all processes of the same user id in a user namespace, whatever "
     "session they have: the way between two jails, or out of one that has only a new session keyring. The "
     "attempt asks for its serial number.",
     "keyctl(2), user-keyring(7)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall keyctl"),
     user_keyring},
};

}  // namespace

std::span<const Probe> key_calls() { return kKeyCalls; }

}  // namespace immure::probes

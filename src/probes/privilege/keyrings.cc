// Keys of the caller's: the kernel hands them on with the session, past every wall of files.
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

long keyctl(long operation, long a = 0, long b = 0, long c = 0, long d = 0) {
  return syscall(SYS_keyctl, operation, a, b, c, d);
}
long word(const void* text) { return reinterpret_cast<long>(text); }

Attempt read_key(long serial) {
  char line[256] = {};
  long n = keyctl(KEYCTL_READ, serial, word(line), sizeof line - 1);
  if (n < 0) return stopped("keyctl read");
  line[n < static_cast<long>(sizeof line) ? n : static_cast<long>(sizeof line) - 1] = '\0';
  line[std::strcspn(line, "\n")] = '\0';
  if (std::strncmp(line, kCanaryPrefix, sizeof kCanaryPrefix - 1) != 0) return stopped("keyctl read", ENOMSG);
  return escaped("%s", line);
}

Attempt no_key() { return not_applicable("the caller's session could not be given a key"); }

Attempt search(const Yard& yard, const Probe& row) {
  if (yard.key[0] == '\0') return no_key();
  long serial = keyctl(KEYCTL_SEARCH, row.number, word("user"), word(yard.key));
  return serial < 0 ? stopped("keyctl search") : read_key(serial);
}

Attempt request(const Yard& yard, const Probe&) {
  if (yard.key[0] == '\0') return no_key();
  long serial = syscall(SYS_request_key, "user", yard.key, nullptr, 0);
  return serial < 0 ? stopped("request_key") : read_key(serial);
}

Attempt find_in_proc(const Yard& yard, const Probe&) {
  if (yard.key[0] == '\0') return no_key();
  static char text[1 << 16];
  if (read_text("/proc/keys", text, sizeof text) < 0) return stopped("read /proc/keys");
  for (char* line = std::strtok(text, "\n"); line != nullptr; line = std::strtok(nullptr, "\n"))
    if (std::strstr(line, yard.key) != nullptr) return read_key(std::strtol(line, nullptr, 16));
  return stopped("look in /proc/keys", ENOENT);
}

// The key is taken away again; nobody sees it in between but who shares the user id.
Attempt plant(const Yard&, const Probe&) {
  long serial = syscall(SYS_add_key, "user", "immure-probe", "x", 1, KEY_SPEC_USER_KEYRING);
  if (serial < 0) return stopped("add_key");
  keyctl(KEYCTL_UNLINK, serial, KEY_SPEC_USER_KEYRING);
  return exposed("a key was put where every session of the same user finds it");
}

Attempt join(const Yard&, const Probe&) {
  if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0) < 0) return stopped("keyctl join");
  return exposed("session keyrings can be made and left: keyctl is open");
}

Attempt persistent(const Yard&, const Probe&) {
  if (keyctl(KEYCTL_GET_PERSISTENT, -1, KEY_SPEC_PROCESS_KEYRING) < 0) return stopped("keyctl persistent");
  return exposed("the keyring that outlives every session of the user was linked");
}

constexpr uint32_t kOwnSession = by(Layer::Keyring, Layer::Seccomp);
constexpr char kOpen[] = "--need keyring=off --allow-syscall @keyring";

constexpr Probe kKeyrings[] = {
    {"callers-key-session", Category::Privilege, "key in the caller's session keyring",
     "Searches the session keyring for a key of the caller's and reads it. Keyrings are inherited like the "
     "working directory is, and hold tickets, passwords for mounts and tokens.",
     "session-keyring(7)", kOwnSession, Proof::Line, loosened(kOpen), search, kPlain, "session",
     KEY_SPEC_SESSION_KEYRING},
    {"callers-key-request", Category::Privilege, "request_key finds the caller's key",
     "Asks by request_key, which looks through all keyrings that the process has. It is a system call of its "
     "own, which a filter for keyctl alone leaves open.",
     "request_key(2)", kOwnSession, Proof::Line, loosened(kOpen), request},
    {"key-user-session", Category::Privilege, "key by way of the user's keyrings",
     "Searches the keyring that all sessions of the user share and which the caller's session may link to. A "
     "jail that only makes a new session keyring leaves it open.",
     "user-session-keyring(7)", kOwnSession, Proof::Line, kBare, search, kPlain, "user session",
     KEY_SPEC_USER_SESSION_KEYRING},
    {"key-by-number", Category::Privilege, "key by the serial number in /proc/keys",
     "Looks in /proc/keys for the key, and reads it by its number. No keyring has to hold it then: the "
     "user's part of its mode is enough.",
     "keyrings(7), /proc/keys", by(Layer::Seccomp, Layer::Keyring, Layer::UserNs), Proof::Line, kBare,
     find_in_proc},
    {"key-plant", Category::Privilege, "add_key where other sessions look",
     "Puts a key into the keyring that belongs to the user id, and takes it away. A program that shares its "
     "id with somebody outside leaves keys for him that his programs then trust.",
     "add_key(2), user-keyring(7)", by(Layer::Seccomp), Proof::None, loosened(kOpen), plant},
    {"key-join", Category::Privilege, "makes a session keyring",
     "Joins a new session keyring. That one call gave root to everybody between Linux 3.8 and 4.4, by "
     "counting references wrongly.",
     "CVE-2016-0728", by(Layer::Seccomp), Proof::None, loosened(kOpen), join},
    {"key-persistent", Category::Privilege, "the user's persistent keyring",
     "Links the persistent keyring of its user id, in which Kerberos tickets wait between two logins. Who "
     "shares the user id shares the tickets, whatever root directory he has.",
     "persistent-keyring(7)", by(Layer::Seccomp), Proof::None, loosened(kOpen), persistent},
};

}  // namespace

std::span<const Probe> keyrings() { return kKeyrings; }

}  // namespace immure::probes

// The launcher's environment, its arguments, and who else runs: in the program's own memory and by /proc.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt secret(const Yard& yard, const Probe&) {
  if (yard.variable[0] == '\0') return not_applicable("the caller has no such variable");
  const char* value = std::getenv(yard.variable);
  if (value == nullptr) return stopped("getenv", ENOENT);
  if (std::strncmp(value, kCanaryPrefix, sizeof kCanaryPrefix - 1) != 0) return stopped("getenv", ENOMSG);
  return escaped("%s", value);
}

// The secret in one process's environment; a block of memory without an end of line, so not read_text's shape
// alone.
Attempt secret_of(const Yard& yard, const char* process) {
  static char text[1 << 17];
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%s/environ", process);
  long n = read_text(path, text, sizeof text);
  if (n < 0) return stopped("open environ");
  const char* at =
      static_cast<const char*>(memmem(text, static_cast<size_t>(n), kCanaryPrefix, sizeof kCanaryPrefix - 1));
  if (at == nullptr && yard.variable[0] == '\0') return not_applicable("it can be read, and was given no secret");
  if (at == nullptr) return stopped("read environ", ENOMSG);
  return escaped("%.100s", at);
}

Attempt secret_of_first(const Yard& yard, const Probe&) { return secret_of(yard, "1"); }
Attempt secret_of_launcher(const Yard& yard, const Probe&) {
  if (yard.launcher == 0) return not_applicable("the launcher is not known");
  char number[16];
  std::snprintf(number, sizeof number, "%d", yard.launcher);
  return secret_of(yard, number);
}

Attempt nothing_handed_on() { return not_applicable("who started this had no variables to hand on"); }

Attempt user_variable(const Yard& yard, const Probe&) {
  if (yard.careless == 0) return nothing_handed_on();
  if (yard.user_name[0] == '\0') return not_applicable("the caller's name is not known");
  for (const char* name : {"USER", "LOGNAME", "SUDO_USER", "HOME", "MAIL"}) {
    const char* value = std::getenv(name);
    const char* found = value == nullptr ? nullptr : std::strstr(value, yard.user_name);
    if (found != nullptr && (found == value || found[-1] == '/')) return exposed("%s=%.60s", name, value);
  }
  return stopped("getenv", ENOENT);
}

// Variables that lead to services of the caller's session, or make a loader load.
Attempt session_variable(const Yard& yard, const Probe& row) {
  if (yard.careless == 0) return nothing_handed_on();
  static char names[512];
  std::snprintf(names, sizeof names, "%s", row.word);
  for (char* name = std::strtok(names, " "); name != nullptr; name = std::strtok(nullptr, " ")) {
    const char* value = std::getenv(name);
    if (value != nullptr) return exposed("%s=%.60s", name, value);
  }
  return stopped("getenv", ENOENT);
}

// The arguments of process 1 name folders, options and often more. The program itself may be process 1.
Attempt arguments_of_first(const Yard&, const Probe&) {
  static char first[4096], own[4096];
  if (read_text("/proc/1/cmdline", first, sizeof first) < 0) return stopped("open");
  if (first[0] == '\0') return stopped("read", ENOMSG);
  if (read_text("/proc/self/cmdline", own, sizeof own) >= 0 && std::strcmp(first, own) == 0)
    return stopped("read its own", ENOMSG);
  for (size_t i = 0, n = 0; i + 1 < sizeof first && n < 6; ++i) {
    if (first[i] == '\0' && first[i + 1] == '\0') break;
    if (first[i] == '\0') first[i] = ' ', ++n;
  }
  return exposed("process 1 was started as: %.100s", first);
}

Attempt outside_process(const Yard& yard, const Probe&) {
  if (yard.witness == 0) return not_applicable("there is no witness outside");
  char path[64], text[128];
  std::snprintf(path, sizeof path, "/proc/%d/comm", yard.witness);
  if (read_text(path, text, sizeof text) < 0) return stopped("open");
  return exposed("process %d outside is seen, and is called %.40s", yard.witness, text);
}

constexpr char kSession[] =
    "SSH_AUTH_SOCK SSH_CONNECTION DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR XAUTHORITY DISPLAY "
    "WAYLAND_DISPLAY GPG_AGENT_INFO KRB5CCNAME AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN GITHUB_TOKEN "
    "KUBECONFIG DOCKER_HOST";
constexpr char kLoader[] =
    "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GLIBC_TUNABLES GCONV_PATH PYTHONPATH PERL5LIB BASH_ENV";

constexpr uint32_t kByFds = by(Layer::Fds);
constexpr uint32_t kByProc = by(Layer::PidNs, Layer::Mounts);

constexpr Probe kEnvironments[] = {
    {"secret-variable", Category::Information, "a secret in the environment",
     "Looks for a variable of the caller's that holds a secret. Keys of clouds and build servers are handed "
     "on that way to every program that is started, and most sandboxes keep the environment as it is.",
     "environ(7)", kByFds, Proof::Line, loosened("--keep-env"), secret},
    {"secret-variable-first", Category::Information, "a secret in the environment of process 1",
     "Reads the environment of the jail's first process by /proc. A launcher that cleans the environment of "
     "the program, but goes on as process 1 with its own, shows it all the same.",
     "proc(5), /proc/pid/environ", by(Layer::PidNs, Layer::Mounts, Layer::Fds), Proof::Line, kNamespaced,
     secret_of_first},
    {"secret-variable-launcher", Category::Information, "a secret in the environment of the launcher",
     "Reads the environment of the process outside that started the jail, by its number. Who has the same "
     "user id may.",
     "proc(5), /proc/pid/environ; ptrace(2)", by(Layer::PidNs, Layer::Mounts, Layer::UserNs), Proof::Line,
     kBare, secret_of_launcher},
    {"user-variable", Category::Information, "the caller's name in the environment",
     "Looks for the name of the caller in the variables that hold it. A name is half of a login, and leads "
     "to a home.",
     "environ(7)", kByFds, Proof::None, kBare, user_variable},
    {"session-variable", Category::Information, "the way to the caller's session",
     "Looks for variables that lead to agents, displays and buses of the caller's session, or are "
     "credentials themselves. Each is the address of something that takes orders from the caller's programs.",
     "environ(7); ssh-agent(1), dbus-daemon(1)", kByFds, Proof::None, loosened("--keep-env"),
     session_variable, kPlain, kSession},
    {"loader-variable", Category::Information, "variables that make loaders load",
     "Looks for variables by which loaders and interpreters are told to load more. What they name outside "
     "need not be what it names inside: a program in the jail may have put its own there.",
     "ld.so(8), ENVIRONMENT", kByFds, Proof::None, loosened("--keep-env"), session_variable, kPlain, kLoader},
    {"first-arguments", Category::Information, "the arguments of process 1",
     "Reads how process 1 was started. A launcher that stays in its jail shows its whole command line there: "
     "folders outside, options, addresses.",
     "proc(5), /proc/pid/cmdline", kByProc, Proof::None, kBare, arguments_of_first},
    {"process-outside", Category::Information, "a process outside, by its number in /proc",
     "Looks for the witness by its number. Names, arguments and times of programs tell what the machine "
     "does, and who its users are.",
     "proc(5); pid_namespaces(7)", kByProc, Proof::None, kBare, outside_process},
};

}  // namespace

std::span<const Probe> environments() { return kEnvironments; }

}  // namespace immure::probes

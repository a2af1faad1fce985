// What is within reach by a path, by a name, by a terminal.
#include <algorithm>
#include <array>

#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

struct Service {
  const char* path;  // a part of it
  Severity severity;
};
constexpr Service kEngines[] = {
    {"/docker.sock", Severity::Critical},    {"/containerd.sock", Severity::Critical},
    {"/crio.sock", Severity::Critical},      {"/podman.sock", Severity::Critical},
    {"/buildkitd.sock", Severity::Critical}, {"/libvirt-sock", Severity::Critical},
    {"/lxd.socket", Severity::Critical},     {"/lxd/unix.socket", Severity::Critical},
    {"/snapd.socket", Severity::High},
};
constexpr Service kSystem[] = {
    {"/run/systemd/private", Severity::High},
    {"/dbus/system_bus_socket", Severity::Medium},
    {"/udev/control", Severity::Medium},
    {"/io.systemd.ManagedOOM", Severity::Low},
    {"/acpid.socket", Severity::Low},
    {"/rpcbind.sock", Severity::Low},
    {"/mysqld.sock", Severity::Medium},
    {"/.s.PGSQL.", Severity::Medium},
    {"/dev/log", Severity::Advice},
    {"/systemd/journal/", Severity::Advice},
    {"/io.systemd.Multiplexer", Severity::Advice},
};
constexpr Service kSession[] = {
    {"/systemd/private", Severity::High}, {"/bus", Severity::High},         {"/.X11-unix/", Severity::High},
    {"/wayland-", Severity::Medium},      {"/gnupg/", Severity::High},      {"/keyring/", Severity::High},
    {"/pulse/", Severity::Medium},        {"/pipewire-", Severity::Medium},
};

bool is_of_session(const ReachableFile& file) {
  return file.path.starts_with("/run/user/") || file.path.starts_with("/tmp/.X11");
}

void services(const Live& live, Answers& answers, std::span<const Service> wanted, bool session) {
  if (!live.sockets) {
    answers.unknown(live.reach_note);
    return;
  }
  answers.checked();
  for (const ReachableFile& file : *live.sockets) {
    // A service of the jail's own has its socket on a file system of its own.
    bool engine = file.path.ends_with("podman.sock");
    if (file.host_path.empty() || (is_of_session(file) && !engine) != session) continue;
    for (const Service& service : wanted) {
      if (file.path.find(service.path) == std::string::npos) continue;
      answers.found(service.severity, file.path,
                    "a socket of the outside, " + file.host_path + " there" +
                        (file.holders.empty() ? "" : "; " + file.holders + " listens at it"),
                    file.host_path);
      break;
    }
  }
}

void engines(const Facts& facts, Answers& answers) { services(*facts.live, answers, kEngines, false); }
void system(const Facts& facts, Answers& answers) { services(*facts.live, answers, kSystem, false); }
void session(const Facts& facts, Answers& answers) { services(*facts.live, answers, kSession, true); }

constexpr std::string_view kSecretWords[] = {"PASSWORD",   "PASSWD",     "SECRET",     "SECRETS",
                                             "TOKEN",      "APIKEY",     "PASS",       "PWD",
                                             "PASSPHRASE", "CREDENTIAL", "CREDENTIALS"};
constexpr std::string_view kSecretPairs[] = {"API_KEY",       "PRIVATE_KEY",       "ACCESS_KEY",
                                             "DATABASE_URL",  "CONNECTION_STRING", "SIGNING_KEY",
                                             "ENCRYPTION_KEY"};

// Names that hold a secret by what they are called: a whole word between underscores. Pure.
bool names_secret(std::string_view name) {
  std::string upper;
  for (char c : name) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  // The working directory, and where a secret is, are none.
  if (upper == "PWD" || upper == "OLDPWD") return false;
  for (std::string_view end : {"_FILE", "_PATH", "_DIR"})
    if (upper.ends_with(end)) return false;
  for (std::string_view part : split(upper, '_'))
    if (std::find(std::begin(kSecretWords), std::end(kSecretWords), part) != std::end(kSecretWords))
      return true;
  for (std::string_view pair : kSecretPairs)
    if (upper.find(pair) != std::string::npos) return true;
  return false;
}

void secrets(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.environment) {
    answers.unknown("its environment is not readable for this caller");
    return;
  }
  answers.checked();
  for (const EnvironmentName& entry : *live.environment) {
    if (!entry.shape.empty())
      answers.found(entry.name, "its value looks like " + entry.shape, {}, entry.name);
    else if (names_secret(entry.name))
      answers.found(entry.name, "by its name; the value was not kept", {}, entry.name);
  }
}

constexpr const char* kAgents[] = {"SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS",
                                   "DOCKER_HOST",   "KUBECONFIG",     "XAUTHORITY",
                                   "KRB5CCNAME",    "LISTEN_FDS",     "NOTIFY_SOCKET",
                                   "SUDO_USER",     "SSH_CONNECTION"};

void agents(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.environment) {
    answers.unknown("its environment is not readable for this caller");
    return;
  }
  answers.checked();
  std::vector<std::string> names;
  for (const EnvironmentName& entry : *live.environment)
    if (std::find(std::begin(kAgents), std::end(kAgents), entry.name) != std::end(kAgents))
      names.push_back(entry.name);
  if (!names.empty()) answers.found("environment", "from who started it: " + some_of(names));
}

struct Driver {
  unsigned major, minor;  // minor ~0: all
  Severity severity;
  const char* what;
};
constexpr unsigned kAll = ~0u;
constexpr Driver kDrivers[] = {
    {1, 1, Severity::Critical, "physical memory"},
    {1, 2, Severity::Critical, "memory of the kernel"},
    {1, 4, Severity::Critical, "ports"},
    {1, 11, Severity::Medium, "the log of the kernel"},
    {10, 232, Severity::Medium, "virtual machines"},
    {10, 229, Severity::Medium, "file systems of its own (fuse)"},
    {10, 200, Severity::Medium, "network interfaces (tun)"},
    {10, 223, Severity::High, "input as if typed (uinput)"},
    {10, 237, Severity::High, "loop devices"},
    {10, 234, Severity::Medium, "btrfs"},
    {10, 236, Severity::High, "the device mapper"},
    {10, 196, Severity::High, "vfio"},
    {10, 231, Severity::High, "the memory of the machine as an image (snapshot)"},
    {10, kAll, Severity::Low, "a driver"},
    {202, kAll, Severity::Critical, "registers of the processor (msr)"},
    {203, kAll, Severity::Low, "cpuid"},
    {226, kAll, Severity::Medium, "the graphics processor"},
    {13, kAll, Severity::High, "input devices"},
    {4, kAll, Severity::High, "consoles"},
    {5, 1, Severity::Medium, "the console"},
    {7, kAll, Severity::High, "screens of consoles"},
};

struct Kind {
  Severity severity = Severity::Low;
  const char* what = "a driver";
};
Kind kind_of(const ReachableFile& node) {
  if (node.block) return {Severity::Critical, "a disk"};
  for (const Driver& driver : kDrivers)
    if (driver.major == node.major && (driver.minor == node.minor || driver.minor == kAll))
      return {driver.severity, driver.what};
  return {};
}

// One finding for each kind of driver.
void devices(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.devices) {
    answers.unknown(live.reach_note);
    return;
  }
  answers.checked();
  std::vector<std::string_view> told;
  for (const ReachableFile& node : *live.devices) {
    Kind kind = kind_of(node);
    if (std::find(told.begin(), told.end(), kind.what) != told.end()) continue;
    told.push_back(kind.what);
    std::vector<std::string> nodes;
    for (const ReachableFile& other : *live.devices)
      if (std::string_view(kind_of(other).what) == kind.what)
        nodes.push_back(other.path + " " + num(other.major) + ":" + num(other.minor) +
                        (other.writable ? "" : " (read)"));
    answers.found(kind.severity, node.path, std::string(kind.what) + ": " + some_of(nodes));
  }
}

std::string list_of(const std::vector<Neighbour>& all) {
  std::vector<std::string> names;
  for (const Neighbour& one : all) names.push_back(num_signed(one.pid) + " (" + one.name + ")");
  return some_of(names);
}

void same_user(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.same_user_outside || live.threads.empty()) {
    answers.unknown("the processes of the host could not be listed");
    return;
  }
  answers.checked();
  if (live.same_user_outside->empty()) return;
  // In a pid namespace of its own it has no number for them.
  answers.found(shares(live, "pid") ? Severity::High : Severity::Advice, "uid " + num(live.threads[0].uid[0]),
                "also the user of " + list_of(*live.same_user_outside));
}

void terminal(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  answers.checked();
  if (live.terminal == 0 || live.terminal_sharers.empty()) return;
  bool denied = !live.threads.empty();
  constexpr Call kType = {"ioctl", {0, 0x5412}};
  for (const ThreadView& thread : live.threads)
    denied = denied && thread.seccomp == 2 && live.filters[thread.filter].unknown.empty() &&
             !lets_through(live.filters[thread.filter], filter::Arch::X86_64, kType).value_or(true);
  bool types = !denied && live.steal_input;
  answers.found(types ? Severity::High : Severity::Medium, "/dev/tty",
                "its controlling terminal is also that of " + list_of(live.terminal_sharers) +
                    (types ? "; it can type there (TIOCSTI)" : ""));
}

}  // namespace

const Rule kProcessSocketEngine = {
    "process-socket-engine",
    Look::Process,
    Severity::Critical,
    Concern::Isolation,
    Point::Leaks,
    "the socket of a container engine",
    "Who may write there has anything started as root, with the whole host mounted. It is root by another name.",
    "",
    "do not bind it into the jail",
    "unix(7)",
    engines,
    Mend::None,
    "network descriptors root"};
const Rule kProcessSocketSystem = {
    "process-socket-system",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Leaks,
    "the socket of a service of the host",
    "The service takes it for a local user, and does for it what local users may ask. A file that is a socket is no "
    "data: its other end acts outside.",
    "",
    "leave /run of the host out of the jail, or mount a tmpfs over it",
    "unix(7)",
    system,
    Mend::None,
    "network descriptors"};
const Rule kProcessSocketSession = {
    "process-socket-session",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "a socket of the session of a user",
    "Over the session bus programs are started outside, over X11 the screen is read and keys are typed. The jail "
    "then holds nothing that the user has.",
    "",
    "leave /run/user and /tmp/.X11-unix out, or put a filtering proxy between",
    "unix(7)",
    session,
    Mend::None,
    "network descriptors"};
const Rule kProcessEnvironmentSecret = {
    "process-environment-secret",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Secrets,
    "a secret in the environment",
    "All that it starts inherits it, every process of its user reads it in /proc, and crash reports carry it away. Who breaks into any of them has what it opens.",
    "",
    "give it in a file that is only its own: LoadCredential= of systemd, or a descriptor",
    "environ(7); proc_pid_environ(5)",
    secrets,
    Mend::None,
    "information processes descriptors"};
const Rule kProcessEnvironmentAgent = {
    "process-environment-agent",
    Look::Process,
    Severity::Low,
    Concern::Privilege,
    Point::Secrets,
    "the environment of who started it",
    "It names agents, buses and files of the user outside, and tells who that is and from where. What of it is "
    "within reach is one look away.",
    "",
    "start it with an empty environment: env -i, --clearenv of bwrap, immure run",
    "environ(7)",
    agents,
    Mend::None,
    "information"};
const Rule kProcessDevices = {
    "process-devices",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "a device node that it can open",
    "Behind a node is a driver in the kernel, whatever the root is. Disks and memory are the machine itself, and "
    "others do for it what their driver does.",
    "",
    "a /dev of its own with null, zero, full, random, urandom and tty; mount all else with nodev",
    "mknod(2); devices.txt of the kernel",
    devices,
    Mend::None,
    "devices"};
const Rule kProcessSameUser = {
    "process-same-user",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "processes of the same user outside",
    "The kernel asks for the user alone before it lets one process signal or trace another. Each of those outside is "
    "a way to act outside.",
    "",
    "a user for each jail, or a pid namespace of its own",
    "kill(2); ptrace(2)",
    same_user,
    Mend::None,
    "processes descriptors information"};
const Rule kProcessTerminal = {
    "process-terminal",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "a terminal shared with the outside",
    "It reads what is typed for the other one, draws what it likes, and may type: the shell outside executes that "
    "when the jail has ended. That command runs with all rights of who sits there.",
    "",
    "a terminal of its own: immure run, --new-session of bwrap, setsid",
    "TIOCSTI(2const); CVE-2017-5226",
    terminal,
    Mend::None,
    "devices"};

}  // namespace immure::audit

#include <algorithm>

#include "audit/rules/described/rules.h"
#include "base/path.h"

namespace immure::audit {
namespace {

using Kind = DescribedMount::Kind;

std::string access(const DescribedMount& mount) { return mount.writable ? "writable" : "read-only"; }
std::string by(const DescribedMount& mount) { return with(access(mount), mount.origin); }

bool speaks_of_mounts(const Described& jail) { return jail.kind != "sshd" && jail.kind != "vsftpd"; }

void check_root(const Facts& facts, Answers& answers) {
  if (!speaks_of_mounts(*facts.described)) return;
  answers.checked();
  for (const DescribedMount& one : facts.described->mounts)
    if (one.kind == Kind::Bind && one.source == "/")
      answers.found(one.writable ? Severity::Critical : Severity::Medium, one.target,
                    "the root of the host, " + by(one), "/");
}

// Where a change is a change of what root runs or believes.
constexpr std::string_view kSystem[] = {"/etc",       "/usr",     "/bin",         "/sbin",      "/lib",
                                        "/lib64",     "/boot",    "/var",         "/opt",       "/usr/local",
                                        "/var/spool", "/var/lib", "/etc/systemd", "/etc/cron.d"};

void check_system(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (!speaks_of_mounts(jail)) return;
  answers.checked();
  for (std::string_view path : kSystem)
    if (const Shown seen = shown(jail, path);
        seen.mount != nullptr && seen.mount->writable && seen.mount->source == path)
      answers.found(seen.inside, std::string(path) + " of the host, " + by(*seen.mount), std::string(path));
}

// "/home", "/home/a", "/root", and what the shell makes of ~ and $HOME.
bool is_home(const DescribedMount& one) {
  const std::string& source = one.source;
  if (source == "/home" || source == "/root") return true;
  if (source.starts_with("/home/") && source.find('/', 6) == std::string::npos) return true;
  return source == "~" || source == "~/" || source == "$HOME" || source == "${HOME}" || source == "$HOME/" ||
         source == "${HOME}/";
}

void check_homes(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.homes_visible.is(true))
    answers.found(Severity::Low, "/home", with("is seen", jail.homes_visible.origin));
  if (jail.homes_visible.word == Word::Unclear) return answers.unknown(jail.homes_visible.origin);
  if (!speaks_of_mounts(jail)) return;
  answers.checked();
  for (const DescribedMount& one : jail.mounts)
    if (one.kind == Kind::Bind && is_home(one))
      answers.found(one.writable ? Severity::Medium : Severity::Low, one.target, one.source + ", " + by(one),
                    one.unclear ? "" : one.source);
}

// A folder above it is mounted: no word says its name, and that mount is the finding of another rule.
bool is_from_above(const Shown& seen, std::string_view path) { return seen.mount->source != path; }

void check_proc(const Facts& facts, Answers& answers) {
  answers.checked();
  if (const Shown seen = shown(*facts.described, "/proc"); seen.mount != nullptr) {
    answers.found(seen.inside, "/proc of the host, " + by(*seen.mount), "/proc");
    if (is_from_above(seen, "/proc")) answers.by_hand();
  }
}

void check_sys(const Facts& facts, Answers& answers) {
  answers.checked();
  if (const Shown seen = shown(*facts.described, "/sys"); seen.mount != nullptr) {
    answers.found(seen.mount->writable ? Severity::Medium : Severity::Low, seen.inside,
                  "/sys of the host, " + by(*seen.mount), "/sys");
    if (is_from_above(seen, "/sys")) answers.by_hand();
  }
}

void check_dev(const Facts& facts, Answers& answers) {
  answers.checked();
  const Shown seen = shown(*facts.described, "/dev");
  if (seen.mount == nullptr || !seen.mount->devices) return;
  answers.found(seen.inside, "/dev of the host, " + by(*seen.mount), "/dev");
  if (is_from_above(seen, "/dev")) answers.by_hand();
}

constexpr std::string_view kManagers[] = {
    "/run/docker.sock",          "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",       "/run/podman/podman.sock",
    "/var/lib/lxd/unix.socket",  "/var/lib/incus/unix.socket",
    "/run/libvirt/libvirt-sock", "/run/buildkit/buildkitd.sock",
    "/run/systemd/private",      "/run/dbus/system_bus_socket",
};

// /var/run is /run.
std::string plain(const std::string& path) { return path_within(path, "/var/run") ? path.substr(4) : path; }

bool is_manager(const DescribedMount& one) {
  const std::string source = plain(one.source);
  for (std::string_view socket : kManagers)
    if (source == socket || (source == path_folder(socket) && source != "/run")) return true;
  return false;
}

void check_managers(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const DescribedMount& one : facts.described->mounts) {
    if (one.kind != Kind::Bind || !is_manager(one)) continue;
    // The system bus asks who calls; the others do what they are told.
    const bool bus = plain(one.source).starts_with("/run/dbus");
    answers.found(bus ? Severity::Medium : Severity::Critical, one.target, with(one.source, one.origin),
                  one.source);
  }
}

void check_sockets(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const DescribedMount& one : facts.described->mounts) {
    if (one.kind != Kind::Bind) continue;
    const std::string source = plain(one.source);
    const bool user = source.starts_with("/run/user") || source.starts_with("$XDG_RUNTIME_DIR") ||
                      source.starts_with("$SSH_AUTH_SOCK");
    if (source == "/run" || source == "/tmp" || source.starts_with("/tmp/.X11-unix") || user)
      answers.found(one.target, with(one.source, one.origin), one.unclear ? "" : one.source);
  }
  // Or a folder above them is mounted, with all that is in it. A mount that is read-only keeps nobody from
  // connecting.
  for (const char* folder : {"/run", "/tmp"})
    if (const Shown seen = shown(*facts.described, folder);
        seen.mount != nullptr && seen.mount->source != folder) {
      answers.found(seen.inside, std::string(folder) + " of the host, " + by(*seen.mount), folder);
      answers.by_hand();
    }
}

void check_memory(const Facts& facts, Answers& answers) {
  answers.checked();
  const Shown seen = shown(*facts.described, "/dev/shm");
  // All of /dev with its devices is the finding of another rule.
  if (seen.mount == nullptr || (seen.mount->devices && seen.mount->source != "/dev/shm")) return;
  answers.found(seen.mount->writable ? Severity::Medium : Severity::Low, seen.inside,
                "/dev/shm of the host, " + by(*seen.mount), "/dev/shm");
  if (is_from_above(seen, "/dev/shm")) answers.by_hand();
}

void check_set_ids(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.kind != "oci") return;
  answers.checked();
  for (const DescribedMount& one : jail.mounts)
    if (one.writable && one.set_ids && (one.kind == Kind::Bind || one.kind == Kind::Tmpfs) &&
        one.target != "/dev")
      answers.found(one.target, with("without nosuid", one.origin));
}

}  // namespace

const Rule kDescribedHostRoot = {
    "described-host-root",
    Look::Described,
    Severity::Critical,
    Concern::Isolation,
    Point::RootChange,
    "the whole host is mounted inside",
    "Where it is writable the jail changes any file that its user may change, and nothing of the jail is left. Read-only "
    "it still shows every file that its user may read.",
    "",
    "bwrap: mount only the folders that are needed, --ro-bind /usr /usr; unit: BindReadOnlyPaths= of the "
    "folders that are needed; OCI: only the folders that are needed among mounts; profile: only the "
    "folders that are needed in bind",
    "bwrap(1); mount_namespaces(7)",
    check_root,
    Mend::None,
    "root links accounts groups passwords homes resolver file-systems machine-id machine-id-bus host-name-file "
    "host-name-hosts unix-path"};
const Rule kDescribedHostSystem = {
    "described-host-system",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::TreeWriting,
    "a folder of the system is writable inside",
    "What is changed there is run or believed by root of the host. Modes alone keep the jail from it, and for root they "
    "do not.",
    "",
    "mount it read-only, or only the one folder below it that is needed",
    "hier(7)",
    check_system,
    Mend::None,
    "write-programs write-units write-timers write-accounts write-loader write-boot"};
const Rule kDescribedHostHomes = {
    "described-host-homes",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Secrets,
    "the home folders of people are seen inside",
    "Keys, tokens and the history of shells lie there. Where they are writable, a line in a startup file is run outside at "
    "the next login.",
    "",
    "unit: ProtectHome=yes, and BindPaths= for the one folder that is needed; bwrap: --bind the one "
    "folder that is needed; OCI: mount the one folder that is needed; profile: bind the one folder that "
    "is needed",
    "systemd.exec(5); bwrap(1)",
    check_homes,
    Mend::None,
    "homes write-root-home"};
const Rule kDescribedHostProc = {
    "described-host-proc",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::RootChange,
    "the /proc of the host is seen inside",
    "/proc/1/root is the root of the host for whoever may follow it, and core_pattern is a program that the kernel "
    "starts. A pid namespace is worth little beside it.",
    "",
    "bwrap: --unshare-pid --proc /proc; OCI: a mount of type proc and a pid namespace; unit: take it out "
    "of BindPaths= and BindReadOnlyPaths=; profile: take it out of bind",
    "proc(5)",
    check_proc,
    Mend::None,
    "proc-root proc-first-root proc-environ sysctl-core-pattern sysrq-trigger"};
const Rule kDescribedHostSys = {
    "described-host-sys",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::RootChange,
    "the /sys of the host is seen inside",
    "It shows the hardware and every control group. For root it is full of switches: uevent_helper, power, control "
    "groups.",
    "",
    "bwrap: leave it out; unit: take it out of BindPaths= and BindReadOnlyPaths=; OCI: a read-only mount "
    "of type sysfs and a network namespace; profile: take it out of bind",
    "sysfs(5)",
    check_sys,
    Mend::None,
    "sys-kernel-list sys-class sys-devices uevent-helper cgroup-tree"};
const Rule kDescribedHostDev = {
    "described-host-dev",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::TreePowers,
    "the /dev of the host is seen inside",
    "Disks, memory, terminals of others and virtual machines are opened by whoever may by their modes. A user in the "
    "group disk, or root, reads and writes the host through them.",
    "",
    "bwrap: --dev /dev, and --dev-bind for the few devices that are needed; unit: PrivateDevices=yes, "
    "and take it out of BindPaths=; OCI: a tmpfs at /dev, and linux.devices for the few that are needed; "
    "profile: take it out of bind",
    "bwrap(1)",
    check_dev,
    Mend::None,
    "devices shm-file posix-queue-file"};
const Rule kDescribedManagerSocket = {
    "described-manager-socket",
    Look::Described,
    Severity::Critical,
    Concern::Privilege,
    Point::TreePowers,
    "a manager of the host takes orders from inside",
    "Whoever talks to it asks for a container with the root of the host in it, or for a service, and is root outside. "
    "Read-only makes no difference to a socket.",
    "",
    "leave it out; a proxy that lets through only what is needed",
    "unix(7)",
    check_managers,
    Mend::None,
    "planted-docker-socket connect-managers connect-system"};
const Rule kDescribedHostSockets = {
    "described-host-sockets",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Leaks,
    "sockets of other programs are within reach",
    "Behind the sockets of these folders are agents with keys, the session bus, the X server and services. They trust "
    "whoever connects with the right user id.",
    "",
    "mount the one socket that is needed",
    "unix(7)",
    check_sockets,
    Mend::None,
    "unix-path socket-outside connect-system"};
const Rule kDescribedHostMemory = {
    "described-host-memory",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Leaks,
    "the shared memory of the host is seen inside",
    "Programs that work together keep data in files of /dev/shm, often readable for all. Where it is writable, what "
    "they read there can be changed under them.",
    "",
    "--dev /dev, or a tmpfs over /dev/shm",
    "shm_overview(7)",
    check_memory,
    Mend::None,
    "shm-file"};
const Rule kDescribedSetIds = {
    "described-mount-set-id",
    Look::Described,
    Severity::Low,
    Concern::Privilege,
    Point::TreePowers,
    "set-id files can be made in a mount",
    "Root inside leaves a set-id program in the folder, and a user outside runs it. nosuid costs nothing where data "
    "lies.",
    "",
    "add nosuid and nodev to the options of the mount",
    "mount(8)",
    check_set_ids,
    Mend::None,
    "scratch-set-uid"};

}  // namespace immure::audit

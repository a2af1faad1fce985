// Files that a system believes in, files that hold secrets, and changes to what is read-only.
#include <cerrno>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium,
                   kHigh = Severity::High;
constexpr Use kWrite = Use::Write;

constexpr Step kSystemSteps[] = {
    file("planted-preload-write", kHigh, kWrite, "/etc/ld.so.preload",
         "writes what every program loads first"),
    file("write-accounts", kMedium, kWrite, "/etc/sudoers /etc/sudoers.d /etc/sudoers.d/*",
         "writes who may become whom"),
    file("write-accounts", kLow, kWrite,
         "/etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/pam.d /etc/pam.d/*",
         "writes a file of accounts"),
    file("write-timers", kLow, kWrite,
         "/etc/crontab /etc/cron.d /etc/cron.* /etc/cron.d/* /var/spool/cron /var/spool/cron/*",
         "writes what is started by the clock"),
    file("write-units", kLow, kWrite,
         "/etc/systemd/system /etc/systemd/system/* /run/systemd/system /run/systemd/system/* "
         "/usr/lib/systemd/system /usr/lib/systemd/system/* /lib/systemd/system/* /etc/init.d /etc/init.d/* "
         "/etc/rc.local",
         "writes what is started with the system"),
    file("write-loader", kLow, kWrite,
         "/etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d /etc/ld.so.conf.d/* /usr/lib64 /usr/lib "
         "/usr/lib/x86_64-linux-gnu /lib64 /lib",
         "writes what programs load"),
    file("write-root-home", kMedium, kWrite, "/root/.ssh /root/.ssh/* /home/*/.ssh/authorized_keys",
         "writes keys that open logins"),
    file("write-root-home", kLow, kWrite, "/root /root/.bashrc /root/.profile /root/.bash_login",
         "writes what root's shell reads"),
    file("write-boot", kMedium, kWrite, "/boot /boot/*", "writes what the machine starts"),
    file("write-boot", kLow, kWrite, "/usr/lib/modules /usr/lib/modules/* /lib/modules/*",
         "writes modules of the kernel"),
    file("write-programs", kNotice, kWrite,
         "/usr/bin /usr/bin/* /bin /bin/* /usr/sbin /usr/sbin/* /sbin/* /usr/local/bin /usr/local/bin/*",
         "writes in a folder of programs"),
};

extern const Detector kSystem;
const Detector kSystem = {
    "system-files",
    kLow,
    "files that a system starts or believes",
    "What stands in these files is run or believed later, by somebody with more rights, and outlasts the program. "
    "Package managers and tools for accounts write them as their work, which is why they are low.",
    "passwd(5); ld.so(8); T1543; T1098; T1574.006",
    "write-* planted-preload-write",
    bit(Kind::File),
    start_steps<kSystem, kSystemSteps>};

bool opened(const Event& event) { return event.action == Action::Open; }

constexpr Step kSecretSteps[] = {
    file("passwords", kLow, Use::Read, "/etc/shadow /etc/gshadow /etc/shadow- /etc/security/opasswd",
         "reads password hashes"),
    file("", kMedium, Use::Read,
         "/root/.ssh/id_* /home/*/.ssh/id_* /etc/ssh/ssh_host_*_key /root/.gnupg/* /home/*/.gnupg/private*",
         "reads private keys",
         [](const Event& e) { return e.path.size() < 4 || e.path.substr(e.path.size() - 4) != ".pub"; }),
    file("", kMedium, Use::Read,
         "/root/.aws/credentials /home/*/.aws/credentials /root/.config/gcloud/* /home/*/.config/gcloud/* "
         "/root/.azure/* /home/*/.azure/* /root/.kube/config /home/*/.kube/config /root/.docker/config.json "
         "/home/*/.docker/config.json /root/.netrc /home/*/.netrc /root/.git-credentials "
         "/home/*/.git-credentials /var/run/secrets/* /run/secrets/*",
         "reads credentials", opened),
};

extern const Detector kSecrets;
const Detector kSecrets = {
    "secrets-read",
    kMedium,
    "password hashes, keys and credentials read",
    "Whoever has them is their owner elsewhere. Login programs read hashes, ssh its own keys and tools of a cloud "
    "its credentials, so what a jail is given for its work should be in its profile.",
    "shadow(5); T1552.001; T1552.004",
    "passwords",
    bit(Kind::File),
    start_steps<kSecrets, kSecretSteps>};

bool refused(const Event& e) {
  return failed_with(e, EROFS) || failed_with(e, EPERM) || failed_with(e, EACCES) ||
         e.verdict == Verdict::Denied;
}
template <Action action>
bool refused_change(const Event& event) {
  return event.action == action && refused(event);
}
bool is_acl(const Event& event) {
  return event.action == Action::ChangeAttributes && refused(event) &&
         event.text.substr(0, 17) == "system.posix_acl_";
}

// What ordinary work does to its own files all day is told only where it is refused.
constexpr Step kChangeSteps[] = {
    file("change-mode", kNotice, kWrite, "*", "changes modes", refused_change<Action::ChangeMode>),
    file("change-owner", kNotice, kWrite, "*", "changes owners", refused_change<Action::ChangeOwner>),
    file("change-times", kNotice, kWrite, "*", "changes times", refused_change<Action::ChangeTimes>),
    file("change-acl", kNotice, kWrite, "*", "sets an access list", is_acl),
    file("change-attribute", kNotice, kWrite, "*", "sets attributes",
         refused_change<Action::ChangeAttributes>),
    file("change-length", kNotice, kWrite, "*", "changes the length of a file",
         refused_change<Action::Truncate>),
    file("change-name", kNotice, kWrite, "*", "renames", refused_change<Action::Rename>),
    file("add-hard-link", kNotice, kWrite, "*", "makes a hard link", refused_change<Action::Link>),
    file("add-symlink", kNotice, kWrite, "*", "makes a link", refused_change<Action::SymLink>),
    file("add-fifo", kNotice, kWrite, "*", "makes a FIFO",
         [](const Event& e) {
           return (e.action == Action::MakeNode || e.action == Action::Make) &&
                  (e.flags & 0170000) == 0010000 && refused(e);
         }),
    file("add-folder", kNotice, kWrite, "*", "makes a folder", refused_change<Action::MakeFolder>),
    file("planted-program-write", kNotice, kWrite, "*", "opens a file to write in a read-only place",
         [](const Event& e) { return e.action == Action::Open && failed_with(e, EROFS); }),
    file("link-write", kNotice, kWrite, "*", "opens a file to write that is not there, without making it",
         [](const Event& e) {
           return e.action == Action::Open && failed_with(e, ENOENT) && (e.flags & 0100) == 0;
         }),
    calls("link-descriptor", kMedium, "linkat", "gives a name to a file of which it has a descriptor alone",
          [](const Event& e) { return (e.flags & 0x1000) != 0; }),
    file("link-proc-descriptor", kLow, kWrite, "/proc/self/fd/*",
         "gives a name to a file of which it has a descriptor",
         [](const Event& e) { return e.action == Action::Link; }),
    file("reopen-to-write", kNotice, kWrite, "/proc/self/fd/# /dev/fd/#", "opens a descriptor anew to write",
         opened),
    file("leaked-folder-proc", kLow, Use::Any, "/proc/self/fd/#/*", "goes through a descriptor's folder"),
    file("reopen-path", kNotice, Use::Any, "/proc/self/fd/#", "follows a descriptor by its name", opened),
};

extern const Detector kChanges;
const Detector kChanges = {
    "changes-refused",
    kNotice,
    "changes to what may not be changed",
    "A program that is refused when it writes, renames or links where it may not is either misled or trying. Many "
    "ordinary programs try once and go on, so each is a remark; a series is told by its own detector.",
    "chmod(2); rename(2); link(2); T1222",
    "change-* add-* planted-program-write link-write link-descriptor link-proc-descriptor reopen-* "
    "leaked-folder-proc leaked-writable",
    bit(Kind::File) | bit(Kind::Device),
    start_steps<kChanges, kChangeSteps>};

constexpr StepDetector kFileDetectors[] = {
    {&kSystem, kSystemSteps}, {&kSecrets, kSecretSteps}, {&kChanges, kChangeSteps}};

}  // namespace

std::span<const StepDetector> file_detectors() { return kFileDetectors; }

}  // namespace immure::watch

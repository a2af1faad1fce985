// Ids, capabilities and keys: what a process is allowed.
#include <linux/keyctl.h>
#include <linux/prctl.h>

#include <cerrno>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium;

template <uint64_t option>
bool is_option(const Event& event) {
  return event.args[0] == option;
}
template <uint64_t first, uint64_t second>
bool are(const Event& event) {
  return event.args[0] == first && event.args[1] == second;
}
// Any of the ids that it asks for is 0.
bool to_root(const Event& event) {
  for (size_t i = 0; i < 3; ++i)
    if (static_cast<uint32_t>(event.args[i]) == 0) return true;
  return false;
}
bool first_is_root(const Event& event) { return static_cast<uint32_t>(event.args[0]) == 0; }

constexpr Step kIdentitySteps[] = {
    calls("become-user", kMedium, "setresuid setresuid32", "asks to become user 0 and may not",
          [](const Event& e) { return stopped(e) && to_root(e); }),
    calls("become-user", kLow, "setuid setuid32 setreuid setreuid32", "asks to become user 0 and may not",
          [](const Event& e) { return stopped(e) && first_is_root(e); }),
    calls("become-user", kNotice, "setuid setuid32 setresuid setresuid32 setreuid setreuid32",
          "changes its user"),
    calls("become-group", kMedium, "setresgid setresgid32", "asks to get group 0 and may not",
          [](const Event& e) { return stopped(e) && to_root(e); }),
    calls("become-group", kNotice, "setgid setgid32 setresgid setresgid32 setregid setregid32",
          "changes its group"),
    calls("become-file-user", kLow, "setfsuid setfsuid32", "asks for the file rights of user 0",
          first_is_root),
    calls("become-file-user", kNotice, "setfsuid setfsuid32", "changes its user for files"),
    calls("take-groups", kLow, "setgroups setgroups32", "asks for other groups and may not", stopped),
    calls("take-groups", kNotice, "setgroups setgroups32", "changes its groups"),
    calls("cap-set", kLow, "capset", "sets capabilities and may not", stopped),
    calls("cap-set", kNotice, "capset", "sets its capabilities"),
    calls("cap-ambient-raise", kLow, "prctl", "raises capabilities so that they stay",
          are<PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE>),
    calls("securebits-set", kLow, "prctl", "sets what user 0 may", is_option<PR_SET_SECUREBITS>),
    calls("move-memory", kLow, "prctl", "moves what it says of itself", is_option<PR_SET_MM>),
    calls("prctl-program", kMedium, "prctl", "changes which program it is said to be",
          are<PR_SET_MM, PR_SET_MM_EXE_FILE>),
    calls("prctl-memory", kLow, "prctl", "rearranges the description of its memory",
          are<PR_SET_MM, PR_SET_MM_MAP_SIZE>),
    calls("prctl-flusher", kLow, "prctl", "asks to take part in writing memory out",
          is_option<PR_SET_IO_FLUSHER>),
    calls("prctl-core", kLow, "prctl", "groups processes for a core", is_option<PR_SCHED_CORE>),
    calls("prctl-merge", kLow, "prctl", "has its pages merged with those of others", is_option<67>),
    calls("set-id-chmod", kLow, "chmod", "gives a file a set-id bit",
          [](const Event& e) { return (e.flags & 06000) != 0; }),
    calls("set-id-fchmod", kLow, "fchmod", "gives a file a set-id bit",
          [](const Event& e) { return (e.flags & 06000) != 0; }),
    calls("set-id-fchmodat2", kLow, "fchmodat fchmodat2", "gives a file a set-id bit",
          [](const Event& e) { return (e.flags & 06000) != 0; }),
    calls("set-id-mknod", kMedium, "mknod mknodat", "makes a file with a set-id bit",
          [](const Event& e) { return (e.flags & 06000) != 0; }),
    calls("set-id-open", kMedium, "open", "makes a file with a set-id bit",
          [](const Event& e) { return (e.args[1] & 0100) != 0 && (e.args[2] & 06000) != 0; }),
    calls("set-id-open", kMedium, "openat", "makes a file with a set-id bit",
          [](const Event& e) { return (e.args[2] & 0100) != 0 && (e.args[3] & 06000) != 0; }),
    calls("set-id-creat", kMedium, "creat", "makes a file with a set-id bit",
          [](const Event& e) { return (e.args[1] & 06000) != 0; }),
    calls("set-id-openat2", kMedium, "openat2", "makes a file with a set-id bit",
          [](const Event& e) {
            uint64_t mode = 0;
            if (e.bytes.size() < 16) return false;
            __builtin_memcpy(&mode, e.bytes.data() + 8, sizeof mode);
            return (mode & 06000) != 0;
          }),
    calls("change-attribute", kLow, "setxattr lsetxattr fsetxattr setxattrat", "gives a file capabilities",
          [](const Event& e) { return e.text == "security.capability"; }),
};

extern const Detector kIdentity;
const Detector kIdentity = {
    "identity",
    kLow,
    "other ids, groups, capabilities, set-id files",
    "What a process is allowed follows from its ids and capabilities, and a set-id file hands them to whoever "
    "starts it. Services give rights up when they start, and packages with su in them set the bit: those are "
    "remarks or low.",
    "setresuid(2); capset(2); chmod(2); T1548",
    "become-* take-groups cap-set cap-ambient-raise securebits-set move-memory prctl-* set-id-* scratch-set-uid "
    "change-attribute",
    bit(Kind::Privilege) | bit(Kind::Filter) | bit(Kind::File) | bit(Kind::Device) | bit(Kind::Memory) |
        bit(Kind::Trace),
    start_steps<kIdentity, kIdentitySteps>};

constexpr Step kRightsReadSteps[] = {
    calls("cap-sys-admin", kNotice, "capget", "asks what capabilities it has"),
    calls("cap-bounding-set", kNotice, "prctl", "asks what a started program could be given",
          is_option<PR_CAPBSET_READ>),
    calls("cap-ambient-set", kNotice, "prctl", "asks what every started program keeps",
          are<PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET>),
    calls("no-new-privs", kNotice, "prctl", "asks whether it can get rights", is_option<PR_GET_NO_NEW_PRIVS>),
    calls("securebits", kNotice, "prctl", "asks what user 0 may", is_option<PR_GET_SECUREBITS>),
    calls("filter-missing", kNotice, "prctl", "asks whether its system calls are filtered",
          is_option<PR_GET_SECCOMP>),
    calls("kept-timer-slack", kNotice, "prctl", "asks for its timer slack", is_option<PR_GET_TIMERSLACK>),
    calls("kept-groups", kNotice, "getgroups getgroups32", "asks what groups it has"),
    calls("core-dump", kNotice, "prlimit64 getrlimit ugetrlimit", "asks for the limit of core files",
          [](const Event& e) { return e.args[0] == 4 || (e.args[0] == 0 && e.args[1] == 4); }),
    calls("kept-umask", kNotice, "umask", "asks for or sets its mask of file modes"),
    calls("kept-signal-mask", kNotice, "rt_sigprocmask", "asks which signals are blocked",
          [](const Event& e) { return e.args[1] == 0; }),
    calls("kept-ignored-signal", kNotice, "rt_sigaction", "asks what is done about a signal",
          [](const Event& e) { return e.args[1] == 0; }),
    file("kept-personality", kNotice, Use::Read, "/proc/self/personality", "reads its personality"),
    file("root-mapped", kNotice, Use::Any, "/proc/self/uid_map /proc/self/gid_map", "looks at its id map"),
    file("kept-groups", kNotice, Use::Read, "/proc/sys/kernel/overflowgid /proc/sys/kernel/overflowuid",
         "asks how ids without a mapping are shown"),
    file("root-outside", kNotice, Use::Any, "/proc/sys/kernel", "looks who owns the kernel's settings"),
};

extern const Detector kRightsRead;
const Detector kRightsRead = {
    "rights-asked",
    kNotice,
    "a process asks what it is allowed",
    "Whoever wants out looks first what there is. So do many programs when they start, so it is a remark and "
    "nothing else by itself.",
    "capabilities(7); prctl(2); T1033",
    "cap-* no-new-privs securebits filter-missing kept-* core-dump root-outside root-group-outside root-mapped",
    bit(Kind::Filter) | bit(Kind::Other) | bit(Kind::Limit) | bit(Kind::File) | bit(Kind::Privilege) |
        bit(Kind::Trace) | bit(Kind::Memory),
    start_steps<kRightsRead, kRightsReadSteps>};

// ---- keys

constexpr uint64_t kUser = static_cast<uint32_t>(KEY_SPEC_USER_KEYRING),
                   kUserSession = static_cast<uint32_t>(KEY_SPEC_USER_SESSION_KEYRING),
                   kSession = static_cast<uint32_t>(KEY_SPEC_SESSION_KEYRING);
uint64_t low(uint64_t value) { return value & 0xffffffffU; }
bool all_nil(const Event& event) {
  for (uint64_t argument : event.args)
    if (argument != 0) return false;
  return true;
}

constexpr Step kKeySteps[] = {
    calls("filter-thread", kLow, "add_key", "makes a call without arguments from a second thread",
          [](const Event& e) { return all_nil(e) && e.tid != e.pid; }),
    calls("filter-denied", kLow, "add_key", "makes a call without arguments, which only a filter answers",
          [](const Event& e) { return e.args[0] == 0 && e.args[1] == 0; }),
    calls("key-plant", kLow, "add_key", "puts a key where other sessions look",
          [](const Event& e) { return low(e.args[4]) == kUser || low(e.args[4]) == kUserSession; }),
    calls("key-add", kNotice, "add_key", "adds a key"),
    calls("callers-key-request", kLow, "request_key", "asks for a key by its name",
          [](const Event& e) { return low(e.args[3]) == 0; }),
    calls("key-request-call", kLow, "request_key", "asks for a key"),
    calls("callers-key-session", kLow, "keyctl", "searches the session's keys",
          [](const Event& e) { return e.args[0] == KEYCTL_SEARCH && low(e.args[1]) == kSession; }),
    calls("key-user-session", kLow, "keyctl", "searches a user's keys", is_option<KEYCTL_SEARCH>),
    calls("key-join-session", kNotice, "keyctl", "joins a session of keys",
          is_option<KEYCTL_JOIN_SESSION_KEYRING>),
    calls("key-user-keyring", kNotice, "keyctl", "asks for a keyring", is_option<KEYCTL_GET_KEYRING_ID>),
    calls("key-persistent", kLow, "keyctl", "asks for a user's persistent keys",
          is_option<KEYCTL_GET_PERSISTENT>),
    calls("key-by-number", kMedium, "keyctl", "reads a key", is_option<KEYCTL_READ>),
    file("key-by-number", kNotice, Use::Read, "/proc/keys", "reads the list of keys"),
    file("proc-key-users", kNotice, Use::Read, "/proc/key-users", "reads who has keys"),
};

extern const Detector kKeys;
const Detector kKeys = {
    "keys",
    kLow,
    "keys that the kernel keeps",
    "Keyrings are older than namespaces, and those of a user are shared by everything that runs as this user. "
    "Logins join sessions and mounts of encrypted disks add keys; programs in a jail have none.",
    "keyrings(7); keyctl(2); T1555",
    "key-* callers-key-* proc-key-users keys filter-denied filter-thread filter-exec filter-own-allow filter-flood "
    "filter-interrupted entry-int80-denied number-*",
    bit(Kind::Privilege) | bit(Kind::File),
    start_steps<kKeys, kKeySteps>};

constexpr StepDetector kRightDetectors[] = {
    {&kIdentity, kIdentitySteps}, {&kRightsRead, kRightsReadSteps}, {&kKeys, kKeySteps}};

}  // namespace

std::span<const StepDetector> right_detectors() { return kRightDetectors; }

}  // namespace immure::watch

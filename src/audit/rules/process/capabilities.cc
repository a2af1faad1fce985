// The capability sets. In a user namespace of its own they are about its own namespaces, so what is critical
// in the first one is no more than a wider surface there.
#include "kernel/capabilities.h"

#include <algorithm>
#include <array>

#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"

namespace immure::audit {
namespace {

enum Capability : unsigned {
  kChown,
  kDacOverride,
  kDacReadSearch,
  kFowner,
  kFsetid,
  kKill,
  kSetgid,
  kSetuid,
  kSetpcap,
  kLinuxImmutable,
  kNetBindService,
  kNetBroadcast,
  kNetAdmin,
  kNetRaw,
  kIpcLock,
  kIpcOwner,
  kSysModule,
  kSysRawio,
  kSysChroot,
  kSysPtrace,
  kSysPacct,
  kSysAdmin,
  kSysBoot,
  kSysNice,
  kSysResource,
  kSysTime,
  kSysTtyConfig,
  kMknod,
  kLease,
  kAuditWrite,
  kAuditControl,
  kSetfcap,
  kMacOverride,
  kMacAdmin,
  kSyslog,
  kWakeAlarm,
  kBlockSuspend,
  kAuditRead,
  kPerfmon,
  kBpf,
  kCheckpointRestore
};

// Each capability is in one of these.
constexpr uint64_t kAdmin = bit(kSysAdmin);
constexpr uint64_t kKernel = bit(kSysModule) | bit(kSysRawio) | bit(kSysBoot) | bit(kBpf) | bit(kPerfmon);
constexpr uint64_t kFiles = bit(kDacOverride) | bit(kDacReadSearch) | bit(kMknod) | bit(kChown) |
                            bit(kFowner) | bit(kFsetid) | bit(kSetfcap) | bit(kLinuxImmutable) | bit(kLease);
constexpr uint64_t kIds = bit(kSetuid) | bit(kSetgid) | bit(kSetpcap);
constexpr uint64_t kProcesses = bit(kSysPtrace) | bit(kCheckpointRestore) | bit(kKill) | bit(kIpcOwner);
constexpr uint64_t kNetwork = bit(kNetAdmin) | bit(kNetRaw) | bit(kNetBindService) | bit(kNetBroadcast);
constexpr uint64_t kLogs = bit(kSyslog) | bit(kAuditWrite) | bit(kAuditControl) | bit(kAuditRead);
constexpr uint64_t kModules = bit(kMacAdmin) | bit(kMacOverride);
constexpr uint64_t kMachine = bit(kSysTime) | bit(kSysTtyConfig) | bit(kWakeAlarm) | bit(kBlockSuspend) |
                              bit(kSysPacct) | bit(kSysNice) | bit(kSysResource) | bit(kIpcLock);
constexpr uint64_t kRoot = bit(kSysChroot);

std::string list_of(uint64_t set) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < 64; i++)
    if (set & bit(i)) names.push_back(capability_name(i));
  return some_of(names);
}

std::string words_of(uint64_t set) {
  std::string out;
  for (unsigned i = 0; i < 64; i++)
    if (set & bit(i)) out += (out.empty() ? "" : " ") + capability_name(i);
  return out;
}

Severity lower(Severity severity, int steps) {
  return static_cast<Severity>(std::max(0, static_cast<int>(severity) - steps));
}

bool unknown_caps(const Live& live, Answers& answers) {
  for (const ThreadView& thread : live.threads)
    if (thread.has_caps) return false;
  answers.unknown("its capability sets are not shown");
  return true;
}

// `worst` are those that deserve the severity; others of the group are one step less.
void held(const Live& live, Answers& answers, uint64_t group, uint64_t worst, Severity severity,
          bool reaches) {
  if (unknown_caps(live, answers)) return;
  answers.checked();
  for (const ThreadView& thread : live.threads) {
    uint64_t has = (thread.effective | thread.permitted) & group;
    if (has == 0) continue;
    Severity level = (has & worst) != 0 ? severity : lower(severity, 1);
    if (has_own_users(live)) level = lower(level, 2);
    if (!reaches) level = lower(level, 1);
    bool now = (thread.effective & has) != 0;
    answers.found(level, (now ? "the effective set" : "the permitted set") + of_thread(thread, live),
                  list_of(has) + (has_own_users(live) ? ", in a user namespace of its own" : ""), {},
                  words_of(has));
    return;
  }
}

void admin(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kAdmin, kAdmin, Severity::Critical, true);
}
void kernel(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kKernel, bit(kSysModule) | bit(kSysRawio) | bit(kBpf), Severity::Critical, true);
}
void files(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kFiles, bit(kDacOverride) | bit(kDacReadSearch) | bit(kMknod), Severity::High,
       true);
}
void ids(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kIds, bit(kSetuid), Severity::High, true);
}
void processes(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kProcesses, bit(kSysPtrace), Severity::Critical, shares(*facts.live, "pid"));
}
void network(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kNetwork, bit(kNetAdmin) | bit(kNetRaw), Severity::High,
       shares(*facts.live, "net"));
}
void logs(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kLogs, bit(kSyslog) | bit(kAuditControl), Severity::Medium, true);
}
void modules(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kModules, kModules, Severity::High, true);
}
void machine(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kMachine, bit(kSysTime) | bit(kSysResource), Severity::Medium, true);
}
void chroots(const Facts& facts, Answers& answers) {
  held(*facts.live, answers, kRoot, kRoot, Severity::Medium, true);
}

void bounding(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_caps(live, answers)) return;
  answers.checked();
  for (const ThreadView& thread : live.threads) {
    if (thread.bounding == 0) continue;
    Severity level = Severity::Medium;
    if (has_own_users(live)) level = Severity::Low;
    // Without an exec that gives, the set gives nothing; what is permitted has a rule of its own.
    if (thread.no_new_privs == 1 && (thread.effective | thread.permitted) == 0) level = Severity::Advice;
    answers.found(level, "the bounding set" + of_thread(thread, live),
                  capability_set(thread.bounding, live.process.last_capability));
    return;
  }
}

void inheritable(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_caps(live, answers)) return;
  answers.checked();
  uint64_t set = any_thread(live, &ThreadView::inheritable);
  if (set != 0)
    answers.found(has_own_users(live) ? Severity::Advice : Severity::Low, "the inheritable set",
                  list_of(set));
}

void ambient(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_caps(live, answers)) return;
  answers.checked();
  uint64_t set = any_thread(live, &ThreadView::ambient);
  if (set != 0)
    answers.found(has_own_users(live) ? Severity::Low : Severity::Medium, "the ambient set", list_of(set));
}

constexpr const char* kDrop =
    "drop it from all five sets: immure run, setpriv --bounding-set, "
    "CapabilityBoundingSet= of systemd";

}  // namespace

const Rule kProcessCapAdmin = {
    "process-cap-admin",
    Look::Process,
    Severity::Critical,
    Concern::Privilege,
    Point::Privileges,
    "CAP_SYS_ADMIN",
    "It mounts, enters namespaces, loads programs into the kernel and more than a hundred other things. In the "
    "first user namespace there is no jail that it does not open.",
    "",
    kDrop,
    "capabilities(7)",
    admin,
    Mend::None,
    "root kernel privilege devices processes information resources descriptors filter links"};
const Rule kProcessCapKernel = {
    "process-cap-kernel",
    Look::Process,
    Severity::Critical,
    Concern::Privilege,
    Point::Privileges,
    "a capability over the kernel itself",
    "Modules, raw memory and ports, programs in the kernel, a reboot: each is the whole machine. None is needed by "
    "an ordinary program.",
    "",
    kDrop,
    "capabilities(7)",
    kernel,
    Mend::None,
    "kernel privilege devices"};
const Rule kProcessCapFiles = {
    "process-cap-files",
    Look::Process,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "a capability over files of others",
    "Modes and owners do not hold it, device nodes can be made, and files are opened by handle, past every path. "
    "With CAP_DAC_READ_SEARCH that reaches files outside of the root.",
    "",
    kDrop,
    "capabilities(7); open_by_handle_at(2)",
    files,
    Mend::None,
    "privilege links devices kernel descriptors root"};
const Rule kProcessCapIds = {
    "process-cap-ids",
    Look::Process,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "a capability to become another user",
    "It becomes any user that its user namespace has, root among them, and takes what that one may. The change "
    "of user at its start then holds nothing.",
    "",
    kDrop,
    "capabilities(7); setuid(2)",
    ids,
    Mend::None,
    "privilege processes links"};
const Rule kProcessCapProcesses = {
    "process-cap-processes",
    Look::Process,
    Severity::Critical,
    Concern::Privilege,
    Point::Privileges,
    "a capability over processes of others",
    "With CAP_SYS_PTRACE it writes into every process that it can name, and acts with its rights. Where the pid "
    "namespace is the host's these are all of them.",
    "",
    kDrop,
    "capabilities(7); ptrace(2)",
    processes,
    Mend::None,
    "processes descriptors information privilege"};
const Rule kProcessCapNetwork = {
    "process-cap-network",
    Look::Process,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "a capability over the network",
    "It listens to and forges what goes over its interfaces, and CAP_NET_ADMIN reaches large parts of the kernel "
    "where holes were found again and again. In the network of the host it changes addresses and filters.",
    "",
    kDrop,
    "capabilities(7); packet(7)",
    network,
    Mend::None,
    "network privilege"};
const Rule kProcessCapLogs = {
    "process-cap-logs",
    Look::Process,
    Severity::Medium,
    Concern::Monitoring,
    Point::Records,
    "a capability over the logs",
    "It reads or clears the log of the kernel, or writes and changes the audit trail. What it does is then not "
    "what is recorded of it.",
    "",
    kDrop,
    "capabilities(7); syslog(2)",
    logs,
    Mend::None,
    "kernel information privilege"};
const Rule kProcessCapModules = {
    "process-cap-modules",
    Look::Process,
    Severity::High,
    Concern::Privilege,
    Point::Module,
    "a capability over the security module",
    "It changes the rules that should hold it, or passes by them. A label then means nothing.",
    "",
    kDrop,
    "capabilities(7)",
    modules,
    Mend::None,
    "privilege"};
const Rule kProcessCapMachine = {
    "process-cap-machine",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "a capability over clock, limits or terminals",
    "The clock, limits of resources, priorities and terminals are of the whole machine. Others suffer from what "
    "it does with them.",
    "",
    kDrop,
    "capabilities(7)",
    machine,
    Mend::None,
    "resources kernel privilege processes devices"};
const Rule kProcessCapChroot = {
    "process-cap-chroot",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "CAP_SYS_CHROOT",
    "It changes its root and enters mount namespaces: a plain chroot is left by it, and set-id programs are fooled "
    "with a root of one's own making. No door of a chroot is closed to who has it.",
    "",
    kDrop,
    "capabilities(7); chroot(2)",
    chroots,
    Mend::None,
    "privilege root"};
const Rule kProcessCapBounding = {
    "process-cap-bounding",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "the bounding set is not empty",
    "It is what an exec of a set-id program or one with file capabilities can give at most. An empty one makes "
    "such files harmless.",
    "",
    "setpriv --bounding-set=-all, CapabilityBoundingSet= of systemd",
    "capabilities(7)",
    bounding,
    Mend::None,
    "privilege"};
const Rule kProcessCapInheritable = {
    "process-cap-inheritable",
    Look::Process,
    Severity::Low,
    Concern::Privilege,
    Point::Privileges,
    "the inheritable set is not empty",
    "A file with inheritable capabilities gives them to who has them in this set. Container engines once left "
    "it filled by mistake.",
    "",
    "setpriv --inh-caps=-all",
    "capabilities(7); CVE-2022-24769",
    inheritable,
    Mend::None,
    "privilege"};
const Rule kProcessCapAmbient = {
    "process-cap-ambient",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "the ambient set is not empty",
    "These capabilities survive every exec of an ordinary program, with any user. Whatever it starts has them.",
    "",
    "setpriv --ambient-caps=-all, AmbientCapabilities= of systemd",
    "capabilities(7)",
    ambient,
    Mend::None,
    "privilege"};

}  // namespace immure::audit

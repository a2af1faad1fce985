// Its mounts, and what of /proc, /sys and the control groups is open.
#include <algorithm>
#include <array>

#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

bool unknown_mounts(const Live& live, Answers& answers) {
  if (live.mounts) return answers.checked(), false;
  answers.unknown("its mount table is not readable for this caller");
  return true;
}

// File systems in which nothing can be made or left.
bool holds_files(const LiveMount& mount) {
  for (const char* fstype :
       {"proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs",
        "pstore", "bpf", "configfs", "binfmt_misc", "hugetlbfs", "efivarfs", "fusectl", "autofs"})
    if (mount.fstype == fstype) return false;
  return true;
}

// Its mounts can be changed for it alone, and paths mean the same from the top of its namespace.
bool is_its_own(const Live& live) {
  return !shares(live, "mnt") && (live.root == RootKind::Pivoted || live.root == RootKind::HostTree);
}
// The options that make it read-only; those that it has stay.
std::string read_only(const LiveMount& mount) {
  std::string out = "remount,bind,ro";
  for (const char* option : {"nosuid", "nodev", "noexec"})
    if (list_has(mount.options, option)) out += "," + std::string(option);
  return out;
}

template <class Fits>
void one_for_all(const Live& live, Answers& answers, Severity severity, const char* lacks, Fits fits) {
  std::vector<std::string> targets;
  for (const LiveMount& mount : *live.mounts)
    if (holds_files(mount) && fits(mount)) targets.push_back(mount.target);
  if (!targets.empty()) answers.found(severity, targets[0], std::string(lacks) + ": " + some_of(targets));
}

void set_id(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  bool matters = may_gain(live) && !(has_own_users(live) && !maps_host_root(live));
  one_for_all(live, answers, matters ? Severity::Medium : Severity::Advice, "without nosuid",
              [](const LiveMount& mount) { return !mount.nosuid; });
}

void devices(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  constexpr unsigned kMknod = 27;
  bool makes = (any_thread(live, &ThreadView::effective) & bit(kMknod)) != 0 && !has_own_users(live);
  one_for_all(live, answers, makes ? Severity::Medium : Severity::Advice, "without nodev",
              [](const LiveMount& mount) {
                return !mount.nodev && !is_below(mount.target, "/dev") && !is_below(mount.target, "/proc");
              });
}

void propagation(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers) || shares(live, "mnt")) return;
  std::vector<std::string> targets;
  for (const LiveMount& mount : *live.mounts)
    if (mount.host_peer) targets.push_back(mount.target);
  if (targets.empty()) return;
  constexpr unsigned kAdmin = 21;
  bool may = (any_thread(live, &ThreadView::effective) & bit(kAdmin)) != 0;
  answers.found(may ? Severity::High : Severity::Medium, targets[0],
                "shared with the host: " + some_of(targets));
  if (!is_its_own(live)) answers.by_hand();
}

struct Folder {
  const char* path;
  Severity severity;  // for root of the host
  bool below;         // what is in it counts too
};
constexpr Folder kFolders[] = {
    {"/", Severity::Critical, false},
    {"/etc", Severity::Critical, true},
    {"/usr", Severity::Critical, true},
    {"/bin", Severity::Critical, false},
    {"/sbin", Severity::Critical, false},
    {"/lib", Severity::Critical, true},
    {"/lib64", Severity::Critical, true},
    {"/boot", Severity::Critical, true},
    {"/root", Severity::Critical, false},
    {"/dev", Severity::Critical, false},
    {"/var", Severity::High, false},
    {"/run", Severity::High, false},
    {"/var/run", Severity::High, false},
    {"/home", Severity::High, false},
    {"/opt", Severity::High, false},
    {"/srv", Severity::Medium, false},
    {"/var/spool/cron", Severity::Critical, true},
    {"/var/lib", Severity::High, false},
    {"/tmp", Severity::Medium, false},
    {"/var/tmp", Severity::Medium, false},
    {"/mnt", Severity::Medium, false},
    {"/media", Severity::Medium, false},
};

const Folder* folder_of(const std::string& host_path) {
  for (const Folder& folder : kFolders)
    if (host_path == folder.path) return &folder;
  for (const Folder& folder : kFolders)
    if (folder.below && is_below(host_path, folder.path)) return &folder;
  return nullptr;
}

void host_written(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  // Where the mount namespace is the host's, another rule says it all.
  if (live.root == RootKind::Unchanged) return;
  bool root = is_host_root(live) || (any_thread(live, &ThreadView::effective) & bit(1)) != 0;
  for (const LiveMount& mount : *live.mounts) {
    if (mount.read_only || mount.host_path.empty() || mount.fstype == "proc" || mount.fstype == "sysfs")
      continue;
    const Folder* folder = folder_of(mount.host_path);
    if (folder == nullptr || mount.fstype.starts_with("cgroup")) continue;
    // Others write there only what the modes allow.
    Severity severity = root ? folder->severity : std::min(folder->severity, Severity::Medium);
    answers.found(severity, mount.target, mount.host_path + " of the host, writable", mount.host_path,
                  read_only(mount));
    if (!is_its_own(live)) answers.by_hand();
  }
}

void host_seen(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  if (live.root == RootKind::Unchanged) return;
  for (const LiveMount& mount : *live.mounts)
    if (mount.host_path == "/" && mount.read_only && mount.target != "/")
      answers.found(mount.target, "the root folder of the host, read-only", mount.host_path);
}

void host_home(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  if (live.root == RootKind::Unchanged) return;
  for (const LiveMount& mount : *live.mounts) {
    std::string_view path = mount.host_path;
    bool home = path.starts_with("/home/") && path.find('/', 6) == std::string_view::npos;
    if (!home || mount.read_only) continue;
    answers.found(mount.target, mount.host_path + " of the host, writable: shell start files, keys, programs",
                  mount.host_path, read_only(mount));
    if (!is_its_own(live)) answers.by_hand();
  }
}

// A procfs shows the processes of the pid namespace it was mounted for; the device tells whose it is.
void host_proc(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  for (const LiveMount& mount : *live.mounts) {
    if (mount.fstype != "proc" || mount.root != "/" || mount.host_path.empty()) continue;
    bool hides = list_has(mount.super_options, "hidepid=invisible") ||
                 list_has(mount.super_options, "hidepid=2") || list_has(mount.super_options, "subset=pid");
    if (live.root == RootKind::Unchanged && hides) continue;
    answers.found(hides ? Severity::Low : Severity::Medium, mount.target,
                  std::string("the procfs of the host") + (hides ? ", which hides processes of others" : ""));
  }
}

void proc_written(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.kernel_files) return answers.unknown(live.reach_note);
  answers.checked();
  std::vector<std::string> paths;
  for (const ReachableFile& file : *live.kernel_files)
    if (file.writable && file.path.starts_with("/proc/")) paths.push_back(file.path);
  if (!paths.empty()) answers.found(paths[0], "its user may write to " + some_of(paths));
}

void sys_written(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.kernel_files) return answers.unknown(live.reach_note);
  if (unknown_mounts(live, answers)) return;
  for (const ReachableFile& file : *live.kernel_files)
    if (file.writable && file.path.starts_with("/sys/")) {
      answers.found(Severity::Critical, file.path, "its user may write to it");
      return answers.by_hand();
    }
  for (const LiveMount& mount : *live.mounts) {
    if (mount.fstype != "sysfs" || mount.read_only) continue;
    answers.found(is_host_root(live) ? Severity::High : Severity::Low, mount.target,
                  "sysfs, mounted for writing", {}, read_only(mount));
    if (!is_its_own(live)) answers.by_hand();
    return;
  }
}

// kallsyms_show_value() of the kernel: with the capability, or where users may measure the kernel anyway.
// nullopt: not known.
std::optional<bool> shows_addresses(const Live& live) {
  if (!live.kptr_restrict) return std::nullopt;
  if (*live.kptr_restrict >= 2) return false;
  if (*live.kptr_restrict == 0) {
    if (!live.perf_paranoid) return std::nullopt;
    if (*live.perf_paranoid <= 1) return true;
  }
  constexpr unsigned kSyslog = 34;
  return (any_thread(live, &ThreadView::effective) & bit(kSyslog)) != 0 && !has_own_users(live);
}

std::string symbols_text(const Live& live) {
  const std::optional<bool> shows = shows_addresses(live);
  if (!shows) return " (whether with addresses is not known)";
  return *shows ? " (with addresses)" : " (names; the addresses are 0)";
}

void kernel_read(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!live.kernel_files) return answers.unknown(live.reach_note);
  answers.checked();
  std::vector<std::string> paths;
  std::string first;
  Severity severity = Severity::Advice;
  for (const ReachableFile& file : *live.kernel_files) {
    if (!file.readable) continue;
    if (first.empty()) first = file.path;
    const bool symbols = file.path == "/proc/kallsyms";
    paths.push_back(file.path + (symbols ? symbols_text(live) : ""));
    bool memory = file.path == "/proc/kcore" || file.path == "/proc/kmsg";
    // Everybody may open these two, and sees what is his.
    bool filtered = (symbols && shows_addresses(live) != true) || file.path == "/proc/keys";
    severity = std::max(severity, memory ? Severity::High : filtered ? Severity::Advice : Severity::Low);
  }
  if (!paths.empty()) answers.found(severity, first, "its user may read " + some_of(paths));
}

void sys_seen(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  for (const LiveMount& mount : *live.mounts)
    if (mount.fstype == "sysfs") return answers.found(mount.target, "sysfs is mounted");
}

void debug_mounts(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  for (const LiveMount& mount : *live.mounts)
    for (const char* fstype :
         {"debugfs", "tracefs", "bpf", "efivarfs", "binfmt_misc", "securityfs", "configfs"})
      if (mount.fstype == fstype) {
        answers.found(is_host_root(live) ? Severity::High : Severity::Low, mount.target,
                      std::string(fstype) + (mount.read_only ? ", read-only" : ", writable"));
        if (!is_its_own(live)) answers.by_hand();
      }
}

void groups_written(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_mounts(live, answers)) return;
  constexpr unsigned kAdmin = 21;
  bool admin = (any_thread(live, &ThreadView::effective) & bit(kAdmin)) != 0 && !has_own_users(live);
  Severity severity = is_host_root(live) ? Severity::High : Severity::Low;
  std::vector<std::string> targets;
  std::string options;
  bool agent = false;
  for (const LiveMount& mount : *live.mounts) {
    if (!mount.fstype.starts_with("cgroup") || mount.read_only) continue;
    agent |= mount.fstype == "cgroup" && admin && is_host_root(live);
    if (targets.empty()) options = read_only(mount);
    targets.push_back(mount.target);
  }
  if (targets.empty()) return;
  answers.found(agent ? Severity::Critical : severity, targets[0],
                "mounted for writing: " + some_of(targets) + (agent ? "; release_agent is within reach" : ""),
                {}, options);
  if (targets.size() > 1 || !is_its_own(live)) answers.by_hand();
}

}  // namespace

#define MOUNT_RULE(variable, id, severity, point, title, why, advice, reference, check, predicts) \
  MENDED_RULE(variable, id, severity, point, title, why, "", advice, reference, check, predicts)
#define MENDED_RULE(variable, id, severity, point, title, why, fix, advice, reference, check, predicts) \
  const Rule variable = {id,     Look::Process, severity, Concern::Isolation, point,   title, why, fix, \
                         advice, reference,     check,    Mend::None,         predicts};

// The host's mount reads the path in the namespace of the process, and nothing of there is executed.
constexpr const char* kRemount = "mount -N {pid} -o {value} {where}";

MOUNT_RULE(
    kProcessMountSetId, "process-mount-set-id", Severity::Medium, Point::Privileges, "mounts without nosuid",
    "A set-id bit on such a mount counts, also one that is put there later from outside. A jail has no use for "
    "any.",
    "mount with nosuid", "mount(8)", set_id, "privilege remount-set-uid setattr-set-uid")
MOUNT_RULE(
    kProcessMountDevices, "process-mount-devices", Severity::Medium, Point::Leaks, "mounts without nodev",
    "A device node in such a mount opens the driver behind it, whoever made the node. Outside of /dev no jail "
    "needs one.",
    "mount with nodev", "mount(8)", devices, "devices remount-devices")
MENDED_RULE(
    kProcessMountPropagation, "process-mount-propagation", Severity::High, Point::Namespaces,
    "mounts are shared with the host",
    "What is mounted inside appears outside, and the other way: a mount over /etc, seen by all. It undoes the "
    "mount namespace.",
    "mount -N {pid} --make-rprivate /",
    "where it is started: mount --make-rprivate / before anything is mounted", "mount_namespaces(7)",
    propagation, "mount-shared root")
MENDED_RULE(kProcessMountHost, "process-mount-host-writable", Severity::Critical, Point::TreeWriting,
            "a system folder of the host, writable",
            "It changes there what programs outside execute, load or believe. No other wall matters then.",
            kRemount, "bind it read-only, or bind only the folder that is meant", "mount(8)", host_written,
            "root links descriptors resources privilege")
MENDED_RULE(
    kProcessMountHome, "process-mount-home", Severity::Medium, Point::TreeWriting,
    "a home of the host, writable",
    "Start files of shells, keys and programs in a home are used outside by its user, who then runs what was "
    "written inside. That is a way out which needs no fault of the kernel.",
    kRemount, "where it is started: bind the one folder that is worked on", "mount(8)", host_home,
    "root links descriptors")
MOUNT_RULE(
    kProcessMountHostSeen, "process-mount-host-seen", Severity::Medium, Point::Secrets,
    "the root folder of the host is mounted inside",
    "All files of the host are there for reading, as far as modes allow, and its sockets can be connected to. Passwords, keys and settings of all services lie there.",
    "bind only what is needed", "mount(8)", host_seen, "root links information descriptors")
MOUNT_RULE(
    kProcessProcHost, "process-proc-host", Severity::Medium, Point::Leaks, "the /proc of the host",
    "It lists what all others run, with their words and users, and of those of its own user roots, memory and "
    "descriptors. What is learned there is what the next step is aimed at.",
    "a pid namespace of its own with a /proc mounted in it, or hidepid=invisible", "proc(5)", host_proc,
    "processes information kernel root descriptors")
MOUNT_RULE(
    kProcessProcWritten, "process-proc-writable", Severity::Critical, Point::RootChange,
    "settings of the kernel can be written",
    "core_pattern and modprobe name programs that the kernel runs as root, outside of every jail. Their owner "
    "writes them without any capability.",
    "mount /proc/sys and the rest read-only, and map no uid 0 of the host",
    "proc_sys_kernel(5); CVE-2022-0492", proc_written, "kernel privilege processes resources")
MENDED_RULE(
    kProcessSysWritten, "process-sys-writable", Severity::High, Point::RootChange, "/sys can be written",
    "Drivers, power and firmware are steered there, and uevent_helper names a program that the kernel runs. A program that is started that way is outside of every jail.",
    kRemount, "leave /sys out, or mount it read-only", "sysfs(5)", sys_written,
    "kernel devices resources information")
MOUNT_RULE(
    kProcessKernelRead, "process-kernel-read", Severity::Low, Point::Leaks, "facts of the kernel can be read",
    "Names, addresses, keys, timers and caches of the kernel tell an attack where to aim, and of what others do. The "
    "more of them there are, the less a fault of the kernel needs luck.",
    "cover these files, or mount /proc with subset=pid", "proc(5)", kernel_read, "kernel information")
MOUNT_RULE(
    kProcessSysSeen, "process-sys-seen", Severity::Advice, Point::Minimality, "/sys is there",
    "It tells the hardware, serial numbers, and what other control groups and devices there are. Few programs "
    "need it.",
    "leave /sys out", "sysfs(5)", sys_seen, "information kernel")
MENDED_RULE(
    kProcessDebugMounts, "process-mount-debug", Severity::High, Point::Minimality,
    "a file system for debugging or firmware",
    "debugfs, tracefs and their like are doors into the kernel for its developers. They are not made to hold "
    "anybody off.",
    "umount -N {pid} {where}", "where it is started: leave it out", "mount(8)", debug_mounts,
    "kernel information resources")
MENDED_RULE(
    kProcessGroupsWritten, "process-cgroup-writable", Severity::High, Point::Limits,
    "control groups can be written",
    "Who owns the files lifts its own limits and moves processes. In version 1 a release_agent is a program that "
    "the kernel runs as root, outside.",
    kRemount, "mount the groups read-only, or not at all", "cgroups(7); CVE-2022-0492", groups_written,
    "resources kernel privilege")
#undef MOUNT_RULE

}  // namespace immure::audit

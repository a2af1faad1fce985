// What is mounted in the tree, and where the tree itself lies.
#include <string_view>

#include "audit/rules/tree/rules.h"
#include "base/text.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

enum class Kind : uint8_t { Loop, Proc, Sys, Devices, Kernel, Writable, Quiet };

bool is_memory(std::string_view type) {
  return type == "tmpfs" || type == "ramfs" || type == "mqueue" || type == "devpts";
}

Kind kind_of(const MountBelow& mount) {
  if (mount.loop) return Kind::Loop;
  if (mount.type == "proc") return Kind::Proc;
  if (mount.type == "sysfs") return Kind::Sys;
  if (mount.type == "devtmpfs") return Kind::Devices;
  for (std::string_view type : {"debugfs", "tracefs", "securityfs", "bpf", "configfs", "efivarfs", "cgroup",
                                "cgroup2", "fusectl", "pstore", "binfmt_misc"})
    if (mount.type == type) return Kind::Kernel;
  if (!is_memory(mount.type) && !list_has(mount.options, "ro")) return Kind::Writable;
  return Kind::Quiet;
}

void tell(const Facts& facts, Answers& answers, Kind kind) {
  const Tree& tree = begin(facts, answers);
  for (const MountBelow& mount : tree.mounts) {
    if (mount.type.empty()) {
      answers.unknown("something is mounted on " + mount.path + " that the mount table does not tell of");
      continue;
    }
    if (kind_of(mount) != kind) continue;
    const std::string evidence =
        mount.type + ", " + mount.options + (mount.root == "/" ? "" : ", shows " + mount.root);
    // Read-only they tell, but change nothing.
    const bool quiet = kind == Kind::Kernel && list_has(mount.options, "ro");
    if (quiet)
      answers.found(Severity::Low, mount.path, evidence, on_host(tree, mount.path));
    else
      answers.found(mount.path, evidence, on_host(tree, mount.path));
  }
}

void loop(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Loop); }
void proc(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Proc); }
void sys(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Sys); }
void devices(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Devices); }
void kernel(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Kernel); }
void writable(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Writable); }

void lacks(const Facts& facts, Answers& answers, const char* option) {
  const Tree& tree = *facts.tree;
  answers.checked();
  if (tree.mount_target.empty()) return answers.unknown("the mount table does not say where the root lies");
  if (!list_has(tree.mount_options, option))
    answers.found("/", tree.mount_type + " on " + tree.mount_target + ": " + tree.mount_options,
                  on_host(tree, "/"));
}

void nosuid(const Facts& facts, Answers& answers) { lacks(facts, answers, "nosuid"); }
void nodev(const Facts& facts, Answers& answers) { lacks(facts, answers, "nodev"); }

void shared(const Facts& facts, Answers& answers) {
  const Tree& tree = *facts.tree;
  answers.checked();
  if (tree.mount_target.empty()) return answers.unknown("the mount table does not say where the root lies");
  if (tree.shares_host_root)
    answers.found("/", tree.mount_type + ", the file system of the host", on_host(tree, "/"));
}

void quota(const Facts& facts, Answers& answers) {
  const Tree& tree = *facts.tree;
  answers.checked();
  if (tree.mount_target.empty()) return answers.unknown("the mount table does not say where the root lies");
  if (list_has(tree.mount_options, "ro")) return;
  for (const char* word :
       {"usrquota", "grpquota", "prjquota", "usrjquota", "quota", "uquota", "pquota", "size"})
    for (std::string_view option : split(tree.mount_super, ','))
      if (option.substr(0, option.find('=')) == word) return;
  // A file system of its own has an end of its own.
  if (!tree.shares_host_root) return;
  answers.found("/", tree.mount_type + ": " + tree.mount_super, on_host(tree, "/"));
}

}  // namespace

const Rule kTreeMountLoop = {
    .id = "tree-mount-loop",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::RootChange,
    .title = "the root, or what is above it, mounted in itself",
    .why =
        "A folder above the root is within reach inside, or the root is its own child. Tools that"
        " walk the tree do not come to an end, and rm -r in it removes more than the jail.",
    .fix = "umount {path}",
    .reference = "mount(8), --bind; mount_namespaces(7)",
    .check = loop,
    .predicts = "walk-up"};

const Rule kTreeMountProc = {
    .id = "tree-mount-proc",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::Namespaces,
    .title = "the processes of the host are shown in the root",
    .why =
        "By /proc/PID/root and cwd whoever may look at a process outside has its files, and "
        "/proc/sys changes the kernel for all. A proc that is seen from the host was mounted for "
        "its processes.",
    .fix = "umount {path}",
    .reference = "proc(5); proc_pid_root(5)",
    .check = proc,
    .predicts = "proc-root-walk proc-cwd-walk proc-fd-walk"};

const Rule kTreeMountSys = {
    .id = "tree-mount-sys",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::Namespaces,
    .title = "sysfs is mounted in the root",
    .why =
        "It shows and changes devices, modules and settings of the host. Files such as "
        "uevent_helper run programs as root of the host.",
    .fix = "umount {path}",
    .reference = "sysfs(5); CVE-2022-0492",
    .check = sys,
    .predicts = "kernel"};

const Rule kTreeMountDevices = {
    .id = "tree-mount-devices",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "all devices of the host are in the root",
    .why =
        "There is one devtmpfs, and it has a node for every device: disks, memory, consoles. Only"
        " modes and capabilities are left before them.",
    .fix = "umount {path}",
    .advice = "make a small dev with null, zero, full, random, urandom and tty",
    .reference = "Documentation/admin-guide/devices.txt; mount(8)",
    .check = devices,
    .predicts = "devices"};

const Rule kTreeMountKernel = {
    .id = "tree-mount-kernel",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::Namespaces,
    .title = "a file system of the kernel is mounted in the root",
    .why =
        "Control groups, tracing, BPF and firmware are steered by files there. release_agent of a"
        " control group runs a program as root of the host.",
    .fix = "umount {path}",
    .reference = "CVE-2022-0492; cgroups(7); bpf(2)",
    .check = kernel,
    .predicts = "kernel"};

const Rule kTreeMountWritable = {
    .id = "tree-mount-writable",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::RootChange,
    .title = "a folder of the host is mounted for writing",
    .why =
        "What is written there is written outside: programs that others run, links that they "
        "follow. It is meant as a grant, and should be as small as possible.",
    .fix = "mount -o remount,bind,ro,nosuid,nodev {path}",
    .reference = "mount(8), --bind; mount_setattr(2)",
    .check = writable,
    .predicts = "links"};

const Rule kTreeNosuid = {
    .id = "tree-nosuid",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "the root lies on a mount without nosuid",
    .why =
        "Set-id programs and file capabilities work that are put there later. With nosuid they "
        "are ordinary files.",
    .fix = "mount --bind {path} {path} && mount -o remount,bind,nosuid,nodev {path}",
    .reference = "mount(8), nosuid",
    .check = nosuid,
    .predicts = "privilege"};

const Rule kTreeNodev = {
    .id = "tree-nodev",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "the root lies on a mount without nodev",
    .why =
        "Device nodes work that are put there later, by whoever may make one. With nodev they open nothing.",
    .fix = "mount --bind {path} {path} && mount -o remount,bind,nosuid,nodev {path}",
    .reference = "mount(8), nodev",
    .check = nodev,
    .predicts = "devices"};

const Rule kTreeSharedFileSystem = {
    .id = "tree-shared-file-system",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "the root lies on the file system of the host",
    .why =
        "Hard links between both are possible, a handle of one names files of the other, and what"
        " fills the one fills the other. A file system of its own, or an overlay, has none of "
        "that.",
    .fix = "",
    .advice = "put it on a volume of its own, or use immure run --root, which lays an overlay over it",
    .reference = "link(2); open_by_handle_at(2)",
    .check = shared,
    .predicts = "handle-top hard-link-read"};

const Rule kTreeQuota = {
    .id = "tree-quota",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Monitoring,
    .point = Point::Limits,
    .title = "nothing bounds what the root may grow to",
    .why =
        "A program in it can fill the disk of the host, and then nothing works there: no log, no "
        "login. A quota or a file system of its own ends it earlier.",
    .fix = "",
    .advice = "a project quota, a volume of its own, or a jail whose root is read-only",
    .reference = "quota(1); xfs_quota(8)",
    .check = quota,
    .predicts = "resources"};

}  // namespace immure::audit

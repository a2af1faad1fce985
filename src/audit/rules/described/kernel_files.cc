#include <algorithm>

#include "audit/rules/described/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

void check_unmasked(const Facts& facts, Answers& answers) {
  const Value<std::vector<std::string>>& open = facts.described->unmasked;
  if (open.word == Word::Silent) return;
  if (!open.known()) return answers.unknown(open.origin);
  answers.checked();
  if (!open.value.empty())
    answers.found("masked paths", with("lack " + join(open.value, " "), open.origin), {},
                  join(open.value, " "));
}

void check_settings(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.settings_writable.word == Word::Silent) return;
  if (!jail.settings_writable.known()) return answers.unknown(jail.settings_writable.origin);
  answers.checked();
  if (!jail.settings_writable.value) return;
  // In a user namespace of its own nearly all of them belong to somebody else.
  const Severity severity = own_users(jail)       ? Severity::Low
                            : jail.kind == "unit" ? Severity::Medium
                                                  : Severity::High;
  answers.found(severity, "/proc/sys", with("is not read-only", jail.settings_writable.origin));
}

void check_root(const Facts& facts, Answers& answers) {
  check_value(facts.described->root_writable, true, "/", "is writable", answers);
}

struct Device {
  int64_t major, minor;
  const char* path;  // a beginning; empty: by number alone
  Severity severity;
  const char* what;
};
constexpr Device kDevices[] = {
    {1, 1, "/dev/mem", Severity::Critical, "memory"},
    {1, 2, "/dev/kmem", Severity::Critical, "kernel memory"},
    {1, 4, "/dev/port", Severity::Critical, "ports"},
    {1, 11, "/dev/kmsg", Severity::Low, "the kernel log"},
    {10, 237, "/dev/loop-control", Severity::High, "loop devices"},
    {10, 236, "/dev/mapper/control", Severity::High, "device mapper"},
    {10, 223, "/dev/uinput", Severity::High, "made-up keys"},
    {10, 229, "/dev/fuse", Severity::Low, "file systems of users"},
    {10, 232, "/dev/kvm", Severity::Low, "virtual machines"},
    {10, 200, "/dev/net/tun", Severity::Low, "network interfaces"},
    {10, 238, "/dev/vhost-net", Severity::Medium, "vhost"},
    {4, -1, "/dev/tty", Severity::Medium, "consoles"},
    {202, -1, "/dev/cpu/", Severity::High, "registers of processors"},
    {10, 196, "/dev/vfio", Severity::High, "devices of the bus"},
};
// Disks by their names, where a number is not said: with the second ones a disk has to be set up first.
constexpr std::string_view kDisks[] = {"/dev/sd",     "/dev/vd",       "/dev/xvd",  "/dev/nvme",
                                       "/dev/mmcblk", "/dev/md",       "/dev/dm-",  "/dev/mapper/",
                                       "block-sd",    "block-virtblk", "block-nvme"};
constexpr std::string_view kMadeDisks[] = {"/dev/loop", "block-"};

void check_device(const DescribedDevice& one, Answers& answers) {
  const std::string where =
      one.path.empty() ? std::string(1, one.kind) + " " + num_signed(one.major) + ":" + num_signed(one.minor)
                       : one.path;
  for (const Device& device : kDevices) {
    const bool by_number = one.kind == 'c' && one.major >= 0 && one.major == device.major &&
                           (device.minor < 0 || one.minor == device.minor);
    const std::string_view name = device.path;
    const bool by_name = one.major < 0 && !one.path.empty() &&
                         (name.ends_with('/') ? one.path.starts_with(name) : one.path == name);
    // /dev/tty itself is the caller's own terminal, 5:0.
    if (by_number || (by_name && device.major != 4))
      return answers.found(device.severity, where, with(device.what, one.origin));
  }
  const auto by_prefix = [&](std::string_view name) { return one.major < 0 && one.path.starts_with(name); };
  const bool made = std::any_of(std::begin(kMadeDisks), std::end(kMadeDisks), by_prefix);
  if (std::any_of(std::begin(kDisks), std::end(kDisks), by_prefix) || (one.kind == 'b' && !made))
    answers.found(one.writable ? Severity::Critical : Severity::High, where, with("a disk", one.origin));
  else if (made)
    answers.found(where, with("disks that are set up", one.origin));
}

void check_devices(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const DescribedDevice& one : facts.described->devices) check_device(one, answers);
  for (const DescribedMount& one : facts.described->mounts)
    if (one.kind == DescribedMount::Kind::Bind && one.devices && !one.unclear &&
        one.source.starts_with("/dev/"))
      check_device({one.source, 'c', -1, -1, one.writable, one.origin}, answers);
}

void check_all(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.all_devices.word == Word::Silent) return;
  if (!jail.all_devices.known()) return answers.unknown(jail.all_devices.origin);
  answers.checked();
  if (!jail.all_devices.value) return;
  const bool root = !jail.root_outside.is(false);
  answers.found(root ? Severity::Medium : Severity::Low, "devices",
                with("all are allowed", jail.all_devices.origin));
}

}  // namespace

const Rule kDescribedUnmasked = {
    "described-unmasked",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Namespaces,
    "files of the kernel are not masked",
    "/proc and /sys are of the whole kernel and not of the jail: /proc/kcore is its memory, others show keys, timers and "
    "the firmware. Root inside reads them.",
    "",
    "OCI: add them to linux.maskedPaths",
    "runtime-spec config-linux.md",
    check_unmasked,
    Mend::None,
    "proc-kcore proc-key-users proc-timer-list sys-firmware"};
const Rule kDescribedSettings = {
    "described-settings",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::RootChange,
    "the settings of the kernel are writable",
    "Root writes a program into core_pattern or modprobe, and the kernel starts it outside. sysrq-trigger ends the "
    "machine.",
    "",
    "unit: ProtectKernelTunables=yes; OCI: /proc/sys and /proc/sysrq-trigger among linux.readonlyPaths",
    "proc_sys(5)",
    check_settings,
    Mend::None,
    "sysctl-core-pattern sysctl-modprobe sysrq-trigger damage-core-pattern"};
const Rule kDescribedRootWritable = {
    "described-root-writable",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::TreeWriting,
    "the root of the jail is writable",
    "Who gets in changes the programs that start next time, and stays. Read-only, everything is gone with the process.",
    "",
    "unit: ProtectSystem=strict and ReadWritePaths=; OCI: root.readonly: true",
    "systemd.exec(5)",
    check_root,
    Mend::None,
    "write-programs write-loader"};
const Rule kDescribedDevices = {
    "described-devices",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::TreePowers,
    "a device of the host is given",
    "A disk or memory is the host itself, whatever the files around it say. Others are doors to much code of the kernel.",
    "",
    "unit: leave it out of DeviceAllow= and BindPaths=; OCI: leave it out of linux.devices and "
    "linux.resources.devices; bwrap: leave its --dev-bind out; profile: leave it out",
    "mknod(2); Documentation/admin-guide/devices.txt",
    check_devices,
    Mend::None,
    "devices"};
const Rule kDescribedAllDevices = {
    "described-all-devices",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::TreePowers,
    "no list of devices is in force",
    "Every device node that it finds or makes can be opened. With a list, a node of a disk is only a file.",
    "",
    "unit: PrivateDevices=yes or DevicePolicy=closed; OCI: a first rule that denies all in linux.resources.devices",
    "systemd.resource-control(5)",
    check_all,
    Mend::None,
    "mknod-host-disk planted-vda dev-disks cgroup-devices"};

}  // namespace immure::audit

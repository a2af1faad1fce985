// The jail's own /proc: its processes only, what tells of the host masked.
#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

// Files and directories of procfs that are the host's and readable for anybody. In /proc/pressure anybody can set alarms as
// well: memory and work of the kernel that no group is charged for. What only the host's root may
// read (kcore, kallsyms' addresses, slabinfo …) is closed by the identity already, and locks are those of the pid
// namespace.
constexpr const char* kMaskedFiles[] = {
    "/proc/cmdline", "/proc/config.gz",  "/proc/diskstats", "/proc/interrupts",
    "/proc/modules", "/proc/partitions", "/proc/schedstat", "/proc/zoneinfo",
    "/proc/sys/kernel/random/boot_id",
};
// These show the keys of the ids that the user namespace maps: the caller's own, where the jail has his id.
constexpr const char* kMaskedKeys[] = {"/proc/keys", "/proc/key-users"};
constexpr const char* kMaskedDirs[] = {"/proc/acpi", "/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq", "/proc/pressure",
                                       "/proc/scsi"};

constexpr uint64_t kAttributes = kInert | uapi::kAttrNoexec;

// The jail's own hides from the supervisor as well who made himself unreadable, and pid 1: what is to be counted is
// counted in a second one, which shows all, is mounted nowhere, and goes to the supervisor alone.
void plan_census(Builder& b) {
  int8_t fs = b.new_slot();
  b.plan.census_slot = b.new_slot();
  b.add(Op::FsOpen, Side::Child, Layer::Mounts, "proc").out = fs;
  Step& make = b.add(Op::FsMount, Side::Child, Layer::Mounts);
  make.a = fs;
  make.out = b.plan.census_slot;
  make.x = kAttributes | uapi::kAttrRdonly;
}

// The host's counts every interrupt, one by one, which is what /proc/interrupts is masked for, and the work of all
// processors. Programs look in it for how many processors there are, and when the machine was started.
std::string made_up_stat(const Builder& b) {
  constexpr std::string_view kNoWork = " 0 0 0 0 0 0 0 0 0 0\n";
  std::string text = "cpu " + std::string(kNoWork);   // two blanks, as the kernel has it
  for (uint32_t number : b.host.processor_numbers) text += "cpu" + num(number) + std::string(kNoWork);
  text += "intr 0\nctxt 0\nbtime " + num_signed(shown_boot_time(b));
  return text + "\nprocesses 1\nprocs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n";
}

// In the tmpfs of /dev, which every jail has; it is mounted over the kernel's when the masks are (plan_masks).
void make_stat(Builder& b) {
  constexpr size_t kBehindDev = std::string_view("/dev/").size();
  Step& make = b.add(Op::MakeFile, b.source_side, Layer::Mounts, kMadeUpStat + kBehindDev, made_up_stat(b));
  make.a = b.devices_slot;
  make.x = 0444;
  region_of(b, "/dev").made.emplace_back(kMadeUpStat + kBehindDev);
}

}  // namespace

Status plan_proc(Builder& b) {
  IMMURE_TRY(make_point(b, "/proc", PointKind::Directory, kNoOrigin));
  b.regions.push_back({Builder::Region::Kind::Closed, "/proc", kNoSlot, {}, {}, Side::Child});
  b.phase = Builder::Phase::Attach;
  if (b.plan.counts_processes()) plan_census(b);
  if (!b.spec.has(Weaken::ProcFull)) make_stat(b);
  int8_t fs = b.new_slot(), mount = b.new_slot();
  b.add(Op::FsOpen, Side::Child, Layer::Mounts, "proc").out = fs;
  b.add(Op::FsSet, Side::Child, Layer::Mounts, "hidepid", "invisible").a = fs;
  Step& make = b.add(Op::FsMount, Side::Child, Layer::Mounts);
  make.a = fs;
  make.out = mount;
  make.x = kAttributes;
  attach(b, mount, "/proc", Layer::Mounts);
  b.add(Op::RebindReadOnly, Side::Child, Layer::Mounts, "/proc/sys").b = b.root_slot;
  b.phase = Builder::Phase::Main;
  expect_mount(b, "/proc", "proc", kAttributes);
  expect_mount(b, "/proc/sys", "proc", kAttributes | uapi::kAttrRdonly);
  return {};
}

Status plan_masks(Builder& b) {
  if (b.spec.has(Weaken::ProcFull)) return {};
  for (const char* path : kMaskedFiles) b.add(Op::Mask, Side::Child, Layer::Mounts, "/dev/null", path);
  b.add(Op::Mask, Side::Child, Layer::Mounts, kMadeUpStat, "/proc/stat");
  bool foreign = b.host.privileged && b.user_ns && !b.spec.has(Weaken::SharedIdentity);
  if (!foreign)
    for (const char* path : kMaskedKeys) b.add(Op::Mask, Side::Child, Layer::Mounts, "/dev/null", path);
  for (const char* path : kMaskedDirs) b.add(Op::Mask, Side::Child, Layer::Mounts, kEmptyDirectory, path);
  return {};
}

}  // namespace immure

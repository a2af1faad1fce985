// The jail's own /proc: its processes only, what tells of the host masked.
#include "plan/builder.h"

namespace immure {
namespace {

// Files and directories of procfs that are the host's and readable for anybody. In /proc/pressure anybody can set alarms as
// well: memory and work of the kernel that no group is charged for. What only the host's root may
// read (kcore, kallsyms' addresses, slabinfo …) is closed by the identity already, and locks are those of the pid
// namespace.
constexpr const char* kMaskedFiles[] = {
    "/proc/cmdline", "/proc/config.gz",  "/proc/diskstats", "/proc/interrupts",
    "/proc/modules", "/proc/partitions", "/proc/zoneinfo",  "/proc/sys/kernel/random/boot_id",
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

}  // namespace

Status plan_proc(Builder& b) {
  IMMURE_TRY(make_point(b, "/proc", PointKind::Directory, kNoOrigin));
  b.regions.push_back({Builder::Region::Kind::Closed, "/proc", kNoSlot, {}, {}, Side::Child});
  b.phase = Builder::Phase::Attach;
  if (b.plan.counts_processes()) plan_census(b);
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
  bool foreign = b.host.privileged && b.user_ns && !b.spec.has(Weaken::SharedIdentity);
  if (!foreign)
    for (const char* path : kMaskedKeys) b.add(Op::Mask, Side::Child, Layer::Mounts, "/dev/null", path);
  for (const char* path : kMaskedDirs) b.add(Op::Mask, Side::Child, Layer::Mounts, kEmptyDirectory, path);
  return {};
}

}  // namespace immure

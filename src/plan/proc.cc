// The jail's own /proc: its processes only, what tells of the host masked.
#include "plan/builder.h"

namespace immure {
namespace {

// Files and directories of procfs that are the host's and readable for anybody. What only the host's root may
// read (kcore, kallsyms' addresses, slabinfo …) is closed by the identity already.
constexpr const char* kMaskedFiles[] = {
    "/proc/cmdline",   "/proc/config.gz", "/proc/diskstats", "/proc/interrupts", "/proc/keys",
    "/proc/key-users", "/proc/locks",     "/proc/modules",   "/proc/partitions", "/proc/sys/kernel/random/boot_id",
    "/proc/zoneinfo",
};
constexpr const char* kMaskedDirs[] = {"/proc/acpi", "/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq", "/proc/scsi"};

void mask(Builder& b, const char* path, int8_t cover) {
  Step& step = b.add(Op::Mask, Side::Child, Layer::Mounts, path);
  step.a = cover;
  step.b = b.root_slot;
}

// One empty file and one empty directory, both read-only, serve as covers for all.
void mask_all(Builder& b) {
  int8_t cover = new_tmpfs(b, Side::Child, Layer::Mounts, 4096, 4, "555", kInert | uapi::kAttrNoexec);
  Step& file = b.add(Op::MakeFile, Side::Child, Layer::Mounts, "empty");
  file.a = cover;
  file.x = 0444;
  Step& dir = b.add(Op::MakeDir, Side::Child, Layer::Mounts, "none");
  dir.a = cover;
  dir.x = 0555;
  Step& seal = b.add(Op::MountAttributes, Side::Child, Layer::Mounts);
  seal.a = cover;
  seal.x = uapi::kAttrRdonly;
  int8_t slots[2] = {b.new_slot(), b.new_slot()};
  for (int i = 0; i < 2; i++) {
    Step& open = b.add(Op::Open, Side::Child, Layer::Mounts, i == 0 ? "empty" : "none");
    open.a = cover;
    open.out = slots[i];
    open.x = 010000000 /* O_PATH */;
  }
  for (const char* path : kMaskedFiles) mask(b, path, slots[0]);
  for (const char* path : kMaskedDirs) mask(b, path, slots[1]);
}

}  // namespace

Status plan_proc(Builder& b) {
  constexpr uint64_t kAttributes = kInert | uapi::kAttrNoexec;
  b.regions.push_back({Builder::Region::Kind::Closed, "/proc", kNoSlot, {}, {}, Side::Child});
  b.phase = Builder::Phase::Attach;
  int8_t fs = b.new_slot(), mount = b.new_slot();
  b.add(Op::FsOpen, Side::Child, Layer::Mounts, "proc").out = fs;
  b.add(Op::FsSet, Side::Child, Layer::Mounts, "hidepid", "invisible").a = fs;
  Step& make = b.add(Op::FsMount, Side::Child, Layer::Mounts);
  make.a = fs;
  make.out = mount;
  make.x = kAttributes;
  attach(b, mount, "/proc", Layer::Mounts);
  if (!b.spec.has(Weaken::ProcFull)) mask_all(b);
  b.add(Op::RebindReadOnly, Side::Child, Layer::Mounts, "/proc/sys").b = b.root_slot;
  b.phase = Builder::Phase::Main;
  expect_mount(b, "/proc", "proc", kAttributes);
  expect_mount(b, "/proc/sys", "proc", kAttributes | uapi::kAttrRdonly);
  return {};
}

}  // namespace immure

// /dev: five harmless nodes, an own devpts, an own /dev/shm; and /tmp.
#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

struct Node {
  const char* path;
  uint32_t major, minor;
};
constexpr Node kNodes[] = {{"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8},
                           {"/dev/urandom", 1, 9}};
constexpr Node kTty = {"/dev/tty", 5, 0};
constexpr uint64_t kDevicesBytes = 512 << 10;   // a line for each processor is in it (proc.cc)
constexpr uint64_t kNodeAttributes = uapi::kAttrNosuid | uapi::kAttrNoexec | uapi::kAttrRdonly;
constexpr uint64_t kOwnAttributes = kInert | uapi::kAttrNoexec;

Status bind_node(Builder& b, const std::string& path, const PathFacts& facts, uint16_t origin) {
  IMMURE_TRY(make_point(b, path, PointKind::File, origin));
  b.phase = Builder::Phase::Attach;
  int8_t slot = host_tree(b, path, facts, kNodeAttributes, Layer::Devices, origin);
  attach(b, slot, path, Layer::Devices, origin);
  b.phase = Builder::Phase::Main;
  expect_mount(b, path, {}, kNodeAttributes, origin);
  return {};
}

// A node is what its numbers say, not what its name says (S53).
Status default_node(Builder& b, const Node& node) {
  PathFacts facts = b.files.look(node.path, false);
  if (facts.kind != PathFacts::Kind::CharDevice || facts.rdev_major != node.major || facts.rdev_minor != node.minor)
    return fail(Code::kLayer, std::string("the host's ") + node.path + " cannot be passed on",
                "it is not the character device " + num(node.major) + ":" + num(node.minor),
                "mend the host's /dev");
  if (b.source_side == Side::Child) return bind_node(b, node.path, facts, kNoOrigin);
  // Who may make device nodes makes them afresh: nothing of the host's /dev is passed on.
  b.phase = Builder::Phase::Attach;
  Step& make = b.add(Op::MakeNode, Side::Parent, Layer::Devices, std::string_view(node.path).substr(5));
  make.a = b.devices_slot;
  make.x = 0666;
  make.y = node.major << 8 | node.minor;
  region_of(b, "/dev").made.emplace_back(
      std::string_view(node.path).substr(5));  // a grant can be mounted over it
  b.phase = Builder::Phase::Main;
  return {};
}

bool is_default_node(const Builder& b, const std::string& path) {
  for (const Node& node : kNodes)
    if (path == node.path) return true;
  return b.plan.pty && path == kTty.path;
}

Status granted_nodes(Builder& b) {
  for (const Grant& grant : b.spec.grants) {
    if (grant.kind != Grant::Kind::DevNode) continue;
    if (is_default_node(b, grant.target.value)) continue;  // is there anyway
    PathFacts facts = b.files.look(grant.source.value, false);
    if (facts.kind == PathFacts::Kind::Missing && grant.skip_missing) continue;
    if (facts.kind != PathFacts::Kind::CharDevice && facts.kind != PathFacts::Kind::BlockDevice)
      return fail(Code::kMissingSource, quoted(grant.source.value) + " is not a device node of the host",
                  facts.kind == PathFacts::Kind::Missing ? "it does not exist" : "it is something else", {},
                  b.spec.origin_text(grant.origin));
    IMMURE_TRY(bind_node(b, grant.target.value, facts, grant.origin));
    b.weakened("device " + grant.source.value + " is within reach");
  }
  return {};
}

void own_devpts(Builder& b) {
  b.phase = Builder::Phase::Attach;
  int8_t fs = b.new_slot(), mount = b.new_slot();
  b.add(Op::FsOpen, Side::Child, Layer::Devices, "devpts").out = fs;
  b.add(Op::FsSet, Side::Child, Layer::Devices, "ptmxmode", "0666").a = fs;
  b.add(Op::FsSet, Side::Child, Layer::Devices, "mode", "0600").a = fs;
  b.add(Op::FsSet, Side::Child, Layer::Devices, "max", "64").a = fs;
  Step& make = b.add(Op::FsMount, Side::Child, Layer::Devices);
  make.a = fs;
  make.out = mount;
  make.x = uapi::kAttrNosuid | uapi::kAttrNoexec;
  attach(b, mount, "/dev/pts", Layer::Devices);
  b.phase = Builder::Phase::Main;
  expect_mount(b, "/dev/pts", "devpts", uapi::kAttrNosuid | uapi::kAttrNoexec);
}

Status own_tmpfs(Builder& b, const char* path, uint64_t bytes, uint64_t attributes) {
  if (grant_at(b, path) != nullptr) return {};   // the user's own wish for this path
  IMMURE_TRY(make_point(b, path, PointKind::Directory, kNoOrigin));
  b.phase = Builder::Phase::Attach;
  int8_t slot = new_tmpfs(b, Side::Child, Layer::Mounts, bytes, bytes / 4096 + 64, "1777", attributes);
  attach(b, slot, path, Layer::Mounts);
  b.phase = Builder::Phase::Main;
  expect_mount(b, path, "tmpfs", attributes);
  b.regions.push_back({Builder::Region::Kind::Tmpfs, path, slot, {}, {}, Side::Child});
  b.writable.push_back(path);
  return {};
}

void own_links(Builder& b) {
  make_link(b, "/dev/fd", "/proc/self/fd");
  make_link(b, "/dev/stdin", "/proc/self/fd/0");
  make_link(b, "/dev/stdout", "/proc/self/fd/1");
  make_link(b, "/dev/stderr", "/proc/self/fd/2");
  make_link(b, "/dev/ptmx", "pts/ptmx");
}

}  // namespace

Status plan_devices(Builder& b) {
  IMMURE_TRY(make_point(b, "/dev", PointKind::Directory, kNoOrigin));
  b.phase = Builder::Phase::Attach;
  // Nodes that are bound bring their own mount; nodes that are made need one where devices work.
  bool made = b.source_side == Side::Parent;
  uint64_t attributes = made ? uapi::kAttrNosuid | uapi::kAttrNoexec : kOwnAttributes;
  b.devices_slot = new_tmpfs(b, b.source_side, Layer::Devices, kDevicesBytes, 64, "755", attributes);
  attach(b, b.devices_slot, "/dev", Layer::Devices);
  b.phase = Builder::Phase::Main;
  b.regions.push_back({Builder::Region::Kind::Tmpfs, "/dev", b.devices_slot, {}, {}, b.source_side});
  for (const Node& node : kNodes) IMMURE_TRY(default_node(b, node));
  if (b.plan.pty) IMMURE_TRY(default_node(b, kTty));
  IMMURE_TRY(granted_nodes(b));
  for (const char* path : {"/dev/pts", kEmptyDirectory}) IMMURE_TRY(make_point(b, path, PointKind::Directory, kNoOrigin));
  own_links(b);
  own_devpts(b);
  uint64_t tmp = in_force(b.spec.limits.tmp_size, b.defaults.tmp_size);
  IMMURE_TRY(own_tmpfs(b, "/dev/shm", tmp, kOwnAttributes));
  IMMURE_TRY(own_tmpfs(b, "/tmp", tmp, b.spec.has(Weaken::TmpExec) ? kInert : kOwnAttributes));
  // Sealed when the grants have their places in it (grants.cc).
  expect_mount(b, "/dev", "tmpfs", attributes | uapi::kAttrRdonly);
  b.layer(Layer::Devices).mechanism = "null, zero, full, random, urandom, an own devpts and /dev/shm; nothing else";
  return {};
}

}  // namespace immure

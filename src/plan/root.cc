// The jail's root: the system root (a tmpfs with the host's /usr in it) or a prepared one, seen through an
// overlay whose layers are descriptors. And the turn to it.
#include <errno.h>
#include <fcntl.h>

#include <algorithm>

#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

constexpr uint64_t kSkeletonBytes = 4 << 20, kSkeletonInodes = 2048;

// The jail's own /etc: only ids that exist inside, no host names, nothing that is secret.
Status synthesised_etc(Builder& b) {
  const Plan& plan = b.plan;
  std::string uid = num(plan.inside_uid), gid = num(plan.inside_gid);
  std::string user = plan.inside_uid == 0 ? "root" : "jail";
  std::string group = plan.inside_gid == 0 ? "root" : "jail";
  std::string passwd = user + ":x:" + uid + ":" + gid + "::" + b.home + ":/bin/sh\n";
  if (plan.inside_uid != 65534) passwd += "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n";
  std::string groups = group + ":x:" + gid + ":\n";
  if (plan.inside_gid != 65534) groups += "nogroup:x:65534:\n";
  IMMURE_TRY(make_file(b, "/etc/passwd", passwd, kNoOrigin));
  IMMURE_TRY(make_file(b, "/etc/group", groups, kNoOrigin));
  IMMURE_TRY(make_file(b, "/etc/nsswitch.conf",
                       "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
                       kNoOrigin));
  return make_file(b, "/etc/hosts",
                   "127.0.0.1 localhost " + b.spec.hostname + "\n::1 localhost ip6-localhost ip6-loopback\n", kNoOrigin);
}

// What the host does not have is left out; what cannot be looked at is not.
Status can_be_left_out(const std::string& path, const PathFacts& facts) {
  if (facts.kind != PathFacts::Kind::Missing || facts.error == 0 || facts.error == ENOENT || facts.error == ENOTDIR) return {};
  return fail(Code::kBadRoot, quoted(path) + " of the host cannot be looked at", {}, "name a root with --root DIR", {}, facts.error);
}

Status bind_read_only(Builder& b, const std::string& source, const std::string& target) {
  PathFacts facts = b.files.look(source, true);
  IMMURE_TRY(can_be_left_out(source, facts));
  if (facts.kind != PathFacts::Kind::Dir && facts.kind != PathFacts::Kind::File) return {};
  bool dir = facts.kind == PathFacts::Kind::Dir;
  IMMURE_TRY(make_point(b, target, dir ? PointKind::Directory : PointKind::File, kNoOrigin));
  b.phase = Builder::Phase::Attach;
  int8_t slot = host_tree(b, source, facts, kInert | uapi::kAttrRdonly, Layer::Root, kNoOrigin);
  attach(b, slot, target, Layer::Root);
  b.phase = Builder::Phase::Main;
  expect_mount(b, target, {}, kInert | uapi::kAttrRdonly);
  if (dir) b.regions.push_back({Builder::Region::Kind::Host, target, kNoSlot, source, {}, Side::Child});
  return {};
}

Status copy_host_link(Builder& b, const std::string& path) {
  PathFacts facts = b.files.look(path, false);
  if (facts.kind == PathFacts::Kind::Link) {
    make_link(b, path, b.files.read_link(path));
    return {};
  }
  if (facts.kind == PathFacts::Kind::Missing) return can_be_left_out(path, facts);
  return bind_read_only(b, path, path);
}

Status system_root(Builder& b) {
  PathFacts usr = b.files.look("/usr", true);
  IMMURE_TRY(can_be_left_out("/usr", usr));
  if (usr.kind != PathFacts::Kind::Dir)
    return fail(Code::kBadRoot, "the system root cannot be made", "this host has no /usr", "name a root with --root DIR");
  b.layer(Layer::Root).mechanism = "pivot_root into a read-only tmpfs with the host's /usr";
  IMMURE_TRY(synthesised_etc(b));
  if (grant_at(b, "/usr") == nullptr) IMMURE_TRY(bind_read_only(b, "/usr", "/usr"));
  for (const char* path : {"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}) IMMURE_TRY(copy_host_link(b, path));
  for (const char* path : {"/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl"})
    IMMURE_TRY(bind_read_only(b, path, path));
  IMMURE_TRY(copy_host_link(b, "/etc/localtime"));
  if (b.spec.net == Net::Host)
    for (const char* path : {"/etc/resolv.conf", "/etc/services", "/etc/protocols"})
      IMMURE_TRY(bind_read_only(b, path, path));
  for (const char* path : {"/var", "/run", "/home", "/opt", "/srv", "/mnt"})
    IMMURE_TRY(make_point(b, path, PointKind::Directory, kNoOrigin));
  make_link(b, "/var/tmp", "../tmp");
  make_link(b, "/var/run", "../run");
  return {};
}

Status prepared_root(Builder& b) {
  const std::string& path = b.spec.root.value;
  const std::string by = b.spec.origin_text(b.spec.set_by_word(Field::Root)), what = "the root " + quoted(path) + " cannot be used";
  if (b.files.look(path, false).kind == PathFacts::Kind::Link)
    return fail(Code::kBadRoot, what, "it is a symbolic link to " + quoted(b.files.read_link(path)) +
                ": whoever can change it chooses what the jail shows", "name the directory itself", by);
  PathFacts facts = b.files.look(path, true), host = b.files.look("/", true);
  if (facts.kind == PathFacts::Kind::Missing)
    return fail(Code::kBadRoot, what, facts.error == 0 || facts.error == 2 ? "it does not exist" : std::string(), "check --root", by,
                facts.error != 0 ? facts.error : 2);
  if (facts.kind != PathFacts::Kind::Dir) return fail(Code::kBadRoot, what, "it is not a directory", "check --root", by);
  // Under whatever name: "/..", or a bind of it.
  if (path == "/" || (facts.device == host.device && facts.inode == host.inode))
    return fail(Code::kBadRoot, "the host's own root is no jail", "it would show all of the host's files",
                "leave --root out: the system root has the host's programs and nothing of its users", by);
  if (b.spec.has(Weaken::HardLinks)) return {};
  b.plan.root_tree = {path, facts.device, facts.inode};
  return {};
}

// The overlay's lower layers. A writable one, when it is asked for, is discarded.
struct Layers {
  int8_t top, bottom;
};

void layer_by_descriptor(Builder& b, int8_t fs, const Layers& layers) {
  for (int8_t layer : {layers.top, layers.bottom}) {
    Step& step = b.add(Op::FsSetFd, b.root_side, Layer::Root, "lowerdir+");
    step.a = fs;
    step.b = layer;
  }
}

// Before 6.13 a layer is a path, and must be a mount of this namespace: attached below where the root will be,
// named by its descriptor, gone with the old root.
void layer_by_path(Builder& b, int8_t fs, const Layers& layers) {
  for (int8_t layer : {layers.top, layers.bottom}) b.add(Op::AttachHere, Side::Child, Layer::Root).a = layer;
  Step& step = b.add(Op::FsSetFdPath, Side::Child, Layer::Root, "lowerdir");
  step.a = fs;
  step.b = layers.top;
  step.x = static_cast<uint8_t>(layers.bottom);  // a slot, never negative here
}

void writable_layer(Builder& b, int8_t fs) {
  uint64_t bytes = in_force(b.spec.limits.tmp_size, b.defaults.tmp_size);
  int8_t upper = new_tmpfs(b, b.root_side, Layer::Root, bytes, bytes / 4096 + 64, "755", kInert);
  if (!b.features.overlay_layer_fds) b.add(Op::AttachHere, Side::Child, Layer::Root).a = upper;
  for (const char* name : {"upper", "work"}) {
    Step& dir = b.add(Op::MakeDir, b.root_side, Layer::Root, name);
    dir.a = upper;
    dir.x = 0755;
    own_by_jail(b, dir);
    int8_t slot = b.new_slot();
    Step& open = b.add(Op::Open, b.root_side, Layer::Root, name);
    open.a = upper;
    open.out = slot;
    open.x = O_PATH;
    Step& set = b.add(b.features.overlay_layer_fds ? Op::FsSetFd : Op::FsSetFdPath, b.root_side, Layer::Root,
                      name[0] == 'u' ? "upperdir" : "workdir");
    set.a = fs;
    set.b = slot;
    set.x = kSlots;
  }
  b.add(Op::FsSetFlag, b.root_side, Layer::Root, "userxattr").a = fs;
  b.writable.push_back("/");
}

void overlay_root(Builder& b, const Layers& layers) {
  int8_t fs = b.new_slot();
  b.add(Op::FsOpen, b.root_side, Layer::Root, "overlay").out = fs;
  if (b.features.overlay_layer_fds)
    layer_by_descriptor(b, fs, layers);
  else
    layer_by_path(b, fs, layers);
  // A lower layer is not ours: what its extended attributes say of other places is not followed.
  b.add(Op::FsSet, b.root_side, Layer::Root, "redirect_dir", "nofollow").a = fs;
  if (b.spec.root_overlay) writable_layer(b, fs);
  b.root_slot = b.new_slot();
  Step& mount = b.add(Op::FsMount, b.root_side, Layer::Root);
  mount.a = fs;
  mount.out = b.root_slot;
  mount.x = kInert | (b.spec.root_overlay ? 0 : uapi::kAttrRdonly);
  b.layer(Layer::Root).mechanism = b.features.overlay_layer_fds ? "pivot_root into an overlay of detached layers"
                                                                : "pivot_root into an overlay";
}

bool is_plain(const Builder& b) { return !b.spec.root.value.empty() && b.spec.has(Weaken::PlainRoot); }

void emit(Builder& b, std::vector<Step>& steps) {
  b.plan.steps.insert(b.plan.steps.end(), steps.begin(), steps.end());
  steps.clear();
}

// What only depends on itself: file systems made out of nothing, and what is made in them. First, since pid 1's own can
// be made while it has nothing of the parent's yet.
bool makes_something_new(Op op) {
  return op == Op::FsOpen || op == Op::FsSet || op == Op::FsSetFlag || op == Op::FsMount || op == Op::MakeDir || op == Op::MakeFile ||
         op == Op::MakeLink || op == Op::MakeNode;
}

void emit_own_mounts(Builder& b) {
  std::vector<int8_t> own;
  auto is_own = [&](const Step& step) {
    if (!makes_something_new(step.op)) return false;
    if (step.op == Op::FsOpen && std::string_view(b.plan.text(step.s)) != "overlay") own.push_back(step.out);
    if (std::find(own.begin(), own.end(), step.op == Op::FsOpen ? step.out : step.a) == own.end()) return false;
    if (step.op == Op::FsMount) own.push_back(step.out);
    return true;
  };
  auto rest = std::stable_partition(b.attach.begin(), b.attach.end(), is_own);
  b.plan.steps.insert(b.plan.steps.end(), b.attach.begin(), rest);
  b.attach.erase(b.attach.begin(), rest);
}

// A root that has every place where something is mounted needs nothing laid over it.
bool needs_skeleton(const Builder& b) {
  if (!b.features.overlay_layer_fds) return true;
  for (const Step& step : b.skeleton) {
    if (step.op == Op::MakeFile || step.op == Op::MakeLink) return true;
    if (step.op == Op::MakeDir &&
        b.files.look(b.spec.root.value + "/" + b.plan.text(step.s), false).kind != PathFacts::Kind::Dir)
      return true;
  }
  return false;
}

// What immure makes stands above the root. Without it the overlay wants a second layer all the same: an empty directory.
// The root is a detached copy, whose place on the host no mountinfo tells.
Layers lower_layers(Builder& b) {
  bool skeleton = needs_skeleton(b);
  if (skeleton) emit(b, b.skeleton);
  PathFacts facts = b.files.look(b.spec.root.value, true);
  int8_t root = b.new_slot();
  b.add(Op::OpenTree, b.source_side, Layer::Root, b.spec.root.value).out = root;
  Step& expect = b.add(Op::ExpectInode, b.source_side, Layer::Root);
  expect.a = root;
  expect.x = facts.device;
  expect.y = facts.inode;
  if (skeleton) return {b.skeleton_slot, root};
  int8_t empty = b.new_slot();
  Step& open = b.add(Op::Open, b.root_side, Layer::Root, kEmptyDirectory + std::string_view("/dev/").size());
  open.a = b.devices_slot;
  open.out = empty;
  open.x = O_PATH | O_DIRECTORY | O_NOFOLLOW;
  return {root, empty};
}

// Whoever lets go a tree that is attached nowhere waits until no processor looks at it any more. What the program never
// sees (an overlay's layers, the procfs that is handed to the supervisor) is attached to the old root, and goes with it.
// Last before the pivot: it covers the host's /proc.
void leave_with_the_old_root(Builder& b) {
  std::vector<int8_t> loose;
  auto take = [&](int8_t slot) { std::erase(loose, slot); };
  for (const Step& step : b.plan.steps) {
    if (step.op == Op::OpenTree || step.op == Op::FsMount) loose.push_back(step.out);
    if (step.op == Op::Attach || step.op == Op::AttachHere) take(step.a);
  }
  for (int8_t slot : loose) b.add(Op::AttachHere, Side::Child, Layer::Root, "/proc").a = slot;
}

void attach_root(Builder& b) { b.add(Op::AttachHere, Side::Child, Layer::Root).a = b.root_slot; }

}  // namespace

Status plan_root(Builder& b) {
  if (is_plain(b)) {
    // Nothing is laid over it, so every mount point must be there.
    b.regions.push_back({Builder::Region::Kind::Host, "/", kNoSlot, b.spec.root.value, {}, Side::Child});
    b.root_slot = b.new_slot();
    b.add(Op::PrivatePropagation, Side::Child, Layer::MountNs);
    return prepared_root(b);
  }
  b.regions.push_back({Builder::Region::Kind::Skeleton, "/", kNoSlot, {}, {}, b.root_side});
  b.add(Op::PrivatePropagation, Side::Child, Layer::MountNs);
  b.phase = Builder::Phase::Skeleton;
  b.skeleton_slot = new_tmpfs(b, b.root_side, Layer::Root, kSkeletonBytes, kSkeletonInodes, "755", kInert);
  b.phase = Builder::Phase::Main;
  b.regions.front().slot = b.skeleton_slot;
  // Attach steps name the root's slot before it is known which mount that will be.
  b.root_slot = b.new_slot();
  for (const char* path : {"/etc", "/proc", "/dev", "/tmp"})
    IMMURE_TRY(make_point(b, path, PointKind::Directory, kNoOrigin));
  return b.spec.root.value.empty() ? system_root(b) : prepared_root(b);
}

Status plan_pivot(Builder& b) {
  emit_own_mounts(b);
  int8_t named = b.root_slot;
  bool plain = is_plain(b);
  bool overlay = !plain && (!b.spec.root.value.empty() || b.spec.root_overlay);
  if (plain && b.spec.root_overlay)
    return fail(Code::kBadRoot, "--overlay / and --weaken plain-root contradict each other", "a bound root has no layers",
                "keep one of them", b.spec.origin_text(b.spec.set_by_word(Field::RootOverlay)));
  bool skeleton_is_root = b.spec.root.value.empty();
  if (skeleton_is_root && b.spec.root_overlay)
    return fail(Code::kBadRoot, "the system root has no discarded writable layer yet", "--overlay / needs --root DIR",
                "use --tmpfs for the places that must be writable",
                b.spec.origin_text(b.spec.set_by_word(Field::RootOverlay)));
  if (overlay) {
    overlay_root(b, lower_layers(b));
  } else if (plain) {
    PathFacts facts = b.files.look(b.spec.root.value, true);
    b.root_slot = host_tree(b, b.spec.root.value, facts, kInert | uapi::kAttrRdonly, Layer::Root, kNoOrigin);
    b.layer(Layer::Root).mechanism = "pivot_root into a read-only bind of the root";
  } else {
    emit(b, b.skeleton);
    b.root_slot = b.skeleton_slot;
  }
  attach_root(b);
  for (Step& step : b.attach)
    if (step.b == named) step.b = b.root_slot;
  emit(b, b.attach);
  expect_mount(b, "/", overlay ? "overlay" : plain ? "" : "tmpfs", kInert | (b.spec.root_overlay ? 0 : uapi::kAttrRdonly));
  if (!overlay && !plain) {
    Step& seal = b.add(Op::MountAttributes, Side::Child, Layer::Root);
    seal.a = b.root_slot;
    seal.x = uapi::kAttrRdonly;
  }
  if (b.features.overlay_layer_fds) leave_with_the_old_root(b);
  uint64_t stacked = 0;   // layers that were attached to be found, below the root itself
  for (const Step& step : b.plan.steps)
    if (step.op == Op::AttachHere && step.s == 0 && step.a != b.root_slot) stacked++;
  Step& pivot = b.add(Op::PivotRoot, Side::Child, Layer::Root);
  pivot.a = b.root_slot;
  pivot.x = stacked;
  b.layer(Layer::Mounts).mechanism = "every mount nosuid and nodev, host files read-only unless granted";
  // Else the filter holds (seccomp.cc), which may be somebody's own.
  bool own_filter = !b.wants(Layer::Seccomp) || (!b.spec.seccomp.empty() && b.spec.seccomp != "strict");
  if (!b.sets_memfd_noexec() && own_filter)
    b.layer(Layer::Mounts).mechanism += "; files in memory can be executed";
  return {};
}

}  // namespace immure

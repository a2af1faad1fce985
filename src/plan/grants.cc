// What the user hands in: binds, tmpfs, copies of files, overlays. The most specific path wins, whatever the
// order in which grants were said (U39): shorter targets are mounted first.
#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "base/text.h"
#include "filter/filter.h"
#include "plan/builder.h"

namespace immure {
namespace {

Result<PathFacts> source_of(Builder& b, const Grant& grant) {
  PathFacts facts = grant.nofollow ? b.files.look_without_links(grant.source.value)
                                   : b.files.look(grant.source.value, true);
  if (facts.kind == PathFacts::Kind::Link)
    return fail(Code::kMissingSource, "the source " + quoted(grant.source.value) + " leads over a symbolic link",
                ":nofollow refuses links: whoever makes one could show something else",
                "name the place it leads to, or leave :nofollow out", b.spec.origin_text(grant.origin), facts.error);
  if (facts.kind != PathFacts::Kind::Missing) return facts;
  bool missing = facts.error == 0 || facts.error == ENOENT || facts.error == ENOTDIR;
  if (grant.skip_missing && missing) return facts;
  return fail(Code::kMissingSource,
              "the source " + quoted(grant.source.value) + (missing ? " does not exist" : " cannot be looked at"), {},
              missing ? "create it, or write :try behind it to go on without it" : "give yourself access to it",
              b.spec.origin_text(grant.origin), facts.error != 0 ? facts.error : ENOENT);
}

PointKind point_kind(const PathFacts& facts) {
  return facts.kind == PathFacts::Kind::Dir ? PointKind::Directory : PointKind::File;
}

bool is_door(const PathFacts& facts) {
  switch (facts.kind) {
    case PathFacts::Kind::Fifo: case PathFacts::Kind::Socket: case PathFacts::Kind::CharDevice:
    case PathFacts::Kind::BlockDevice:
      return true;
    case PathFacts::Kind::Missing: case PathFacts::Kind::File: case PathFacts::Kind::Dir: case PathFacts::Kind::Link:
      return false;
  }
  return false;
}

// What the jail makes in a folder that is shown as its own belongs to the folder's owner: with a set-id bit it would run
// as the owner later, and capabilities that a file is given inside are stored as the owner's, root's for instance.
bool leaves_no_privilege(const Builder& b) {
  constexpr uint64_t kSetfcap = uint64_t{1} << 31;
  bool listed = b.wants(Layer::Seccomp) && b.spec.seccomp.empty();
  bool gives_capabilities = !b.wants(Layer::Capabilities) || (b.spec.caps_add & kSetfcap) != 0 || b.spec.has(Weaken::NestedUserns);
  filter::Options options;
  for (const SyscallRule& rule : b.spec.syscalls) options.rules.push_back({rule.name, rule.allow});
  return listed && !gives_capabilities && !filter::opens_set_id(options);
}

// As root the jail's identity is nobody's on the host: a folder that it is to write in would be closed to it.
bool needs_owner_map(const Builder& b, const PathFacts& facts) {
  bool open_to_all = (facts.mode & 02) != 0;
  return b.host.privileged && b.user_ns && b.spec.id_range == 0 && !open_to_all && facts.uid != b.plan.outside_uid &&
         leaves_no_privilege(b);
}

// Only the owner's ids are mapped: what belongs to others is nobody's.
void show_as_own(Builder& b, const Grant& grant, int8_t tree, const PathFacts& owner,
                 const PathFacts& facts) {
  auto one_to_one = [](uint32_t there, uint32_t here) { return num(there) + " " + num(here) + " 1\n"; };
  Step& map = b.add(Op::MapOwner, b.source_side, Layer::Mounts, one_to_one(owner.uid, b.plan.outside_uid),
                    one_to_one(owner.gid, b.plan.outside_gid));
  map.a = tree;
  map.z = facts.kind == PathFacts::Kind::Dir ? 1 : 0;
  map.origin = grant.origin;
}

// Who can change a link on the way chooses whose files the jail gets: that must be said by who grants them.
Status map_owner(Builder& b, const Grant& grant, int8_t tree, const PathFacts& facts) {
  const std::string& place = grant.source.value;
  PathFacts straight = b.files.look_without_links(place);
  if (straight.kind == PathFacts::Kind::Link || straight.device != facts.device || straight.inode != facts.inode)
    return fail(Code::kMissingSource, "the source " + quoted(place) + " leads over a symbolic link",
                "the program would act there as the folder's owner, uid " + num(facts.uid) + ": who changes the link would choose the folder",
                "name the folder by its own path (realpath), or use --ro-bind", b.spec.origin_text(grant.origin));
  bool directory = facts.kind == PathFacts::Kind::Dir;
  if ((directory || facts.kind == PathFacts::Kind::File) && !b.spec.has(Weaken::HardLinks))
    b.plan.written_trees.push_back({place, facts.device, facts.inode, directory, true, facts.uid, facts.gid});
  show_as_own(b, grant, tree, facts, facts);
  return {};
}

bool is_same(const PathFacts& one, const PathFacts& other) {
  return one.kind == PathFacts::Kind::Dir && other.kind == PathFacts::Kind::Dir && one.device == other.device && one.inode == other.inode;
}

// Whether `path` is `directory`, or lies anywhere below it, whatever they are called.
bool lies_in(const Builder& b, std::string path, const PathFacts& directory) {
  constexpr int kDeepest = 128;
  if (b.files.look(path, true).kind == PathFacts::Kind::Missing) path.erase(path.rfind('/'));   // it is made later
  PathFacts last;
  for (int i = 0; i < kDeepest; i++, path += "/..") {
    PathFacts here = b.files.look(path, true);
    if (is_same(here, directory)) return true;
    if (here.kind != PathFacts::Kind::Dir || is_same(here, last)) return false;   // nothing is above the root
    last = here;
  }
  return false;
}

// What immure knows of jails is in files of the caller's: a program that can write there as the caller chooses what
// `immure kill` and `immure ps` end, and into what `immure exec` enters.
Status keep_state_apart(const Builder& b, const Grant& grant, const PathFacts& facts) {
  const std::string& state = b.host.state_folder;
  if (state.empty() || facts.kind != PathFacts::Kind::Dir) return {};
  if (!lies_in(b, state, facts) && !lies_in(b, grant.source.value, b.files.look(state, true))) return {};
  std::string how = "grant what is needed below it by name";
  if (!b.host.privileged) how += ", or let XDG_RUNTIME_DIR name a directory of yours elsewhere";
  return fail(Code::kBadValue, quoted(grant.source.value) + " cannot be granted for writing",
              "immure keeps what it knows of your jails in " + quoted(state) + ", and the program could change it", std::move(how),
              b.spec.origin_text(grant.origin));
}

// A part of a folder that is shown as the jail's own, at its own place in it, is shown in the same way: git
// for one trusts a repository only when all of it belongs to who asks. Not over a link, which could lead
// anywhere.
bool is_part_of_owned(const Builder& b, const Builder::Region& around, const Grant& grant,
                      const PathFacts& facts) {
  if (!around.owned || grant.target.value.size() <= around.path.size()) return false;
  if (path_normal(grant.source.value) !=
      path_normal(around.source + grant.target.value.substr(around.path.size())))
    return false;
  PathFacts straight = b.files.look_without_links(grant.source.value);
  return straight.kind == facts.kind && straight.device == facts.device && straight.inode == facts.inode;
}

// Of this folder at this place alone: granted once more elsewhere, it can be written there.
void keep_out_of_look(Builder& b, const Builder::Region& around, const Grant& grant, const PathFacts& facts) {
  if (around.tree >= b.plan.written_trees.size() || facts.kind != PathFacts::Kind::Dir) return;
  Tree& tree = b.plan.written_trees[around.tree];
  tree.kept.push_back({grant.target.value.substr(around.path.size()), facts.device, facts.inode});
}

// Nothing can be mounted where nothing is, and nothing is made on the host. So the program can make it.
void note_unguarded(Builder& b, const Grant& grant) {
  if (grant.kind != Grant::Kind::RoBind) return;
  const Builder::Region& around = region_of(b, grant.target.value);
  bool writable = around.kind == Builder::Region::Kind::Host &&
                  std::find(b.writable.begin(), b.writable.end(), around.path) != b.writable.end();
  std::string place = path_normal(around.source + grant.target.value.substr(around.path.size()));
  if (writable && place == path_normal(grant.source.value)) b.plan.unguarded.push_back(std::move(place));
}

Status bind(Builder& b, const Grant& grant) {
  auto facts = source_of(b, grant);
  if (!facts) return tl::unexpected<Error>(facts.error());
  if (facts->kind == PathFacts::Kind::Missing) return note_unguarded(b, grant), Status{};
  bool writable = grant.kind == Grant::Kind::Bind;
  if (writable) IMMURE_TRY(keep_state_apart(b, grant, *facts));
  uint64_t attributes = kInert;
  if (!writable) attributes |= uapi::kAttrRdonly;
  // What can be written is not run (and the other way round) unless ":exec" says so.
  if (writable && !grant.exec) attributes |= uapi::kAttrNoexec;
  const std::string& target = grant.target.value;
  IMMURE_TRY(make_point(b, target, point_kind(*facts), grant.origin));
  const Builder::Region& around = region_of(b, target);
  Builder::Region shown{Builder::Region::Kind::Host, target, kNoSlot, grant.source.value, {}, Side::Child};
  b.phase = Builder::Phase::Attach;
  int8_t slot = host_tree(b, grant.source.value, *facts, attributes, Layer::Mounts, grant.origin);
  if (!writable && is_part_of_owned(b, around, grant, *facts)) {
    PathFacts owner;
    owner.uid = around.uid;
    owner.gid = around.gid;
    show_as_own(b, grant, slot, owner, *facts);
    keep_out_of_look(b, around, grant, *facts);
  } else if (writable && needs_owner_map(b, *facts)) {
    size_t tree = b.plan.written_trees.size();
    IMMURE_TRY(map_owner(b, grant, slot, *facts));
    if (tree < b.plan.written_trees.size()) shown.tree = tree;
    shown.owned = true;
    shown.uid = facts->uid;
    shown.gid = facts->gid;
    b.weakened("--bind: the program writes below " + grant.source.value + " as its owner, uid " + num(facts->uid));
  }
  attach(b, slot, target, Layer::Mounts, grant.origin);
  b.phase = Builder::Phase::Main;
  expect_mount(b, target, {}, attributes, grant.origin);
  b.regions.push_back(std::move(shown));
  if (writable) b.writable.push_back(target);
  if (is_door(*facts)) b.weakened("whoever is behind " + grant.source.value + " outside can be talked to");
  return {};
}

Status tmpfs(Builder& b, const Grant& grant) {
  uint64_t bytes = grant.size != 0 ? grant.size : in_force(b.spec.limits.tmp_size, b.defaults.tmp_size);
  uint64_t attributes = kInert | (grant.exec ? 0 : uapi::kAttrNoexec);
  const std::string& target = grant.target.value;
  IMMURE_TRY(make_point(b, target, PointKind::Directory, grant.origin));
  b.phase = Builder::Phase::Attach;
  int8_t slot = new_tmpfs(b, Side::Child, Layer::Mounts, bytes, bytes / 4096 + 64, "1777", attributes);
  attach(b, slot, target, Layer::Mounts, grant.origin);
  b.phase = Builder::Phase::Main;
  expect_mount(b, target, "tmpfs", attributes, grant.origin);
  b.regions.push_back({Builder::Region::Kind::Tmpfs, target, slot, {}, {}, Side::Child});
  b.writable.push_back(target);
  return {};
}

// Copy on write: the source below, a bounded tmpfs above that goes with the jail.
Status overlay(Builder& b, const Grant& grant) {
  auto facts = source_of(b, grant);
  if (!facts) return tl::unexpected<Error>(facts.error());
  if (facts->kind == PathFacts::Kind::Missing) return {};
  if (facts->kind != PathFacts::Kind::Dir)
    return fail(Code::kBadValue, "the source of an overlay must be a directory", quoted(grant.source.value) + " is none",
                "use --file to hand in a copy of a file", b.spec.origin_text(grant.origin));
  if (!b.features.overlay_layer_fds)
    return fail(Code::kLayer, "--overlay needs layers by descriptor", "this kernel has them not (they came with 6.15)",
                "use --ro-bind and a --tmpfs for what must be written", b.spec.origin_text(grant.origin));
  const std::string& target = grant.target.value;
  IMMURE_TRY(make_point(b, target, PointKind::Directory, grant.origin));
  b.phase = Builder::Phase::Attach;
  uint64_t bytes = grant.size != 0 ? grant.size : in_force(b.spec.limits.tmp_size, b.defaults.tmp_size);
  int8_t fs = b.new_slot(), lower = b.new_slot(), mount = b.new_slot();
  Step& open = b.add(Op::OpenTree, b.source_side, Layer::Mounts, grant.source.value);
  open.out = lower;
  open.origin = grant.origin;
  Step& expect = b.add(Op::ExpectInode, b.source_side, Layer::Mounts);
  expect.a = lower;
  expect.x = facts->device;
  expect.y = facts->inode;
  expect.origin = grant.origin;
  int8_t upper = new_tmpfs(b, b.source_side, Layer::Mounts, bytes, bytes / 4096 + 64, "755", kInert);
  b.add(Op::FsOpen, b.source_side, Layer::Mounts, "overlay").out = fs;
  Step& layer = b.add(Op::FsSetFd, b.source_side, Layer::Mounts, "lowerdir+");
  layer.a = fs;
  layer.b = lower;
  for (const char* name : {"upper", "work"}) {
    Step& dir = b.add(Op::MakeDir, b.source_side, Layer::Mounts, name);
    dir.a = upper;
    dir.x = 0755;
    own_by_jail(b, dir);
    int8_t slot = b.new_slot();
    Step& opened = b.add(Op::Open, b.source_side, Layer::Mounts, name);
    opened.a = upper;
    opened.out = slot;
    opened.x = 010000000 /* O_PATH */;
    Step& set = b.add(Op::FsSetFd, b.source_side, Layer::Mounts, name[0] == 'u' ? "upperdir" : "workdir");
    set.a = fs;
    set.b = slot;
  }
  b.add(Op::FsSetFlag, b.source_side, Layer::Mounts, "userxattr").a = fs;
  Step& make = b.add(Op::FsMount, b.source_side, Layer::Mounts);
  make.a = fs;
  make.out = mount;
  make.x = kInert;
  make.origin = grant.origin;
  attach(b, mount, target, Layer::Mounts, grant.origin);
  b.phase = Builder::Phase::Main;
  expect_mount(b, target, "overlay", kInert, grant.origin);
  b.regions.push_back({Builder::Region::Kind::Closed, target, kNoSlot, {}, {}, b.source_side});
  b.writable.push_back(target);
  return {};
}

// A file is handed in as a read-only mount of itself: no copy that could differ, and none on the host (U40).
Status file(Builder& b, const Grant& grant) {
  Grant as_bind = grant;
  as_bind.kind = Grant::Kind::RoBind;
  auto facts = source_of(b, grant);
  if (!facts) return tl::unexpected<Error>(facts.error());
  if (facts->kind != PathFacts::Kind::Missing && facts->kind != PathFacts::Kind::File)
    return fail(Code::kBadValue, "--file takes a regular file", quoted(grant.source.value) + " is none",
                "use --ro-bind", b.spec.origin_text(grant.origin));
  return bind(b, as_bind);
}

// Only where the files are the jail's own: elsewhere it would be made on the host.
Status link(Builder& b, const Grant& grant) {
  const Builder::Region& region = region_of(b, grant.target.value);
  if (region.kind == Builder::Region::Kind::Host || region.kind == Builder::Region::Kind::Closed)
    return fail(Code::kBadTarget, "no link can be made at " + quoted(grant.target.value), quoted(region.path) + " is not the jail's own",
                "choose a target outside it", b.spec.origin_text(grant.origin));
  make_link(b, grant.target.value, grant.link);
  return {};
}

Status one(Builder& b, const Grant& grant) {
  switch (grant.kind) {
    case Grant::Kind::Bind: case Grant::Kind::RoBind: return bind(b, grant);
    case Grant::Kind::Tmpfs: return tmpfs(b, grant);
    case Grant::Kind::Overlay: return overlay(b, grant);
    case Grant::Kind::File: return file(b, grant);
    case Grant::Kind::Dir: return make_point(b, grant.target.value, PointKind::Directory, grant.origin);
    case Grant::Kind::Symlink: return link(b, grant);
    case Grant::Kind::DevNode: return {};   // devices.cc
    case Grant::Kind::Proc:
      if (grant.target.value == "/proc") return {};   // is there anyway
      return fail(Code::kBadTarget, "a second procfs cannot be mounted at " + quoted(grant.target.value),
                  "the jail has its own at /proc, with the host's files masked", "use --symlink /proc:PATH to reach it elsewhere",
                  b.spec.origin_text(grant.origin));
  }
  return {};
}

// Nothing can be added to /dev any more.
void seal_devices(Builder& b) {
  b.phase = Builder::Phase::Attach;
  Step& seal = b.add(Op::MountAttributes, Side::Child, Layer::Devices);
  seal.a = b.devices_slot;
  seal.x = uapi::kAttrRdonly;
  b.phase = Builder::Phase::Main;
}

}  // namespace

Status plan_grants(Builder& b) {
  std::vector<const Grant*> sorted;
  for (const Grant& grant : b.spec.grants) sorted.push_back(&grant);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Grant* x, const Grant* y) {
    auto depth = [](const std::string& path) { return std::count(path.begin(), path.end(), '/'); };
    return depth(x->target.value) < depth(y->target.value);
  });
  for (const Grant* grant : sorted) IMMURE_TRY(one(b, *grant));
  seal_devices(b);
  return {};
}

}  // namespace immure

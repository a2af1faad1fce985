// Mount points: made where the jail's own file systems are, found where the host's are.
#include "base/path.h"
#include "base/text.h"
#include "plan/builder.h"

namespace immure {

bool is_below(const std::string& path, const std::string& directory) {
  if (directory == "/") return true;
  return path.size() >= directory.size() && path.compare(0, directory.size(), directory) == 0 &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

const Grant* grant_at(const Builder& b, std::string_view path) {
  for (const Grant& grant : b.spec.grants)
    if (grant.target.value == path) return &grant;
  return nullptr;
}

Builder::Region& region_of(Builder& b, const std::string& path) {
  Builder::Region* best = &b.regions.front();
  for (auto& region : b.regions)
    if (is_below(path, region.path) && region.path.size() >= best->path.size()) best = &region;
  return *best;
}

namespace {

// The path as the region's own file system knows it: without the region's mount point, without the slash.
std::string inner(const Builder::Region& region, const std::string& path) {
  std::string rest = region.path == "/" ? path.substr(1) : path.substr(region.path.size());
  if (!rest.empty() && rest.front() == '/') rest.erase(0, 1);
  return rest;
}

Builder::Phase phase_of(const Builder::Region& region) {
  return region.kind == Builder::Region::Kind::Skeleton ? Builder::Phase::Skeleton : Builder::Phase::Attach;
}

void make_dir_once(Builder& b, Builder::Region& region, const std::string& rest, Layer layer) {
  for (const auto& made : region.made)
    if (made == rest) return;
  region.made.push_back(rest);
  b.phase = phase_of(region);
  Step& step = b.add(Op::MakeDir, region.side, layer, rest);
  step.a = region.slot;
  step.x = 0755;
  b.phase = Builder::Phase::Main;
}

void make_parents(Builder& b, Builder::Region& region, const std::string& rest, Layer layer) {
  for (size_t slash = rest.find('/'); slash != std::string::npos; slash = rest.find('/', slash + 1))
    make_dir_once(b, region, rest.substr(0, slash), layer);
}

Status find_on_host(Builder& b, const Builder::Region& region, const std::string& path, PointKind kind,
                    uint16_t origin) {
  PathFacts facts = b.files.look(region.source + "/" + inner(region, path), false);
  bool is_dir = facts.kind == PathFacts::Kind::Dir;
  if (facts.kind == PathFacts::Kind::Missing)
    return fail(Code::kBadTarget, "nothing can be mounted at " + quoted(path),
                "it does not exist in " + quoted(region.source) + ", and immure creates nothing there",
                "create it, or choose a target outside " + quoted(region.path), b.spec.origin_text(origin));
  if (facts.kind == PathFacts::Kind::Link)
    return fail(Code::kBadTarget, "nothing can be mounted at " + quoted(path), "it is a symbolic link",
                "name the place that it points to", b.spec.origin_text(origin));
  if (is_dir != (kind == PointKind::Directory))
    return fail(Code::kBadTarget, "nothing can be mounted at " + quoted(path),
                is_dir ? "the target is a directory, the source is not" : "the source is a directory, the target is not",
                {}, b.spec.origin_text(origin));
  b.plan.guarded.push_back({path_normal(region.source + "/" + inner(region, path)), facts.device, facts.inode});
  return {};
}

}  // namespace

Status make_point(Builder& b, const std::string& path, PointKind kind, uint16_t origin) {
  Builder::Region& region = region_of(b, path);
  std::string rest = inner(region, path);
  switch (region.kind) {
    case Builder::Region::Kind::Closed:
      return fail(Code::kBadTarget, "nothing can be mounted at " + quoted(path),
                  quoted(region.path) + " is immure's own", {}, b.spec.origin_text(origin));
    case Builder::Region::Kind::Host:
      return rest.empty() ? Status{} : find_on_host(b, region, path, kind, origin);
    case Builder::Region::Kind::Skeleton:
    case Builder::Region::Kind::Tmpfs: break;
  }
  if (rest.empty()) return {};
  make_parents(b, region, rest, Layer::Mounts);
  if (kind == PointKind::Directory) {
    make_dir_once(b, region, rest, Layer::Mounts);
    return {};
  }
  return make_file(b, path, {}, origin);
}

Status make_file(Builder& b, const std::string& path, std::string_view content, uint16_t origin) {
  Builder::Region& region = region_of(b, path);
  if (region.kind == Builder::Region::Kind::Host || region.kind == Builder::Region::Kind::Closed)
    return fail(Code::kBadTarget, "no file can be made at " + quoted(path), quoted(region.path) + " is not the jail's own",
                "bind a file there instead", b.spec.origin_text(origin));
  std::string rest = inner(region, path);
  make_parents(b, region, rest, Layer::Root);
  for (const auto& made : region.made)
    if (made == rest) return {};
  region.made.push_back(rest);
  b.phase = phase_of(region);
  Step& step = b.add(Op::MakeFile, region.side, Layer::Root, rest, content);
  step.a = region.slot;
  step.x = 0644;
  step.origin = origin;
  b.phase = Builder::Phase::Main;
  return {};
}

void make_link(Builder& b, const std::string& path, const std::string& target) {
  Builder::Region& region = region_of(b, path);
  std::string rest = inner(region, path);
  make_parents(b, region, rest, Layer::Root);
  region.made.push_back(rest);
  b.phase = phase_of(region);
  b.add(Op::MakeLink, region.side, Layer::Root, rest, target).a = region.slot;
  b.phase = Builder::Phase::Main;
}

int8_t new_tmpfs(Builder& b, Side side, Layer layer, uint64_t bytes, uint64_t inodes, const char* mode,
                 uint64_t attributes) {
  int8_t fs = b.new_slot(), mount = b.new_slot();
  b.add(Op::FsOpen, side, layer, "tmpfs").out = fs;
  b.add(Op::FsSet, side, layer, "size", num(bytes)).a = fs;
  // Without a limit of bytes there is none of inodes either, which is what the kernel takes a nought for.
  b.add(Op::FsSet, side, layer, "nr_inodes", num(bytes == 0 ? 0 : inodes)).a = fs;
  b.add(Op::FsSet, side, layer, "mode", mode).a = fs;
  Step& step = b.add(Op::FsMount, side, layer);
  step.a = fs;
  step.out = mount;
  step.x = attributes | uapi::kAttrNoatime;
  return mount;
}

void own_by_jail(const Builder& b, Step& make_dir) {
  if (make_dir.side != Side::Parent) return;
  make_dir.y = uint64_t{b.plan.outside_uid} + 1;
  make_dir.z = uint64_t{b.plan.outside_gid} + 1;
}

void attach(Builder& b, int8_t slot, const std::string& path, Layer layer, uint16_t origin) {
  Step& step = b.add(Op::Attach, Side::Child, layer, path);
  step.a = slot;
  step.b = b.root_slot;
  step.origin = origin;
}

int8_t host_tree(Builder& b, const std::string& source, const PathFacts& facts, uint64_t attributes, Layer layer,
                 uint16_t origin) {
  int8_t slot = b.new_slot();
  uint64_t recursive = facts.kind == PathFacts::Kind::Dir ? 1 : 0;
  Step& open = b.add(Op::OpenTree, b.source_side, layer, source);
  open.out = slot;
  open.x = recursive;
  open.origin = origin;
  Step& expect = b.add(Op::ExpectInode, b.source_side, layer);
  expect.a = slot;
  expect.x = facts.device;
  expect.y = facts.inode;
  expect.origin = origin;
  Step& set = b.add(Op::MountAttributes, b.source_side, layer);
  set.a = slot;
  set.x = attributes;
  set.z = recursive;
  set.origin = origin;
  return slot;
}

void expect_mount(Builder& b, std::string target, std::string fstype, uint64_t attributes, uint16_t origin) {
  b.plan.mounts.push_back({std::move(target), std::move(fstype), attributes, origin});
}

}  // namespace immure

// What the files of this room share while they put a plan together. Internal to plan/.
#pragma once

#include <string>
#include <string_view>

#include "plan/compile.h"
#include "spec/limits.h"
#include "uapi/kernel.h"

namespace immure {

struct Builder {
  const JailSpec& spec;
  const Features& features;
  const Host& host;
  const HostFiles& files;
  char* const* environment;
  Plan plan;

  // Who makes the trees of the host's files: the parent while it has the privilege to reach them all, else
  // the child in its own mount namespace.
  Side source_side = Side::Child;
  Side root_side = Side::Child;     // who makes the root itself
  bool user_ns = true;
  int8_t root_slot = kNoSlot;       // the jail's root
  int8_t skeleton_slot = kNoSlot;   // the tmpfs in which mount points are made
  int8_t devices_slot = kNoSlot;    // the tmpfs of /dev

  // Steps that are collected apart, because one part of the plan needs what a later part finds out: mount
  // points are made in the skeleton before it becomes (a layer of) the root, mounts are attached afterwards.
  enum class Phase : uint8_t { Main, Skeleton, Attach } phase = Phase::Main;
  std::vector<Step> skeleton, attach;

  // Who owns the paths below a directory of the jail, and so how a mount point is made there.
  struct Region {
    enum class Kind : uint8_t { Skeleton, Tmpfs, Host, Closed } kind = Kind::Skeleton;
    std::string path;
    int8_t slot = kNoSlot;   // Tmpfs
    std::string source;      // Host: where the files come from
    std::vector<std::string> made;  // Skeleton, Tmpfs: what was made so far
    Side side = Side::Child; // who makes it
    bool owned = false;      // Host: shown to the jail as its own, as far as it belongs to this owner outside
    uint32_t uid = 0, gid = 0;
    size_t tree = SIZE_MAX;  // owned: which of the plan's written trees is looked through; none: SIZE_MAX
  };
  std::vector<Region> regions;
  std::vector<std::string> writable;  // mounts that the program may write to
  std::string home = "/tmp";
  Limits defaults;                  // what holds where the spec says nothing

  explicit Builder(const JailSpec& s, const Features& f, const Host& h, const HostFiles& hf, char* const* e)
      : spec(s), features(f), host(h), files(hf), environment(e) {}

  uint32_t text(std::string_view value);
  // There are so many and no more; plan_start() refuses a plan that wanted another.
  int8_t new_slot() {
    if (next_slot_ >= kSlots) out_of_slots = true;
    return out_of_slots ? kNoSlot : next_slot_++;
  }
  bool out_of_slots = false;
  // The reference is good until the next add().
  Step& add(Op op, Side side, Layer layer);
  Step& add(Op op, Side side, Layer layer, std::string_view s, std::string_view t = {});
  LayerPlan& layer(Layer l) { return plan.layers[static_cast<size_t>(l)]; }
  // vm.memfd_noexec keeps memory files from being executed: only the host's root may set it, for the jail's pid
  // namespace. Where it cannot be, the filter refuses to make them.
  bool sets_memfd_noexec() const {
    return host.privileged && features.memfd_noexec && !spec.has(Weaken::MemfdExec);
  }
  bool wants(Layer l) const { return spec.need_of(l) != Need::Off; }
  // The layer cannot be had: a refusal when it is required, else its state becomes `state`, with the reason.
  Status lacks(Layer l, State state, std::string reason, std::string remedy);
  void weakened(std::string sentence) { plan.weakened.push_back(std::move(sentence)); }

 private:
  int8_t next_slot_ = 0;
};

Status plan_ids(Builder& b);          // ids.cc
Status plan_namespaces(Builder& b);   // namespaces.cc
Status plan_inside(Builder& b);       // namespaces.cc: loopback, host name
int64_t shown_boot_time(const Builder& b);  // namespaces.cc: seconds since the epoch, as /proc/stat has it
Status plan_cgroup(Builder& b);       // cgroup.cc
Status plan_root(Builder& b);         // root.cc: the root, up to where things are mounted in it
Status plan_proc(Builder& b);         // proc.cc
Status plan_masks(Builder& b);        // proc.cc: after the pivot
Status plan_devices(Builder& b);      // devices.cc
Status plan_grants(Builder& b);       // grants.cc
Status plan_pivot(Builder& b);        // root.cc
Status plan_limits(Builder& b);       // limits.cc
Status plan_privilege(Builder& b);    // privilege.cc
Status plan_landlock(Builder& b);     // landlock.cc
Status plan_seccomp(Builder& b);      // seccomp.cc
Status choose_terminal(Builder& b);   // terminal.cc: whether there is one
Status plan_terminal(Builder& b);
Status plan_program(Builder& b);      // program.cc: environment, descriptors
// landlock.cc: the standard descriptors may be opened anew as they are open, which is no more than they give
// already.
void allow_standard_descriptors(Builder& b, int8_t ruleset, uint64_t handled);
std::string missing_rights(int landlock_abi);  // landlock.cc: "refer, truncate"; empty: none
void plan_gate(Builder& b);           // compile.cc: where the program waits for the parent's word
Status plan_start(Builder& b);        // compile.cc: the clone that becomes the program, and its exec

// mountpoints.cc: where things are mounted.
Builder::Region& region_of(Builder& b, const std::string& path);
enum class PointKind : uint8_t { Directory, File };
// Makes, or finds, the mount point `path` (absolute, normal). Never creates anything on the host.
Status make_point(Builder& b, const std::string& path, PointKind kind, uint16_t origin);
void make_link(Builder& b, const std::string& path, const std::string& target);
Status make_file(Builder& b, const std::string& path, std::string_view content, uint16_t origin);
// A tmpfs in a new slot. Sizes in bytes; mode as for chmod.
int8_t new_tmpfs(Builder& b, Side side, Layer layer, uint64_t bytes, uint64_t inodes, const char* mode,
                 uint64_t attributes);
void attach(Builder& b, int8_t slot, const std::string& path, Layer layer, uint16_t origin = kNoOrigin);
// A tree of the host's, as a detached copy with the given attributes; its root is what was looked at.
int8_t host_tree(Builder& b, const std::string& source, const PathFacts& facts, uint64_t attributes, Layer layer,
                 uint16_t origin);
void expect_mount(Builder& b, std::string target, std::string fstype, uint64_t attributes,
                  uint16_t origin = kNoOrigin);
// A directory that the parent makes for the jail to write in belongs to the jail's identity.
void own_by_jail(const Builder& b, Step& make_dir);
bool is_below(const std::string& path, const std::string& directory);  // or equal
const Grant* grant_at(const Builder& b, std::string_view path);

inline constexpr const char* kEmptyDirectory = "/dev/mqueue";   // covers masked directories
inline constexpr const char* kMadeUpStat = "/dev/.proc-stat";   // covers /proc/stat
inline constexpr uint64_t kInert = uapi::kAttrNosuid | uapi::kAttrNodev;

}  // namespace immure

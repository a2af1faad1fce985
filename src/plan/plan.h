// What will be done: the value between the wanted (JailSpec) and the true (LayerReport). Made by compile(),
// never changed afterwards; explain prints it, the launch walks it, verify compares the kernel with it.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "filter/filter.h"
#include "plan/step.h"
#include "spec/layers.h"

namespace immure {

// One control group directory to make, fill and remove. Paths are on the host.
struct CgroupDir {
  std::string path;
  std::vector<std::pair<std::string, std::string>> writes;  // file name, value; in order
  std::string controller;   // "memory", "pids", "cpu", "unified"
  bool into = false;        // joined by CLONE_INTO_CGROUP instead of a write by the child
  int8_t slot = kNoSlot;    // the descriptor that the child writes "0" to
  bool optional = false;    // cannot be had: the layer becomes Weaker, the launch goes on
};

// A mount that must be in the child's mountinfo at the gate, and how it must look.
struct ExpectedMount {
  std::string target;
  std::string fstype;      // empty: any
  uint64_t attributes = 0; // kAttr* bits that must be set
  uint16_t origin = kNoOrigin;
};

// What compile() decided for one layer; the report starts from it and is corrected by what verify read.
struct LayerPlan {
  Need need = Need::Require;
  State state = State::InForce;
  std::string mechanism;  // "pivot_root into an overlay of detached layers"
  std::string reason;     // why Weaker, Missing or Off
};

struct IdMap {
  uint32_t inside, outside, count;
};

// A tree of the host's that is looked through before the program starts.
struct Tree {
  std::string path;
  uint64_t device = 0, inode = 0;  // what it was when it was planned
  bool is_directory = true;
  bool written = false;            // by the jail, as the user and group below
  uint32_t uid = 0, gid = 0;
  // Folders in it that the jail sees read-only at their place: what lies there cannot be rewritten. By name
  // and by inode: neither another folder of that name nor the same one under another name is meant.
  struct Kept {
    std::string below;  // "/.git"
    uint64_t device, inode;
  };
  std::vector<Kept> kept = {};
};

// A place outside, in what the jail is shown of the host, over which something is mounted for the jail.
struct Guarded {
  std::string place;
  uint64_t device = 0, inode = 0;  // what was there
};

struct ExpectedRlimit {
  int resource;
  uint64_t soft, hard;
};

// Inodes of namespaces, in the order of the first layers (UserNs … TimeNs); 0: not an own one.
inline constexpr size_t kNamespaceCount = 8;
using NamespaceIds = std::array<uint64_t, kNamespaceCount>;

struct Plan {
  std::vector<Step> steps;       // grouped by side, in order
  std::string arena;             // NUL-terminated texts; offset 0 is ""
  uint64_t clone_flags = 0;
  uint64_t unshare_flags = 0;    // namespaces that pid 1 makes itself (time)
  bool enters = false;           // a running jail (plan/enter.h): what starts is not pid 1, and not all of it
  NamespaceIds entered{};        // the namespaces that it must then be in

  // identity: what the parent writes and what verify compares
  std::vector<IdMap> uid_map, gid_map;
  bool map_by_helper = false;    // newuidmap/newgidmap
  bool deny_setgroups = false;
  uint32_t inside_uid = 0, inside_gid = 0, outside_uid = 0, outside_gid = 0;

  std::vector<CgroupDir> cgroup;
  std::string cgroup_parent;     // v2: the group in which the jail's is made
  std::vector<std::string> cgroup_enable;  // controllers to enable for its children first
  bool cgroup_leaf_first = false;          // the caller has to step into a group below before that
  std::vector<std::vector<sock_filter>> filters;  // 0: the program's; 1: pid 1's
  bool listener = false;         // the program's filter sends denied calls to the supervisor
  // The program's filter as it would be if it sent no calls that it allows (filter/filter.h): what that one allows goes
  // on. Empty: it sends none.
  std::vector<sock_filter> unrecorded;
  bool sends() const { return !unrecorded.empty(); }
  bool records_files = false, watches = false;  // what for; of a tracer's calls only the denied ones come
  bool told_of_calls() const { return records_files || watches; }
  // What the program may do, without what only tells the supervisor of it.
  const std::vector<sock_filter>& wall() const { return sends() ? unrecorded : filters[0]; }

  // The default policy's options that the program's filter was made of, where somebody may be asked about what it denies
  // (plan/asking.h).
  std::optional<filter::Options> asks;
  bool asks_of_sockets = false;  // the jail has a network of its own, which holds every kind of them

  std::vector<uint32_t> argv, env, candidates;    // arena offsets; candidates: paths that execve tries in turn
  std::vector<int> kept_fds;     // descriptors above 2 that the program gets, as it sees them
  std::vector<int8_t> handed_over;   // slots that the parent fills after the clone, and pid 1 or the program needs
  std::vector<std::pair<int8_t, int>> passed_fds;  // slot, and the caller's descriptor that goes into it

  bool pty = false;
  unsigned pty_fds = 0;          // bits 0..2: which standard descriptors are terminals
  uint64_t wall_limit_ns = 0, kill_after_ns = 0;
  uint64_t memory_limit = 0, pids_limit = 0, file_size_limit = 0;  // of the jail; 0: none
  bool supervisor_sums = false;    // no control group holds these: the supervisor adds up and ends the jail
  uint64_t cpu_time_limit_ns = 0;  // of the whole tree
  bool group_counts_cpu = false;   // a control group adds the processor time up, that of the dead too
  bool counts_sockets = false;     // those of the jail's network are in the sum of its memory
  int8_t census_slot = kNoSlot;    // a procfs for the supervisor alone, in which it counts
  bool counts_processes() const { return supervisor_sums || (cpu_time_limit_ns != 0 && !group_counts_cpu); }

  std::vector<ExpectedMount> mounts;
  std::vector<ExpectedRlimit> rlimits;
  uint64_t caps = 0;             // every set that may hold something holds at most this
  uint32_t securebits = 0;
  Tree root_tree;                  // a root that is looked through for links to the outside; no path: none
  std::vector<Tree> written_trees; // what the jail writes to as its owner: looked through for the owner's power

  std::vector<std::string>
      unguarded;  // outside: places to be read-only that are not there, in what can be written

  std::vector<Guarded> guarded;  // who exchanges one outside takes the mount over it away

  std::array<LayerPlan, kLayerCount> layers;
  std::vector<std::string> weakened;  // sentences: what was loosened, and by which word

  const char* text(uint32_t offset) const { return arena.c_str() + offset; }
};

}  // namespace immure

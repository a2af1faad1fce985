// What this kernel and this host can do: facts found by trying, never by version numbers. Only plan/ branches
// on them. Unit tests build them by hand (tests/support/features.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace immure {

enum class CgroupMode : uint8_t { None, V1, Hybrid, V2 };

struct CgroupFacts {
  CgroupMode mode = CgroupMode::None;
  struct Controller {
    std::string name;      // "memory", "pids", "cpu"
    std::string own_path;  // directory of the caller's own group, on the host
  };
  std::vector<Controller> v1;  // only those where a group can be made, when v1_writable
  // Where a jail's group is made in the unified tree; empty: none. The nearest group, from the caller's own
  // upwards, whose children can have limits, so that most of the limits that bind the caller go on holding. A
  // group that holds processes cannot give its children controllers (the root group is exempt): the caller's
  // own is taken only when it is alone there, and then v2_leaf_first says so.
  std::string v2_path;
  std::string v2_own_path;                  // the caller's own group in the unified tree
  std::vector<std::string> v2_controllers;  // usable in children of v2_path
  std::vector<std::string> v2_enabled;      // of those, the ones that need no write to cgroup.subtree_control
  bool v2_writable = false, v1_writable = false;  // groups can be made there
  // The caller has to step into a group below v2_path before controllers can be enabled (cgroup_enter_leaf).
  bool v2_leaf_first = false;
  struct Unusable {
    std::string controller, reason, remedy;
  };
  std::vector<Unusable> unusable;  // of memory, pids, cpu: those that cannot be had, and why
};

// A fact with its reason when it is false, so that a refusal can say why and doctor how to mend it.
struct Fact {
  bool ok = true;
  int error = 0;       // errno of the trial
  std::string reason;  // "sysctl kernel.unprivileged_userns_clone is 0"
  std::string remedy;  // one line that mends it
};

struct Features {
  // Namespaces that this caller can make.
  Fact user_ns, mount_ns, pid_ns, net_ns, ipc_ns, uts_ns, cgroup_ns, time_ns;
  // Calls.
  bool clone3 = true, mount_api = true, mount_setattr = true, openat2 = true, close_range = true;
  bool overlay_unprivileged = true, overlay_layer_fds = true;  // lowerdir+ with a detached tree (6.15)
  bool clone_into_cgroup = true, memfd_noexec = true, seccomp_listener = true;
  bool time_ns_on_exec = true;  // a child in the same memory enters the time namespace at exec (6.2)
  int landlock_abi = 7;         // 0: none
  uint32_t last_capability = 40;
  CgroupFacts cgroup;
  std::string lsm;  // names of the active modules, comma-separated, when they can be read
  Fact proc_mount;  // a new procfs in a new pid namespace (a container's masked /proc forbids it)

  // Cheap and right on good hosts: a few reads, and calls whose arguments are bad on purpose, so that only
  // their existence is asked. launch falls back to probe() when a step then fails.
  static Features assume(bool groups = true);
  // Tries every one harmlessly, in children where it must.
  static Features probe();
};

// What compile() asks about this host and its caller; a value, so that tests make their own.
struct Host {
  uint32_t uid = 0, gid = 0;
  bool privileged = false;  // CAP_SYS_ADMIN, SETUID, SETGID over the caller's user namespace
  bool capabilities_known = true;   // false: the kernel would not say; then nothing may be planned
  uint64_t capabilities = 0;
  uint32_t pid = 0;
  uint64_t pid_ns = 0;
  struct Range {
    uint32_t inside, outside, count;
  };
  std::vector<Range> uid_ranges, gid_ranges;  // /proc/self/{u,g}id_map
  std::vector<Range> subuids, subgids;        // what newuidmap grants this user
  uint64_t memory_bytes = 0;
  std::array<uint64_t, 16> hard_limits{};  // by resource number; only root may go above
  unsigned processors = 1;                     // that the caller may use
  std::vector<uint32_t> processor_numbers;     // which ones
  std::string cwd;
  std::string state_folder;   // where immure keeps what it knows of jails; the caller's to fill in
  bool tty[3] = {false, false, false};
  uint64_t wall_ns = 0, boot_ns = 0, monotonic_ns = 0;
  int oldest_free_fd = 3;  // the lowest number from 3 on that is not open

  // Everything but the subordinate ids, which ids.h reads when a range is asked for.
  static Host observe();
};

}  // namespace immure

// A running process and what holds it: what every process shows (process_view.h), and what only an audit
// asks. The process is taken to be hostile: it may change while it is read, end, and make what is read of it
// block; so all is read by descriptors of /proc/PID, and a look has a deadline.
//
// As root a look stops threads for the time of a few system calls to read their filters (live_filter.h), and
// enters the mount namespace with a thread of its own, where it resolves no path. Nothing is changed.
// Source: proc(5), namespaces(7), ptrace(2), seccomp(2).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/facts/live_filter.h"
#include "audit/facts/process_view.h"
#include "base/result.h"

namespace immure::audit {

// What stands where the process's "/" is.
enum class RootKind : uint8_t {
  Unknown,
  Unchanged,  // the host's own root, in the host's mount namespace
  HostTree,   // another mount namespace, whose root is the host's root folder
  Chroot,     // below the top of its mount namespace: what is above is still there
  Pivoted,    // the top of a mount namespace of its own
  Foreign,    // of a mount that is not in its mount namespace
};

// A thread; the first one is the process's own. Ids are as the caller numbers them.
struct ThreadView {
  int tid = 0;
  std::string name;
  uint32_t uid[4] = {0, 0, 0, 0}, gid[4] = {0, 0, 0, 0};  // real, effective, saved, filesystem
  uint64_t inheritable = 0, permitted = 0, effective = 0, bounding = 0, ambient = 0;
  bool has_caps = false;
  int no_new_privs = -1, seccomp = -1, seccomp_filters = -1;  // -1: not shown
  size_t filter = 0;                                          // which of Live::filters holds it
  std::vector<FdView> fds;              // of a table of its own; the first one's are in Inspection::fds
  std::vector<FdView> places;           // likewise
  std::vector<std::string> namespaces;  // those in which it is not where the first one is
};

// A mount that the process can reach from its root.
struct LiveMount {
  uint64_t id = 0, parent = 0;
  std::string target, fstype, source, root, device, options, super_options, propagation;
  std::string host_path;  // the same folder as the host sees it; empty: it is on no file system of the host's
  bool host_peer = false;  // what is mounted in it appears in the host's namespace, and the other way
  bool read_only = false, nosuid = false, nodev = false, noexec = false;  // the mount's or the file system's
};

struct EnvironmentName {
  std::string name;
  std::string
      shape;  // what the value looks like: "a private key"; empty: nothing known. The value is not kept
};

struct ReachableFile {
  std::string path;       // inside
  std::string host_path;  // of a socket: where the host sees it; empty: on no file system of the host's
  std::string holders;    // of a socket: who has it open, as far as that is seen
  uint32_t major = 0, minor = 0;  // of a device node
  bool block = false;
  bool readable = false, writable = false;  // by mode bits, for the process's ids
};

// In the note of a descriptor that leads outside, to a file of procfs, sysfs or a control group.
inline constexpr const char* kOnKernelFiles = "on a file system of the kernel";

struct Neighbour {
  int pid = 0;
  std::string name;
};

struct Live {
  Live() = default;
  explicit Live(Inspection&& seen) : process(std::move(seen)) {}

  Inspection process;
  bool privileged =
      false;  // the caller is root over the initial user namespace: what is unknown is so to all
  // Inodes of the host's namespaces, by kind; without those that cannot be told.
  std::map<std::string, uint64_t, std::less<>> host_namespaces;

  RootKind root = RootKind::Unknown;
  std::string root_path;   // as the caller sees it
  std::string root_note;   // why Unknown; what is above it
  std::string chroot_top;  // of a Chroot: the host's path of the folder on top of its namespace, if it is one

  std::vector<ThreadView> threads;
  uint64_t threads_unread = 0;
  std::vector<FilterStack> filters;  // one for each that differs; the first is that of threads without any

  std::optional<std::vector<LiveMount>> mounts;
  std::optional<std::vector<EnvironmentName>> environment;
  std::vector<std::pair<uint32_t, std::string>> groups;  // supplementary ones, with the host's names
  std::optional<int> oom_score_adj;
  // The process that started its pid namespace is immure itself, which counts what the jail uses where no
  // control group does; how much it lets it have is not seen from outside.
  bool supervised = false;
  // Who started it shows nothing to this caller, or cannot be told.
  bool starter_hidden = false;
  std::string core_pattern;
  // kernel.kptr_restrict and kernel.perf_event_paranoid, which decide whether /proc/kallsyms shows addresses.
  std::optional<int64_t> kptr_restrict, perf_paranoid;

  bool steal_input = true;                 // dev.tty.legacy_tiocsti: who has a terminal open may type into it
  std::optional<size_t> abstract_sockets;  // listening ones of the host, where its network is shared
  std::string abstract_holders;            // who listens at some of them
  uint64_t terminal = 0;                   // device number of the controlling one; 0: none
  std::vector<Neighbour> terminal_sharers;                  // outside, on the same terminal
  std::optional<std::vector<Neighbour>> same_user_outside;  // same uid, another root or namespace

  // Below its root, looked up without following what leads out of it. nullopt: why is in `reach_note`.
  std::optional<std::vector<ReachableFile>> sockets;       // control sockets of services
  std::optional<std::vector<ReachableFile>> devices;       // nodes of /dev that its ids can open
  std::optional<std::vector<std::string>> set_id;          // programs that would change its ids
  std::optional<std::vector<ReachableFile>> kernel_files;  // of /proc and /sys, that its ids can open
  std::string reach_note;
};

// What looks at many processes share: the host's mounts, its processes.
class Surroundings;
std::shared_ptr<const Surroundings> look_around();

// kNoJail when there is no such process, kSystem when it made the look wait for longer than `seconds`.
Result<std::unique_ptr<Live>> look_at_live(int pid);
Result<std::unique_ptr<Live>> look_at_live(int pid, const std::shared_ptr<const Surroundings>& around,
                                           int seconds = 5);

// How long several are waited for, all together: `most_waiting` times `each`, and twice `last`.
struct Patience {
  std::chrono::milliseconds each{100};   // then the next one is begun, and this one goes on beside it
  std::chrono::milliseconds last{5000};  // for those that go on, when the last one has begun
  size_t most_waiting = 64;              // with more than that nobody new is looked at
};
// In the order of `pids`; an error as of one, and kSystem for those that were not looked at at all.
std::vector<Result<std::unique_ptr<Live>>> look_at_many(const std::vector<int>& pids,
                                                        const std::shared_ptr<const Surroundings>& around,
                                                        const Patience& patience = {});

// The processes whose root or mount, user, pid or net namespace is not the host's, one for each set that is
// held alike; kernel threads and the caller are none of them.
struct JailedGroup {
  int pid = 0;              // of a process whose first thread has ended, the number of another one
  std::vector<int> others;  // held alike: same namespaces, root, ids, capabilities, filters, group
};
std::vector<JailedGroup> jailed_groups(const Surroundings& around);
// Processes of which this caller cannot tell whether they are in a jail: those of others, for an ordinary
// user.
size_t hidden_processes(const Surroundings& around);
std::vector<int> jailed_processes();

const char* name(RootKind kind);

}  // namespace immure::audit

// What /proc and the control group's files tell of a process, whoever started it. Nothing is attached to,
// stopped or changed. What this caller may not read, and what the kernel does not show, is said to be so: an
// empty place never stands for "none". Source: proc(5), namespaces(7), cgroups(7).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/cgroup.h"
#include "kernel/proc.h"
#include "kernel/sockets.h"

namespace immure::audit {

// A namespace, as seen from the host: is it the one that pid 1 is in, the caller's, or another?
enum class Whose : uint8_t { Unknown, Host, Caller, Own };
struct NamespaceView {
  std::string_view kind;  // "user", "mnt", …
  uint64_t inode = 0;     // 0: not readable
  Whose whose = Whose::Unknown;
};

enum class Where : uint8_t { Unknown, Inside, Outside };
enum class FdKind : uint8_t {
  File,
  Directory,
  CharDevice,
  BlockDevice,
  Fifo,
  SocketFile,
  Pipe,
  Socket,
  Namespace,
  Memfd,
  Anonymous,
  Unknown,
};
struct FdView {
  int number = -1;  // -1: the working directory, -2: the root, -3: the program's file
  FdKind kind = FdKind::Unknown;
  Where where = Where::Unknown;
  std::string target;  // the path, "pipe:[7]", or what the socket is connected to
  std::string note;    // "leads outside: …", why Unknown, what a socket or an anonymous inode is
  bool deleted = false, readable = false, writable = false, close_on_exec = false, path_only = false;
  int64_t mount_id = -1;
  uint64_t inode = 0;
};

struct MountView {
  uint64_t id = 0;
  std::string target, fstype, source, options, propagation;
};

struct GroupView {
  std::string controllers, path, directory;
};

struct Inspection {
  int pid = 0;
  std::string name, command, lsm_label;
  std::string status_text;  // what `status` looks into
  ProcStatus status;
  uint64_t start_ticks = 0;
  bool dumpable = true;                           // /proc/PID belongs to the process's own user
  int securebits = -1, parent_death_signal = -1;  // known of the caller alone
  std::string setgroups;
  std::vector<NamespaceView> namespaces;
  std::optional<std::vector<IdRange>> uid_map, gid_map;
  std::vector<GroupView> groups;
  CgroupLimits limits;     // of its own groups
  CgroupLimits effective;  // memory, pids, cpu: the least of its groups and of those above them
  CgroupUsage usage;
  std::optional<std::vector<LimitLine>> rlimits;
  std::string rlimits_text;
  std::optional<std::vector<MountView>> mounts;
  std::optional<std::vector<FdView>> fds;
  std::vector<FdView> places;  // working directory, root, program
  unsigned last_capability = 40;

  Inspection() = default;
  Inspection(Inspection&&) = default;  // views look into own texts, so it moves by pointer only
  Inspection& operator=(Inspection&&) = delete;
};

// kNoJail when there is no such process.
Result<Inspection> look_at_process(int pid);

// Reads the descriptors of the process behind `proc`, an O_PATH descriptor of /proc/PID; nullopt: not
// allowed.
struct FdReader {
  int proc;  // /proc/PID
  int pid;
  std::span<const uint64_t> mounts;  // ids of the process's mountinfo, sorted
  bool mounts_known = false;
};
std::optional<std::vector<FdView>> read_fds(const FdReader& reader);
std::vector<FdView> read_places(const FdReader& reader);

// Pure: what a link of /proc/PID/fd says by its text alone.
FdKind kind_of_link(std::string_view link);
// Is `path` `root` or below it, by whole components?
bool is_below(std::string_view path, std::string_view root);

const char* name(FdKind kind);
const char* name(Where where);
const char* name(Whose whose);

}  // namespace immure::audit

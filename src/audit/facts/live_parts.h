// The parts of a live look (live.cc), each in a file of its own. All take the process by a descriptor of its
// directory in /proc, and leave what they cannot read as it is in a new Live.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "audit/facts/listeners.h"
#include "audit/facts/live.h"

namespace immure::audit {

// One line of the host's mount table, unescaped.
struct HostMount {
  uint64_t id = 0;
  std::string target, root, device, propagation;
};
struct HostProcess {
  int pid = 0;
  uint32_t uid = 0;  // effective; of one that is not dumpable: 0
};
// More of it, read when it is first asked for.
struct HostProcessMore {
  bool read = false;
  bool counts = false;  // it is there, and no thread of the kernel's
  uint64_t pid_space = 0, user_space = 0, mount_space = 0, terminal = 0;
  uint64_t root_device = 0, root_inode = 0;  // 0: not told
  std::string name;
};

class Surroundings {
 public:
  std::vector<HostMount> mounts;       // pid 1's, or the caller's where pid 1's cannot be read
  std::vector<HostProcess> processes;  // all that /proc shows
  std::map<std::string, uint64_t, std::less<>> namespaces;
  size_t abstract_sockets = 0;      // that are listened at, in the caller's network namespace
  uint64_t an_abstract_socket = 0;  // the inode of one of them
  uint64_t root_device = 0, root_inode = 0;
  bool privileged = false;

  // Of processes[index]. From any thread.
  HostProcessMore more(size_t index) const;
  // Looked at when first asked for, once. From any thread.
  const Listeners& listeners() const;
  std::string abstract_holders() const;

 private:
  mutable std::once_flag listened_, abstract_asked_;
  mutable Listeners listeners_;
  mutable std::string abstract_holders_;
  mutable std::mutex mutex_;
  mutable std::vector<HostProcessMore> more_;
};

std::vector<LiveMount> parse_live_mounts(std::string_view mountinfo);
// Where `mount` is on the host: the host's mount of the same file system whose root is nearest above it.
// Pure.
std::string host_path_of(const LiveMount& mount, const std::vector<HostMount>& host);
// The same for a folder `below` the root of a file system, "/srv/jail" of device "8:1".
std::string host_path_of(std::string_view device, std::string_view below, const std::vector<HostMount>& host);
bool is_host_peer(const LiveMount& mount, const std::vector<HostMount>& host);

struct LiveLook {
  int proc = -1;  // O_PATH of /proc/PID
  const Surroundings& around;
};
// All of it; whoever calls may have to wait for ever.
Result<std::unique_ptr<Live>> look_at_once(int pid, const Surroundings& around);
void look_at_threads(const LiveLook& look, Live& live);
void look_at_root(const LiveLook& look, Live& live);
void look_at_environment(const LiveLook& look, Live& live);
void look_at_neighbours(const LiveLook& look, Live& live);
// What can be opened below its root. Needs threads, mounts and root to be there.
void look_at_reach(const LiveLook& look, Live& live);

// Pure: names and shapes of the values of an environment as /proc/PID/environ has it. Wipes nothing.
std::vector<EnvironmentName> names_of_environment(std::string_view text);
// Pure: may one with these ids open a file of these by its mode bits? `want` is a set of 4 (read), 2, 1.
struct Ids {
  uint32_t uid = 0, gid = 0;
  std::vector<uint32_t> groups;
};
bool may_open(const Ids& ids, uint32_t owner, uint32_t group, unsigned mode, unsigned want);
Ids ids_of(const Live& live);

// A file of the directory `dir`; nullopt when it cannot be read.
std::optional<std::string> text_of(int dir, const char* name, size_t limit = 16u << 20);

}  // namespace immure::audit

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "audit/facts/live_parts.h"
#include "base/file.h"
#include "base/text.h"
#include "kernel/capabilities.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

struct First {
  const char* kind;
  uint64_t inode;
};
// Source: include/uapi/linux/nsfs.h; of mnt and net since 6.18.
constexpr First kFirst[] = {
    {"user", 0xeffffffd}, {"mnt", 0xeffffff8}, {"pid", 0xeffffffc},    {"net", 0xeffffff9},
    {"ipc", 0xefffffff},  {"uts", 0xeffffffe}, {"cgroup", 0xeffffffb}, {"time", 0xeffffffa},
};
constexpr const char* kTelling[] = {"user", "mnt", "pid", "net"};
constexpr uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD

std::vector<int> process_numbers() {
  std::vector<int> out;
  DIR* list = opendir("/proc");
  if (list == nullptr) return out;
  while (dirent* entry = readdir(list))
    if (auto number = parse_u64(entry->d_name)) out.push_back(static_cast<int>(*number));
  closedir(list);
  return out;
}

UniqueFd open_process(int pid) {
  std::string path = "/proc/" + num_signed(pid);
  return UniqueFd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

uint64_t namespace_of(int proc, const char* kind) {
  char link[64];
  std::string name = std::string("ns/") + kind;
  ssize_t n = readlinkat(proc, name.c_str(), link, sizeof link);
  return n > 0 ? parse_ns_link({link, static_cast<size_t>(n)}) : 0;
}

// The words of /proc/PID/stat behind the name: state, ppid, pgrp, session, tty, tpgid, flags, …
std::vector<std::string_view> words_of_stat(std::string_view text) {
  size_t end = text.rfind(')');
  std::vector<std::string_view> words;
  if (end == std::string_view::npos) return words;
  std::string_view rest = text.substr(end + 1);
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) words.push_back(word);
  return words;
}

uint64_t terminal_of(std::string_view stat) {
  auto words = words_of_stat(stat);
  return words.size() > 4 ? parse_u64(words[4]).value_or(0) : 0;
}

bool is_kernel_thread(int proc) {
  auto stat = text_of(proc, "stat", 4096);
  if (!stat) return true;
  auto words = words_of_stat(*stat);
  return words.size() > 6 && (parse_u64(words[6]).value_or(0) & kKernelThread) != 0;
}

std::string name_of(int proc) {
  std::string text = text_of(proc, "comm", 256).value_or(std::string());
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

uint64_t own_inode(const Live& live, std::string_view kind) {
  for (const NamespaceView& view : live.process.namespaces)
    if (view.kind == kind) return view.inode;
  return 0;
}

void look_at_terminal(const LiveLook& look, Live& live) {
  auto stat = text_of(look.proc, "stat", 4096);
  live.terminal = stat ? terminal_of(*stat) : 0;
  if (live.terminal == 0) return;
  uint64_t pids = own_inode(live, "pid"), users = own_inode(live, "user"), mounts = own_inode(live, "mnt");
  for (size_t i = 0; i < look.around.processes.size(); i++) {
    const HostProcess& other = look.around.processes[i];
    if (other.pid == live.process.pid || live.terminal_sharers.size() >= 8) continue;
    HostProcessMore more = look.around.more(i);
    if (!more.counts || more.terminal != live.terminal) continue;
    if (more.pid_space == pids && more.user_space == users && more.mount_space == mounts) continue;
    live.terminal_sharers.push_back({other.pid, more.name});
  }
}

// A file system of the process's own is not asked, since it might never answer.
int stat_root(int proc, struct statx& root) {
  return statx(proc, "root", AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &root);
}

// How a process is held, as a key: who has the same is held alike.
std::optional<std::string> key_of(int proc, const Surroundings& around, bool& jailed) {
  std::string key;
  for (const First& first : kFirst) {
    uint64_t inode = namespace_of(proc, first.kind);
    if (inode == 0) return std::nullopt;
    auto hosts = around.namespaces.find(std::string_view(first.kind));
    bool telling = std::find_if(std::begin(kTelling), std::end(kTelling), [&](const char* kind) {
                     return std::string_view(kind) == first.kind;
                   }) != std::end(kTelling);
    if (telling && hosts != around.namespaces.end() && hosts->second != inode) jailed = true;
    key += num(inode) + " ";
  }
  // Where its file system refuses everybody but its owner, root too, the process has no root of the host's.
  struct statx root {};
  const bool seen = stat_root(proc, root) == 0;
  if (!seen && errno != EACCES) return std::nullopt;
  const uint64_t device = makedev(root.stx_dev_major, root.stx_dev_minor);
  if (device != around.root_device || root.stx_ino != around.root_inode) jailed = true;
  if (!jailed) return key;
  key += num(device) + ":" + num(root.stx_ino);
  auto text = text_of(proc, "status", 64u << 10);
  if (!text) return std::nullopt;
  std::string_view rest = *text, line;
  while (next_line(rest, line))
    for (const char* field : {"Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp"})
      if (line.starts_with(field)) key += std::string(line) + "\n";
  return key + text_of(proc, "cgroup", 64u << 10).value_or(std::string());
}

// Of a process whose first thread has ended, one that goes on: the first one tells nothing any more.
int living_thread(int proc, int pid) {
  auto stat = text_of(proc, "stat", 4096);
  auto words = words_of_stat(stat ? *stat : std::string_view());
  if (words.empty() || words[0] != "Z") return pid;
  const int dir = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* list = dir < 0 ? nullptr : fdopendir(dir);
  int found = pid;
  while (dirent* entry = list == nullptr ? nullptr : readdir(list)) {
    auto number = parse_u64(entry->d_name);
    if (!number || *number == static_cast<uint64_t>(pid)) continue;
    found = static_cast<int>(*number);
    break;
  }
  if (list != nullptr) closedir(list);
  return found;
}

// It is only waited for: nobody acts by it any more. One whose first thread alone has ended is none.
bool has_ended(int proc, int pid) {
  auto stat = text_of(proc, "stat", 4096);
  auto words = words_of_stat(stat ? *stat : std::string_view());
  return words.empty() || words[0] == "X" || (words[0] == "Z" && living_thread(proc, pid) == pid);
}

}  // namespace

std::shared_ptr<const Surroundings> look_around() {
  auto around = std::make_shared<Surroundings>();
  UniqueFd init = open_process(1), self(open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto text = init ? text_of(init.get(), "mountinfo") : std::nullopt;
  struct stat root {};
  bool of_init = text && fstatat(init.get(), "root", &root, 0) == 0;
  if (!of_init) {
    text = text_of(self.get(), "mountinfo");
    if (fstatat(self.get(), "root", &root, 0) != 0) root = {};
  }
  around->root_device = root.st_dev;
  around->root_inode = root.st_ino;
  for (LiveMount& mount : parse_live_mounts(text.value_or(std::string())))
    around->mounts.push_back({mount.id, std::move(mount.target), std::move(mount.root),
                              std::move(mount.device), std::move(mount.propagation)});
  for (const First& first : kFirst) {
    uint64_t inode = init ? namespace_of(init.get(), first.kind) : 0;
    if (inode == 0) inode = namespace_of(self.get(), first.kind);
    if (inode != 0) around->namespaces[first.kind] = inode;
  }
  auto own = own_capabilities();
  auto user = around->namespaces.find("user");
  around->privileged = own && (own->effective >> 21 & 1) != 0 && user != around->namespaces.end() &&
                       namespace_of(self.get(), "user") == user->second;
  for (const SocketInfo& socket :
       parse_sockets(SocketTable::Unix, text_of(self.get(), "net/unix").value_or(std::string())))
    if (socket.local.starts_with('@') && socket.state == "listening") {
      around->abstract_sockets++;
      around->an_abstract_socket = socket.inode;
    }
  UniqueFd proc(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (int pid : process_numbers()) {
    struct stat st {};
    if (fstatat(proc.get(), num_signed(pid).c_str(), &st, 0) == 0)
      around->processes.push_back({pid, st.st_uid});
  }
  return around;
}

// The nearest ancestor in another pid namespace runs the program that stands beside this one.
void look_at_supervisor(Live& live) {
  char own[4096];
  ssize_t n = readlink("/proc/self/exe", own, sizeof own);
  std::string_view path(own, n > 0 ? static_cast<size_t>(n) : 0);
  std::string start = std::string(path.substr(0, path.rfind('/') + 1)) + "immure";
  struct stat program {
  }, its{};
  uint64_t pids = own_inode(live, "pid");
  live.starter_hidden = pids == 0;
  if (n <= 0 || pids == 0 || stat(start.c_str(), &program) != 0) return;
  int pid = live.process.status.ppid;
  for (int steps = 0; pid > 1 && steps < 64; steps++) {
    UniqueFd proc = open_process(pid);
    if (!proc) return;
    uint64_t its_pids = namespace_of(proc.get(), "pid");
    if (its_pids != 0 && its_pids != pids) {
      const bool seen = fstatat(proc.get(), "exe", &its, 0) == 0;
      live.supervised = seen && its.st_dev == program.st_dev && its.st_ino == program.st_ino;
      live.starter_hidden = !seen;
      return;
    }
    std::string text = text_of(proc.get(), "stat", 4096).value_or(std::string());
    auto words = words_of_stat(text);
    pid = words.size() > 1 ? static_cast<int>(parse_u64(words[1]).value_or(0)) : 0;
  }
}

void look_at_neighbours(const LiveLook& look, Live& live) {
  look_at_terminal(look, live);
  look_at_supervisor(live);
  if (live.threads.empty()) return;
  live.same_user_outside.emplace();
  uint64_t pids = own_inode(live, "pid"), users = own_inode(live, "user"), mounts = own_inode(live, "mnt");
  struct statx root {};
  const bool rooted = stat_root(look.proc, root) == 0;
  const uint64_t device = makedev(root.stx_dev_major, root.stx_dev_minor);
  uint32_t uid = live.threads[0].uid[0];
  for (size_t i = 0; i < look.around.processes.size(); i++) {
    const HostProcess& other = look.around.processes[i];
    if (other.uid != uid || other.pid == live.process.pid || live.same_user_outside->size() >= 8) continue;
    HostProcessMore more = look.around.more(i);
    const bool elsewhere = more.pid_space != pids || more.user_space != users || more.mount_space != mounts;
    const bool other_root =
        rooted && more.root_inode != 0 && (more.root_device != device || more.root_inode != root.stx_ino);
    if (!more.counts || (!elsewhere && !other_root)) continue;
    live.same_user_outside->push_back({other.pid, more.name});
  }
}

HostProcessMore Surroundings::more(size_t index) const {
  std::lock_guard lock(mutex_);
  more_.resize(processes.size());
  HostProcessMore& more = more_[index];
  if (more.read) return more;
  more.read = true;
  UniqueFd proc = open_process(processes[index].pid);
  if (!proc || is_kernel_thread(proc.get()) || has_ended(proc.get(), processes[index].pid)) return more;
  more.counts = true;
  more.pid_space = namespace_of(proc.get(), "pid");
  more.user_space = namespace_of(proc.get(), "user");
  more.mount_space = namespace_of(proc.get(), "mnt");
  struct statx root {};
  if (stat_root(proc.get(), root) == 0) {
    more.root_device = makedev(root.stx_dev_major, root.stx_dev_minor);
    more.root_inode = root.stx_ino;
  }
  more.terminal = terminal_of(text_of(proc.get(), "stat", 4096).value_or(std::string()));
  more.name = name_of(proc.get());
  return more;
}

const Listeners& Surroundings::listeners() const {
  std::call_once(listened_, [this] { listeners_ = Listeners::look(); });
  return listeners_;
}

std::string Surroundings::abstract_holders() const {
  std::call_once(abstract_asked_, [this] {
    for (const auto& [inode, holders] : holders_of({an_abstract_socket}))
      abstract_holders_ = holders_text(holders);
  });
  return abstract_holders_;
}

std::vector<JailedGroup> jailed_groups(const Surroundings& around) {
  std::map<std::string, size_t> known;
  std::vector<JailedGroup> out;
  for (const HostProcess& process : around.processes) {
    UniqueFd proc = open_process(process.pid);
    if (!proc || process.pid == getpid()) continue;
    const int pid = living_thread(proc.get(), process.pid);
    if (pid != process.pid) proc = open_process(pid);
    if (!proc) continue;
    bool jailed = false;
    auto key = key_of(proc.get(), around, jailed);
    if (!key || !jailed || is_kernel_thread(proc.get())) continue;
    auto [place, fresh] = known.try_emplace(std::move(*key), out.size());
    if (fresh)
      out.push_back({pid, {}});
    else
      out[place->second].others.push_back(process.pid);
  }
  return out;
}

size_t hidden_processes(const Surroundings& around) {
  return static_cast<size_t>(
      std::count_if(around.processes.begin(), around.processes.end(), [](const HostProcess& process) {
        UniqueFd proc = open_process(process.pid);
        return proc && namespace_of(proc.get(), "mnt") == 0 && !is_kernel_thread(proc.get());
      }));
}

std::vector<int> jailed_processes() {
  std::vector<int> out;
  for (const JailedGroup& group : jailed_groups(*look_around())) out.push_back(group.pid);
  return out;
}

}  // namespace immure::audit

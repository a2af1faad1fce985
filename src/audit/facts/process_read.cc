#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "audit/facts/process_view.h"
#include "base/file.h"
#include "base/text.h"
#include "kernel/capabilities.h"
#include "kernel/mountinfo.h"

namespace immure::audit {
namespace {

// A file of the process, by the descriptor of its directory: a number that is used again meanwhile cannot mix
// two processes. Empty when it cannot be read.
std::optional<std::string> file(int proc, const char* name) {
  UniqueFd fd(openat(proc, name, O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  auto text = read_fd(fd.get(), 64u << 20, name);
  if (!text) return std::nullopt;
  return std::move(*text);
}

std::string line_of(int proc, const char* name) {
  std::string text = file(proc, name).value_or(std::string());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  return text;
}

uint64_t namespace_inode(int proc, std::string_view kind) {
  char link[64];
  std::string name = "ns/" + std::string(kind);
  ssize_t n = readlinkat(proc, name.c_str(), link, sizeof link);
  return n > 0 ? parse_ns_link({link, static_cast<size_t>(n)}) : 0;
}

struct Kind {
  std::string_view name;
  uint64_t first;  // the inode of the machine's first one
};
// Source: include/uapi/linux/nsfs.h. Those of mnt and net are fixed since 6.18 only; before, no namespace has
// them.
constexpr Kind kKinds[] = {
    {"user", 0xeffffffd}, {"mnt", 0xeffffff8}, {"pid", 0xeffffffc},    {"net", 0xeffffff9},
    {"ipc", 0xefffffff},  {"uts", 0xeffffffe}, {"cgroup", 0xeffffffb}, {"time", 0xeffffffa},
};

// The caller's pid 1 is the host's, as far as the caller can see; where it cannot be read, the fixed numbers
// tell.
Whose whose(uint64_t inode, const Kind& kind, uint64_t of_init) {
  if (inode == 0) return Whose::Unknown;
  if (inode == of_init || inode == kind.first) return Whose::Host;
  return inode == ns_inode(0, std::string(kind.name).c_str()) ? Whose::Caller : Whose::Own;
}

void read_namespaces(int proc, Inspection& out) {
  for (const Kind& kind : kKinds) {
    NamespaceView view{kind.name, namespace_inode(proc, kind.name), Whose::Unknown};
    view.whose = whose(view.inode, kind, ns_inode(1, std::string(kind.name).c_str()));
    out.namespaces.push_back(view);
  }
}

std::optional<std::vector<IdRange>> read_map(int proc, const char* name) {
  auto text = file(proc, name);
  if (!text) return std::nullopt;
  std::vector<IdRange> out;
  std::string_view rest = *text, line;
  while (next_line(rest, line))
    if (auto range = parse_id_map_line(line)) out.push_back(*range);
  return out;
}

void least(std::optional<uint64_t>& to, std::optional<uint64_t> from) {
  if (from && (!to || *from < *to)) to = from;
}

// The limits of the groups above, up to the tree's root.
void limits_above(const GroupView& group, CgroupLimits& out) {
  std::string directory = group.directory;
  std::string_view path = group.path;
  while (path.size() > 1) {
    size_t slash = path.rfind('/');
    if (slash == std::string_view::npos || directory.size() < path.size() - slash) return;
    directory.resize(directory.size() - (path.size() - slash));
    path = path.substr(0, slash);
    CgroupRef ref[] = {{directory, group.controllers}};
    CgroupLimits limits = read_limits(ref);
    least(out.memory, limits.memory);
    least(out.pids, limits.pids);
    least(out.cpu_milli, limits.cpu_milli);
  }
}

void read_groups(int proc, Inspection& out) {
  std::string text = file(proc, "cgroup").value_or(std::string());
  CgroupSources sources;
  sources.self_cgroup = text;
  for (CgroupDirectory& group : cgroup_directories(sources))
    out.groups.push_back({std::move(group.controllers), std::move(group.path), std::move(group.directory)});
  std::vector<CgroupRef> refs;
  for (const GroupView& group : out.groups)
    if (!group.directory.empty()) refs.push_back({group.directory, group.controllers});
  out.limits = read_limits(refs);
  out.effective.memory = out.limits.memory;
  out.effective.pids = out.limits.pids;
  out.effective.cpu_milli = out.limits.cpu_milli;
  for (const GroupView& group : out.groups)
    if (!group.directory.empty()) limits_above(group, out.effective);
  out.usage = read_usage(refs);
}

void read_rlimits(int proc, Inspection& out) {
  auto text = file(proc, "limits");
  if (!text) return;
  out.rlimits_text = std::move(*text);
  out.rlimits.emplace();
  std::string_view rest = out.rlimits_text, line;
  while (next_line(rest, line))
    if (auto limit = parse_limit_line(line)) out.rlimits->push_back(*limit);
}

// Fills the mounts and returns their ids, sorted.
std::vector<uint64_t> read_mounts(int proc, Inspection& out) {
  std::vector<uint64_t> ids;
  auto text = file(proc, "mountinfo");
  if (!text) return ids;
  out.mounts.emplace();
  MountReader reader(*text);
  while (auto mount = reader.next()) {
    ids.push_back(mount->id);
    out.mounts->push_back({mount->id, unescape(mount->target), unescape(mount->fstype),
                           unescape(mount->source), std::string(mount->options),
                           std::string(mount->propagation)});
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

void read_self_only(Inspection& out) {
  if (out.pid != getpid()) return;
  out.securebits = prctl(PR_GET_SECUREBITS);
  int signal = 0;
  if (prctl(PR_GET_PDEATHSIG, &signal) == 0) out.parent_death_signal = signal;
}

std::string command_of(int proc) {
  std::string text = line_of(proc, "cmdline");
  for (char& c : text)
    if (c == '\0') c = ' ';
  return text;
}

// A dumpable process's files belong to its user; of another one they are root's.
bool is_dumpable(int proc, const ProcStatus& status) {
  struct stat st {};
  if (fstatat(proc, "stat", &st, 0) != 0) return true;
  return status.uid[1] == 0 || st.st_uid == status.uid[1];
}

}  // namespace

Result<Inspection> look_at_process(int pid) {
  std::string path = "/proc/" + num_signed(pid);
  UniqueFd proc(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc)
    return fail(Code::kNoJail, "cannot inspect process " + num_signed(pid), "there is no such process",
                "ps -e", {}, errno);
  Inspection out;
  out.pid = pid;
  out.status_text = file(proc.get(), "status").value_or(std::string());
  out.status = parse_status(out.status_text);
  if (out.status.pid < 0)
    return fail(Code::kNoJail, "cannot inspect process " + num_signed(pid), "it has ended meanwhile", {}, {},
                ESRCH);
  std::string stat = file(proc.get(), "stat").value_or(std::string());
  if (auto parsed = parse_stat(stat)) out.start_ticks = parsed->start_ticks;
  out.name = std::string(out.status.name);
  out.command = command_of(proc.get());
  out.lsm_label = line_of(proc.get(), "attr/current");
  out.setgroups = line_of(proc.get(), "setgroups");
  out.dumpable = is_dumpable(proc.get(), out.status);
  out.last_capability = highest_capability();
  read_self_only(out);
  read_namespaces(proc.get(), out);
  out.uid_map = read_map(proc.get(), "uid_map");
  out.gid_map = read_map(proc.get(), "gid_map");
  read_groups(proc.get(), out);
  read_rlimits(proc.get(), out);
  std::vector<uint64_t> ids = read_mounts(proc.get(), out);
  FdReader reader{proc.get(), pid, ids, out.mounts.has_value()};
  out.fds = read_fds(reader);
  out.places = read_places(reader);
  return out;
}

}  // namespace immure::audit

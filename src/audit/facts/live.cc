#include "audit/facts/live.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <utility>

#include "audit/facts/live_parts.h"
#include "base/file.h"
#include "base/text.h"
#include "kernel/ids.h"

namespace immure::audit {
namespace {

void look_at_groups(Live& live) {
  std::string_view rest = live.process.status.groups;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    auto gid = parse_u64(word);
    if (!gid) continue;
    auto number = static_cast<uint32_t>(*gid);
    auto group = group_by_gid(number);
    live.groups.push_back({number, group ? group->name : std::string()});
  }
}

std::optional<int64_t> number_of(const char* file) {
  std::string text = read_file(file).value_or(std::string());
  while (text.ends_with('\n')) text.pop_back();
  std::string_view word = trim(text);
  const bool minus = word.starts_with('-');
  if (minus) word.remove_prefix(1);
  const auto number = parse_u64(word);
  if (!number || *number > 1000) return std::nullopt;
  return static_cast<int64_t>(*number) * (minus ? -1 : 1);
}

void look_at_small_files(const LiveLook& look, Live& live) {
  if (auto text = text_of(look.proc, "oom_score_adj")) {
    std::string_view word = trim(*text);
    bool minus = word.starts_with('-');
    if (minus) word.remove_prefix(1);
    while (word.ends_with('\n')) word.remove_suffix(1);
    if (auto number = parse_u64(word)) live.oom_score_adj = static_cast<int>(*number) * (minus ? -1 : 1);
  }
  live.core_pattern = read_file("/proc/sys/kernel/core_pattern").value_or(std::string());
  while (live.core_pattern.ends_with('\n')) live.core_pattern.pop_back();
  live.steal_input = !read_file("/proc/sys/dev/tty/legacy_tiocsti").value_or("1").starts_with('0');
  live.kptr_restrict = number_of("/proc/sys/kernel/kptr_restrict");
  live.perf_paranoid = number_of("/proc/sys/kernel/perf_event_paranoid");
  for (const NamespaceView& view : live.process.namespaces)
    if (view.kind == "net" && (view.whose == Whose::Host || view.whose == Whose::Caller)) {
      live.abstract_sockets = look.around.abstract_sockets;
      if (look.around.abstract_sockets > 0) live.abstract_holders = look.around.abstract_holders();
    }
}

constexpr unsigned long kKernelMagics[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                           DEBUGFS_MAGIC,    TRACEFS_MAGIC, SECURITYFS_MAGIC};

void mark_kernel_files(int task, std::vector<FdView>& fds) {
  for (FdView& fd : fds) {
    bool file = fd.kind == FdKind::File || fd.kind == FdKind::Directory;
    if (!file || fd.where != Where::Outside) continue;
    std::string link = "fd/" + num_signed(fd.number);
    UniqueFd open_file(openat(task, link.c_str(), O_PATH | O_CLOEXEC));
    struct statfs fs {};
    if (!open_file || fstatfs(open_file.get(), &fs) != 0) continue;
    for (unsigned long magic : kKernelMagics)
      if (static_cast<unsigned long>(fs.f_type) == magic) fd.note += std::string(", ") + kOnKernelFiles;
  }
}

void mark_kernel_files(const LiveLook& look, Live& live) {
  if (live.process.fds) mark_kernel_files(look.proc, *live.process.fds);
  for (ThreadView& thread : live.threads) {
    std::string name = "task/" + num_signed(thread.tid);
    UniqueFd task(openat(look.proc, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (task) mark_kernel_files(task.get(), thread.fds);
  }
}

// A descriptor of another process: inside when that one is in the same pid namespace or below it.
void look_at_pidfds(Live& live) {
  if (!live.process.fds) return;
  uint64_t own = 0;
  for (const NamespaceView& view : live.process.namespaces)
    if (view.kind == "pid") own = view.inode;
  for (FdView& fd : *live.process.fds) {
    constexpr std::string_view kProcess = "process ";
    if (fd.kind != FdKind::Anonymous || !fd.note.starts_with(kProcess)) continue;
    auto pid = parse_u64(std::string_view(fd.note).substr(kProcess.size()));
    uint64_t its = pid ? ns_inode(static_cast<int>(*pid), "pid") : 0;
    if (own != 0 && its != 0) fd.where = its == own ? Where::Inside : Where::Outside;
  }
}

}  // namespace

Result<std::unique_ptr<Live>> look_at_once(int pid, const Surroundings& around) {
  std::string path = "/proc/" + num_signed(pid);
  UniqueFd proc(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto process = look_at_process(pid);
  if (!process) return tl::unexpected<Error>(std::move(process.error()));
  // Opened before, it is of this process or of one that has ended since; then nothing can be read by it.
  if (!proc || !text_of(proc.get(), "stat"))
    return fail(Code::kNoJail, "cannot audit process " + num_signed(pid), "it has ended meanwhile", {}, {},
                ESRCH);
  auto live = std::make_unique<Live>(std::move(*process));
  live->privileged = around.privileged;
  live->host_namespaces = around.namespaces;
  LiveLook look{proc.get(), around};
  look_at_threads(look, *live);
  look_at_root(look, *live);
  look_at_environment(look, *live);
  look_at_groups(*live);
  look_at_small_files(look, *live);
  look_at_pidfds(*live);
  mark_kernel_files(look, *live);
  look_at_neighbours(look, *live);
  look_at_reach(look, *live);
  if (!text_of(proc.get(), "stat"))
    return fail(Code::kNoJail, "cannot audit process " + num_signed(pid), "it ended while it was read", {},
                {}, ESRCH);
  return live;
}

std::optional<std::string> text_of(int dir, const char* name, size_t limit) {
  UniqueFd fd(openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return std::nullopt;
  auto text = read_fd(fd.get(), limit, name);
  if (!text) return std::nullopt;
  return std::move(*text);
}

const char* name(RootKind kind) {
  switch (kind) {
    case RootKind::Unknown: return "unknown";
    case RootKind::Unchanged: return "the root of the host";
    case RootKind::HostTree: return "the tree of the host, in a mount namespace of its own";
    case RootKind::Chroot: return "a plain chroot";
    case RootKind::Pivoted: return "the top of its mount namespace";
    case RootKind::Foreign: return "of another mount namespace";
  }
  return "";
}

}  // namespace immure::audit

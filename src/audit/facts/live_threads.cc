#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "audit/facts/live_parts.h"
#include "base/text.h"
#include "kernel/sys.h"

namespace immure::audit {
namespace {

constexpr size_t kMostThreads = 1024;

std::vector<int> thread_ids(int proc, uint64_t& unread) {
  std::vector<int> ids;
  int dir = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* list = dir < 0 ? nullptr : fdopendir(dir);
  if (list == nullptr) return ids;
  while (dirent* entry = readdir(list)) {
    auto number = parse_u64(entry->d_name);
    if (!number) continue;
    if (ids.size() < kMostThreads)
      ids.push_back(static_cast<int>(*number));
    else
      unread++;
  }
  closedir(list);
  return ids;
}

ThreadView view_of(int tid, const ProcStatus& status) {
  ThreadView view;
  view.tid = tid;
  view.name = std::string(status.name);
  for (size_t i = 0; i < 4; i++) {
    view.uid[i] = status.uid[i];
    view.gid[i] = status.gid[i];
  }
  view.inheritable = status.cap_inheritable;
  view.permitted = status.cap_permitted;
  view.effective = status.cap_effective;
  view.bounding = status.cap_bounding;
  view.ambient = status.cap_ambient;
  view.has_caps = status.has_caps;
  view.no_new_privs = status.no_new_privs;
  view.seccomp = status.seccomp;
  view.seccomp_filters = status.seccomp_filters;
  return view;
}

// Do both share it? What the kernel would not say is taken as no, and read.
bool shared(int pid, int tid, int what) { return sys::call(__NR_kcmp, pid, tid, what) == 0; }

uint64_t namespace_of(int task, const std::string& kind) {
  char link[64];
  std::string name = "ns/" + kind;
  ssize_t n = readlinkat(task, name.c_str(), link, sizeof link);
  return n > 0 ? parse_ns_link({link, static_cast<size_t>(n)}) : 0;
}

// What of a thread may differ from the first one's.
void look_at_own(int task, const Inspection& process, ThreadView& view) {
  std::vector<uint64_t> mounts;
  for (const NamespaceView& space : process.namespaces) {
    uint64_t inode = namespace_of(task, std::string(space.kind));
    if (inode != 0 && space.inode != 0 && inode != space.inode)
      view.namespaces.push_back(std::string(space.kind));
  }
  if (process.mounts)
    for (const MountView& mount : *process.mounts) mounts.push_back(mount.id);
  std::sort(mounts.begin(), mounts.end());
  FdReader reader{task, view.tid, mounts, process.mounts.has_value()};
  if (!shared(process.pid, view.tid, KCMP_FILES)) view.fds = read_fds(reader).value_or(std::vector<FdView>());
  if (!shared(process.pid, view.tid, KCMP_FS)) {
    view.places = read_places(reader);
    view.places.resize(std::min<size_t>(view.places.size(), 2));  // the program's file is everybody's
  }
}

// Which of `filters` is like this one; it is added when none is.
size_t place_of(const FilterStack& stack, std::vector<FilterStack>& filters) {
  auto found = std::find(filters.begin(), filters.end(), stack);
  if (found == filters.end()) found = filters.insert(filters.end(), stack);
  return static_cast<size_t>(found - filters.begin());
}

}  // namespace

void look_at_threads(const LiveLook& look, Live& live) {
  live.filters.emplace_back();
  live.threads.push_back(view_of(live.process.pid, live.process.status));
  live.threads[0].name = live.process.name;
  std::vector<UniqueFd> tasks;
  for (int tid : thread_ids(look.proc, live.threads_unread)) {
    std::string name = "task/" + num_signed(tid);
    UniqueFd task(openat(look.proc, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (tid == live.process.pid) {
      tasks.insert(tasks.begin(), std::move(task));
      continue;
    }
    auto text = task ? text_of(task.get(), "status") : std::nullopt;
    if (!text) continue;  // it has ended
    ThreadView view = view_of(tid, parse_status(*text));
    look_at_own(task.get(), live.process, view);
    live.threads.push_back(std::move(view));
    tasks.push_back(std::move(task));
  }
  if (tasks.size() != live.threads.size()) return;  // the first one has ended
  std::vector<FilterRequest> requests;
  std::vector<size_t> who;
  for (size_t i = 0; i < live.threads.size(); i++) {
    if (live.threads[i].seccomp != 2) continue;
    requests.push_back({live.threads[i].tid, tasks[i].get(), live.threads[i].seccomp_filters,
                        waits_in_fragile_call(tasks[i].get())});
    who.push_back(i);
  }
  std::vector<FilterStack> stacks = read_filters(requests);
  for (size_t i = 0; i < who.size(); i++) live.threads[who[i]].filter = place_of(stacks[i], live.filters);
}

}  // namespace immure::audit

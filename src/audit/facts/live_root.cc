#include <fcntl.h>
#include <linux/stat.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "audit/facts/live_parts.h"
#include "base/text.h"
#include "kernel/mountinfo.h"
#include "kernel/sys.h"

namespace immure::audit {
namespace {

bool has_option(const LiveMount& mount, std::string_view name) {
  return list_has(mount.options, name) || list_has(mount.super_options, name);
}

// The whole table of a mount namespace, as one sees it who stands on its top. The thread that enters resolves
// nothing in there but what it has opened before.
std::optional<std::string> table_of_namespace(int proc) {
  UniqueFd space(openat(proc, "ns/mnt", O_RDONLY | O_CLOEXEC));
  UniqueFd procfs(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::optional<std::string> table;
  if (!space || !procfs) return table;
  std::thread([&] {
    if (unshare(CLONE_FS) != 0 || setns(space.get(), CLONE_NEWNS) != 0) return;
    table = text_of(procfs.get(), "thread-self/mountinfo");
  }).join();
  return table;
}

struct RootStat {
  bool ok = false, is_mount = false;
  uint64_t mount_id = 0, device = 0, inode = 0;
};
RootStat stat_root(int proc) {
  RootStat root;
  struct statx st {};
  // Without a word to its file system, which may be the process's own.
  long result = sys::call(__NR_statx, proc, sys::arg("root"), AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                          STATX_BASIC_STATS | STATX_MNT_ID, sys::arg(&st));
  if (sys::failed(result) || (st.stx_mask & STATX_MNT_ID) == 0) return root;
  root.ok = true;
  root.is_mount = (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  root.mount_id = st.stx_mnt_id;
  root.device = makedev(st.stx_dev_major, st.stx_dev_minor);
  root.inode = st.stx_ino;
  return root;
}

std::vector<HostMount> host_mounts_of(std::string_view mountinfo) {
  std::vector<HostMount> out;
  MountReader reader(mountinfo);
  while (auto mount = reader.next())
    out.push_back({mount->id, unescape(mount->target), unescape(mount->root),
                   num(mount->major) + ":" + num(mount->minor), std::string(mount->propagation)});
  return out;
}

void classify(const RootStat& root, const std::vector<HostMount>& table, bool hosts,
              const Surroundings& around, Live& live) {
  const HostMount* top = nullptr;
  bool listed = false;
  for (const HostMount& mount : table) {
    if (mount.target == "/") top = &mount;
    listed |= mount.id == root.mount_id;
  }
  if (top == nullptr) {
    live.root_note = "the mount table of its namespace has no root";
    return;
  }
  if (!listed) {
    live.root = RootKind::Foreign;
    return;
  }
  if (top->id != root.mount_id || !root.is_mount) {
    live.root = RootKind::Chroot;
    live.chroot_top = host_path_of(top->device, top->root, around.mounts);
    return;
  }
  bool same = root.device == around.root_device && root.inode == around.root_inode;
  live.root = !same ? RootKind::Pivoted : hosts ? RootKind::Unchanged : RootKind::HostTree;
  if (hosts && !same) live.root_note = "the top of the mount namespace of the host";
}

bool is_hosts(const Live& live, std::string_view kind) {
  for (const NamespaceView& view : live.process.namespaces)
    if (view.kind == kind) return view.whose == Whose::Host || view.whose == Whose::Caller;
  return false;
}

}  // namespace

std::vector<LiveMount> parse_live_mounts(std::string_view mountinfo) {
  std::vector<LiveMount> out;
  MountReader reader(mountinfo);
  while (auto mount = reader.next()) {
    LiveMount one;
    one.id = mount->id;
    one.parent = mount->parent;
    one.target = unescape(mount->target);
    one.fstype = unescape(mount->fstype);
    one.source = unescape(mount->source);
    one.root = unescape(mount->root);
    one.device = num(mount->major) + ":" + num(mount->minor);
    one.options = std::string(mount->options);
    one.super_options = unescape(mount->super_options);
    one.propagation = std::string(mount->propagation);
    one.read_only = has_option(one, "ro");
    one.nosuid = has_option(one, "nosuid");
    one.nodev = has_option(one, "nodev");
    one.noexec = has_option(one, "noexec");
    out.push_back(std::move(one));
  }
  return out;
}

std::string host_path_of(std::string_view device, std::string_view below,
                         const std::vector<HostMount>& host) {
  const HostMount* nearest = nullptr;
  for (const HostMount& mount : host) {
    if (mount.device != device || !is_below(below, mount.root)) continue;
    if (nearest == nullptr || mount.root.size() > nearest->root.size()) nearest = &mount;
  }
  if (nearest == nullptr) return {};
  std::string path = nearest->target;
  std::string_view rest = below.substr(nearest->root == "/" ? 0 : nearest->root.size());
  if (rest == "/") rest = {};
  if (path == "/" && !rest.empty()) path.clear();
  return path + std::string(rest);
}

std::string host_path_of(const LiveMount& mount, const std::vector<HostMount>& host) {
  return host_path_of(mount.device, mount.root, host);
}

bool is_host_peer(const LiveMount& mount, const std::vector<HostMount>& host) {
  std::string_view rest = mount.propagation;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    if (!word.starts_with("shared:")) continue;
    for (const HostMount& other : host) {
      std::string_view words = other.propagation;
      for (std::string_view its = next_word(words); !its.empty(); its = next_word(words))
        if (its == word) return true;
    }
  }
  return false;
}

void look_at_root(const LiveLook& look, Live& live) {
  if (live.process.places.size() > 1) live.root_path = live.process.places[1].target;
  if (auto text = text_of(look.proc, "mountinfo")) {
    live.mounts = parse_live_mounts(*text);
    for (LiveMount& mount : *live.mounts) {
      mount.host_path = host_path_of(mount, look.around.mounts);
      mount.host_peer = is_host_peer(mount, look.around.mounts);
    }
  }
  RootStat root = stat_root(look.proc);
  if (!root.ok) {
    live.root_note = "its root is not readable for this caller";
    return;
  }
  bool hosts = is_hosts(live, "mnt");
  if (hosts) {
    classify(root, look.around.mounts, true, look.around, live);
    return;
  }
  auto table = table_of_namespace(look.proc);
  if (!table) {
    live.root_note = "its mount namespace cannot be entered to see what is above its root";
    return;
  }
  classify(root, host_mounts_of(*table), false, look.around, live);
}

}  // namespace immure::audit

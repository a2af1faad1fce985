#include "audit/facts/tree_around.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <utility>

#include "audit/facts/tree_walk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/text.h"
#include "kernel/mountinfo.h"
#include "rootfs/manifest.h"
#include "rootfs/source.h"

namespace immure::audit {
namespace {

constexpr size_t kSmall = 1u << 20;
constexpr unsigned kMostAbove = 128;

std::string real_path_of(int fd) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + num_signed(fd);
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return size <= 0 ? std::string() : std::string(path, static_cast<size_t>(size));
}

// Where a folder of a mount lies within the mount's file system.
std::string within_file_system(const MountEntry& mount, const std::string& path) {
  const std::string target = unescape(mount.target);
  std::string root = unescape(mount.root);
  if (!path_within(path, target)) return root;
  const std::string rest = target == "/" ? path : path.substr(target.size());
  return path_normal(root + "/" + rest);
}

void fill(MountBelow& below, const MountEntry& mount, const MountEntry* of_top,
          const std::string& top_within) {
  below.type = unescape(mount.fstype);
  below.options = std::string(mount.options);
  below.root = unescape(mount.root);
  below.loop = of_top != nullptr && mount.major == of_top->major && mount.minor == of_top->minor &&
               path_within(top_within, below.root);
}

}  // namespace

void look_at_mounts(Tree& tree, std::string_view mountinfo) {
  if (tree.real_path.empty()) return;
  std::optional<MountEntry> of_top, of_root;
  size_t longest = 0;
  MountReader reader(mountinfo);
  while (auto mount = reader.next()) {
    const std::string target = unescape(mount->target);
    if (target == "/") of_root = mount;
    // The last one at the longest way is on top.
    if (path_within(tree.real_path, target) && target.size() >= longest) {
      longest = target.size();
      of_top = mount;
    }
  }
  std::string top_within;
  if (of_top) {
    tree.mount_target = unescape(of_top->target);
    tree.mount_options = std::string(of_top->options);
    tree.mount_type = unescape(of_top->fstype);
    tree.mount_super = unescape(of_top->super_options);
    top_within = within_file_system(*of_top, tree.real_path);
    tree.shares_host_root = of_root && of_top->major == of_root->major && of_top->minor == of_root->minor;
  }
  for (MountBelow& below : tree.mounts) {
    const std::string path = tree.real_path == "/" ? below.path : tree.real_path + below.path;
    if (auto mount = find_mount(mountinfo, path))
      fill(below, *mount, of_top ? &*of_top : nullptr, top_within);
  }
}

void look_above(Tree& tree, int top) {
  UniqueFd at(open_below(top, ".", O_RDONLY | O_DIRECTORY));
  struct stat here {};
  if (!at || fstat(at.get(), &here) != 0) return;
  for (unsigned level = 0; level < kMostAbove; ++level) {
    UniqueFd up(openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat st {};
    if (!up || fstat(up.get(), &st) != 0) return;
    if (st.st_dev == here.st_dev && st.st_ino == here.st_ino) return;  // it is its own: the host's root
    tree.above.push_back({real_path_of(up.get()), st.st_mode, st.st_uid, st.st_gid});
    here = st;
    at = std::move(up);
  }
}

void look_at_host_secrets(Tree& tree) {
  if (tree.real_path == "/") return;
  auto text = [](const char* path) { return read_file(path, kSmall).value_or(std::string()); };
  tree.host_shadow = text("/etc/shadow");
  tree.host_machine_id = text("/etc/machine-id");
  for (const char* kind : {"rsa", "dsa", "ecdsa", "ed25519"}) {
    std::string key = text(("/etc/ssh/ssh_host_" + std::string(kind) + "_key").c_str());
    if (!key.empty()) tree.host_keys.push_back(std::move(key));
  }
  for (const KnownFile& file : tree.files)
    for (const std::string& key : tree.host_keys)
      if (file.known == Known::HostKey && file.text == key) tree.same_keys.push_back(file.path);
}

void look_at_manifest(Tree& tree, bool contents) {
  if (tree.real_path.empty() || tree.real_path == "/") return;
  struct stat st {};
  if (lstat(rootfs::manifest_path(tree.real_path).c_str(), &st) != 0) return;
  auto refuse = [&tree](const Error& error) {
    tree.manifest = ManifestState::Refused;
    tree.manifest_why = error.what + (error.why.empty() ? "" : ": " + error.why);
  };
  auto manifest = rootfs::read_manifest(tree.real_path);
  if (!manifest) return refuse(manifest.error());
  tree.manifest = ManifestState::Read;
  for (const rootfs::ManifestEntry& entry : manifest->entries)
    if (entry.state) tree.states.push_back(entry.path);
  if (contents) {
    auto changed = rootfs::differences(*manifest, tree.real_path);
    if (!changed) return refuse(changed.error());
    tree.changed = std::move(*changed);
  }
  auto source = rootfs::Source::open(manifest->recipe.source_root);
  if (!source) return;
  auto stale = rootfs::stale(*manifest, *source);
  if (stale) tree.stale = std::move(*stale);
}

}  // namespace immure::audit

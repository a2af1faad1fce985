#include "audit/facts/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <thread>

#include "audit/facts/tree_around.h"
#include "audit/facts/tree_links.h"
#include "audit/facts/tree_look.h"
#include "audit/facts/tree_sockets.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr unsigned kMostThreads = 4, kMostAsked = 64;
constexpr size_t kMountTable = 64u << 20;

unsigned threads_of(const TreeWish& wish) {
  if (wish.threads != 0) return std::min(wish.threads, kMostAsked);
  return std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
}

void look_through(Tree& tree, int top, unsigned threads, int64_t now) {
  KeptNames names;
  std::vector<std::unique_ptr<Visitor>> lookers;
  for (unsigned at = 0; at < threads; ++at)
    lookers.push_back(std::make_unique<Looker>(names, top, tree.top_uid, tree.top_gid, now));
  const WalkCounts counts = walk_tree(top, lookers);
  tree.names = counts.names;
  tree.folders = counts.folders;
  LinkTable links;
  for (auto& visitor : lookers) {
    auto& looker = static_cast<Looker&>(*visitor);
    looker.give(tree);
    links.join(looker.links);
  }
  links.surplus(names, tree);
  auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
  std::sort(tree.notes.begin(), tree.notes.end(), by_path);
  std::sort(tree.files.begin(), tree.files.end(), by_path);
  std::sort(tree.mounts.begin(), tree.mounts.end(), by_path);
}

}  // namespace

bool Tree::is_no_root() const {
  // What could not be looked at, or is mounted, may hold one.
  return programs == 0 && unreadable == 0 && vanished == 0 && mounts.empty();
}

bool Tree::has(Known known) const {
  return file(known) != nullptr ||
         std::any_of(notes.begin(), notes.end(), [known](const Note& note) { return note.known == known; });
}

const KnownFile* Tree::file(Known known) const {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [known](const KnownFile& file) { return file.known == known; });
  return found == files.end() ? nullptr : &*found;
}

Result<Tree> look_at_tree(const std::string& folder, const TreeWish& wish) {
  auto refused = [&folder](int error) {
    return fail(Code::kBadRoot, quoted(folder) + " cannot be audited", {},
                error == ENOTDIR ? "name the folder that is the root" : "", {}, error);
  };
  UniqueFd top(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!top) return refused(errno);
  struct stat st {};
  if (fstat(top.get(), &st) != 0) return refused(errno);
  Tree tree;
  tree.path = folder;
  tree.caller = geteuid();
  tree.top_mode = st.st_mode;
  tree.top_uid = st.st_uid;
  tree.top_gid = st.st_gid;
  tree.top_device = uint64_t{major(st.st_dev)} << 32 | minor(st.st_dev);
  tree.top_inode = st.st_ino;
  char real[4096];
  const std::string link = "/proc/self/fd/" + num_signed(top.get());
  if (const ssize_t size = readlink(link.c_str(), real, sizeof real); size > 0)
    tree.real_path.assign(real, static_cast<size_t>(size));
  // In another mount namespace the name means something else, or nothing.
  struct stat named {};
  if (stat(tree.real_path.c_str(), &named) != 0 || named.st_dev != st.st_dev || named.st_ino != st.st_ino)
    tree.real_path.clear();
  const unsigned threads = threads_of(wish);
  look_through(tree, top.get(), threads, wish.now != 0 ? wish.now : time(nullptr));
  const std::string mountinfo = read_file("/proc/self/mountinfo", kMountTable).value_or(std::string());
  look_at_mounts(tree, mountinfo);
  look_above(tree, top.get());
  look_at_sockets(tree);
  look_at_host_secrets(tree);
  look_at_manifest(tree, wish.contents);
  if (wish.find_partners) find_partners(top.get(), tree, mountinfo, threads);
  return tree;
}

}  // namespace immure::audit

#include "audit/mend/survey.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <set>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/tree.h"

namespace immure::audit::mend {
namespace {

struct Close {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, Close>;
// Inode → every name that it has in the tree.
using Names = std::map<uint64_t, std::set<std::string>>;

struct Group {
  Node node;
  Mends mends;
  std::set<std::string> names;
  std::vector<const Rule*> rules;
};

Folder open_folder(int root, const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
  const char* relative = rootfs::relative_to_top(path);
  int fd = rootfs::open_within(root, relative, kFlags | O_NOATIME);
  if (fd == -EPERM) fd = rootfs::open_within(root, relative, kFlags);  // another one's folder
  if (fd < 0) return nullptr;
  DIR* opened = fdopendir(fd);
  if (opened == nullptr) close(fd);
  return Folder(opened);
}

// Every name in the tree, but for what cannot be read, to `take`: its path, folder, and readdir's word on it.
// True from `take`: it is a folder to go into.
template <class Take>
void each_name(const Root& root, Take&& take) {
  std::vector<std::string> folders = {"/"};
  while (!folders.empty()) {
    const std::string path = folders.back();
    folders.pop_back();
    const std::string above = path == "/" ? path : path + "/";
    Folder folder = open_folder(root.fd(), path);
    while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string full = above + std::string(name);
      if (take(full, dirfd(folder.get()), *entry)) folders.push_back(full);
    }
  }
}

bool stat_name(int folder, const char* name, struct stat& st) {
  return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
}

// Adds the names that those inodes have anywhere in the tree. A name that cannot be seen keeps the file as it
// is, as if it were outside.
void find_names(const Root& root, Names& wanted) {
  each_name(root, [&](const std::string& path, int folder, const dirent& entry) {
    if (entry.d_type != DT_UNKNOWN && !wanted.contains(entry.d_ino)) return entry.d_type == DT_DIR;
    struct stat st {};
    if (!stat_name(folder, entry.d_name, st)) return false;
    auto found = S_ISDIR(st.st_mode) ? wanted.end() : wanted.find(st.st_ino);
    if (found != wanted.end()) found->second.insert(path);
    return S_ISDIR(st.st_mode);
  });
}

void add_rules(std::vector<const Rule*>& all, const std::vector<const Rule*>& more) {
  for (const Rule* rule : more)
    if (std::find(all.begin(), all.end(), rule) == all.end()) all.push_back(rule);
}

// A wish for all that somebody owns becomes one for each.
std::vector<Wish> spread(const Root& root, const Plan& plan) {
  std::map<std::string, Wish> all;
  std::map<uint32_t, const Wish*> owners;
  for (const Wish& wish : plan.wishes) {
    all[wish.path] = wish;
    if (wish.all_of) owners[*wish.all_of] = &wish;
  }
  if (!owners.empty()) {
    each_name(root, [&](const std::string& path, int folder, const dirent& entry) {
      struct stat st {};
      if (!stat_name(folder, entry.d_name, st)) return false;
      if (auto known = owners.find(st.st_uid); known != owners.end()) {
        Wish& wish = all[path];
        wish.path = path;
        wish.mends.add(known->second->mends);
        add_rules(wish.rules, known->second->rules);
      }
      return S_ISDIR(st.st_mode);
    });
  }
  std::vector<Wish> wishes;
  for (auto& [path, wish] : all) wishes.push_back(std::move(wish));
  return wishes;
}

Step refused(const Wish& wish, std::string why) {
  Step step;
  step.names = {wish.path};
  step.rules = wish.rules;
  step.change.act = Act::Refuse;
  step.change.why = std::move(why);
  return step;
}

std::string reason_of(const Error& error) {
  if (!error.why.empty()) return error.why;
  return error.sys_errno == 0 ? error.what : errno_text(error.sys_errno);
}

Step step_of(Group&& group, uint64_t names, uint32_t keeper) {
  Step step;
  step.change = decide(group.node, group.mends, names, keeper);
  step.names.assign(group.names.begin(), group.names.end());
  step.before = std::move(group.node);
  step.rules = std::move(group.rules);
  return step;
}

}  // namespace

Result<std::vector<Step>> survey(const Root& root, const Plan& plan) {
  std::vector<Step> steps;
  std::vector<Group> alone;
  std::map<uint64_t, Group> several;  // by inode
  Names names;
  for (const Wish& wish : spread(root, plan)) {
    auto spot = root.find(wish.path);
    if (!spot) {
      steps.push_back(refused(wish, reason_of(spot.error())));
      continue;
    }
    if (!spot->file) {
      steps.push_back(refused(wish, "it is gone"));
      continue;
    }
    auto node = look(spot->file.get(), wish.path);
    if (!node) {
      steps.push_back(refused(wish, reason_of(node.error())));
      continue;
    }
    const bool counts = !S_ISDIR(node->mode) && node->links > 1 && !wish.mends.has(Mend::Quarantine);
    if (!counts) {
      alone.push_back({std::move(*node), wish.mends, {wish.path}, wish.rules});
      continue;
    }
    Group& group = several[node->inode];
    names[node->inode].insert(wish.path);
    group.mends.add(wish.mends);
    add_rules(group.rules, wish.rules);
    group.node = std::move(*node);
  }
  if (!names.empty()) find_names(root, names);
  for (Group& group : alone) steps.push_back(step_of(std::move(group), 1, root.node().uid));
  for (auto& [inode, group] : several) {
    group.names = std::move(names[inode]);
    const uint64_t inside = group.names.size();
    steps.push_back(step_of(std::move(group), inside, root.node().uid));
  }
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    const bool one = S_ISDIR(a.before.mode), other = S_ISDIR(b.before.mode);
    return one != other ? one : a.names.front() < b.names.front();
  });
  return steps;
}

std::vector<int> processes_in(const Root& root) {
  std::vector<int> found;
  struct statx own {};
  Folder proc(opendir("/proc"));
  if (!proc || statx(root.fd(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &own) != 0) return found;
  while (const dirent* entry = readdir(proc.get())) {
    auto pid = parse_u64(entry->d_name);
    if (!pid || *pid == static_cast<uint64_t>(getpid())) continue;
    struct statx st {};
    // Through the process's own root: the same folder, however it is mounted. One below it by its path. A
    // file system of the process's own is asked nothing, since it might never answer.
    const std::string its = "/proc/" + num(*pid) + "/root";
    char path[4096];
    const ssize_t size = readlink(its.c_str(), path, sizeof path);
    const bool below = size > 0 && path_within({path, static_cast<size_t>(size)}, root.path());
    UniqueFd fd(open(its.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    constexpr int kFlags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
    const bool same = fd && statx(fd.get(), "", kFlags, STATX_BASIC_STATS, &st) == 0 &&
                      st.stx_dev_major == own.stx_dev_major && st.stx_dev_minor == own.stx_dev_minor &&
                      st.stx_ino == own.stx_ino;
    if (below || same) found.push_back(static_cast<int>(*pid));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace immure::audit::mend

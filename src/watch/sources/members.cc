#include "watch/sources/members.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "kernel/proc.h"

namespace immure::watch {
namespace {

struct Found {
  int32_t pid = 0, parent = 0;
  uint64_t began = 0;
};

std::optional<Found> look(int32_t pid) {
  std::array<char, 1024> text;
  const auto stat = parse_stat(read_view(("/proc/" + std::to_string(pid) + "/stat").c_str(), text));
  if (!stat) return std::nullopt;
  return Found{pid, stat->ppid, stat->start_ticks};
}

std::vector<Found> processes() {
  std::vector<Found> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (folder == nullptr) return all;
  while (const dirent* entry = readdir(folder.get())) {
    int32_t pid = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    if (const auto read = std::from_chars(entry->d_name, end, pid); read.ptr != end || pid <= 0) continue;
    if (const std::optional<Found> found = look(pid)) all.push_back(*found);
  }
  return all;
}

using Set = std::unordered_set<int32_t>;

// Adds to `set` whose parent is in it, until nobody is added.
void close_over(const std::vector<Found>& all, Set& set) {
  for (size_t before = 0; before != set.size();) {
    before = set.size();
    for (const Found& one : all)
      if (set.contains(one.parent)) set.insert(one.pid);
  }
}

}  // namespace

std::vector<int32_t> tree_of(int32_t pid) {
  Set set{pid};
  close_over(processes(), set);
  return {set.begin(), set.end()};
}

bool is_still(const Met& one) {
  const std::optional<Found> now = look(one.pid);
  return now && now->began == one.began;
}

void each_member(const Target& target, const std::function<bool(const Met&)>& add) {
  constexpr int kMostLooks = 64;  // who forks faster than that has children which the kernel's side adds
  const uint64_t jail = target.init > 0 ? ns_inode(target.init, "pid") : 0;
  const bool own = jail != 0 && jail != ns_inode(0, "pid");
  for (int look = 0; look < kMostLooks; look++) {
    const std::vector<Found> all = processes();
    Set mine{getpid()}, wanted(target.roots.begin(), target.roots.end());
    close_over(all, mine);
    // Unless it is just what is to be watched: a command that the caller started for that.
    Set meant;
    for (int32_t root : target.roots)
      if (root != getpid() && mine.contains(root)) meant.insert(root);
    close_over(all, meant);
    for (int32_t pid : meant) mine.erase(pid);
    if (target.init > 0) wanted.insert(target.init);
    // Who entered the jail's namespace has a parent outside.
    if (own)
      for (const Found& one : all)
        if (ns_inode(one.pid, "pid") == jail) wanted.insert(one.pid);
    close_over(all, wanted);
    bool more = look == 0;
    for (const Found& one : all)
      if (wanted.contains(one.pid) && !mine.contains(one.pid) && add({one.pid, one.began})) more = true;
    if (!more) return;
  }
}

}  // namespace immure::watch

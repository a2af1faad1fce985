#include "kernel/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

uint64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * kSecond + static_cast<uint64_t>(t.tv_nsec);
}

// Waits a little more each time: dying members are usually gone within a millisecond.
void pause_ns(uint64_t nanos) {
  timespec t{static_cast<time_t>(nanos / kSecond), static_cast<long>(nanos % kSecond)};
  nanosleep(&t, nullptr);
}

bool unified(const CgroupRef& group) { return group.controller == "unified"; }

std::string file_of(std::string_view path, const char* file) {
  std::string out(path);
  out += '/';
  return out += file;
}

tl::unexpected<Error> cannot(std::string_view verb, std::string_view path, int err, std::string how = {}) {
  return fail(Code::kSystem, "cannot " + std::string(verb) + " the control group " + quoted(path), {},
              std::move(how), {}, err);
}

Status write_text(const std::string& file, std::string_view group, std::string_view value) {
  long fd = sys::open(AT_FDCWD, file.c_str(), O_WRONLY | O_CLOEXEC);
  long n = fd;
  if (!sys::failed(fd)) {
    n = sys::write(static_cast<int>(fd), value.data(), value.size());
    sys::close(static_cast<int>(fd));
  }
  if (!sys::failed(n)) return {};
  Error error = cannot("set up", group, static_cast<int>(-n)).value();
  error.why = "writing " + quoted(value) + " to " + quoted(file);
  return tl::unexpected<Error>(std::move(error));
}

// SIGKILL to the members that are listed now; how many there were.
int kill_members(std::string_view path) {
  char buffer[8192];
  std::string file = file_of(path, "cgroup.procs");
  std::string_view text = read_view(file.c_str(), buffer), line;
  // A number that was cut off by the end of the buffer would be another process's.
  if (text.size() == sizeof buffer) text = text.substr(0, text.rfind('\n') + 1);
  int members = 0;
  while (next_line(text, line)) {
    auto pid = parse_u64(line);
    if (!pid || *pid == 0) continue;
    members++;
    sys::call(__NR_kill, static_cast<long>(*pid), SIGKILL);
  }
  return members;
}

// Names of the groups below a directory.
std::vector<std::string> children(const std::string& path) {
  std::vector<std::string> out;
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) return out;
  while (dirent* entry = readdir(dir)) {
    std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") out.emplace_back(name);
  }
  closedir(dir);
  return out;
}

Status remove_tree(const CgroupRef& group, bool kill, uint64_t deadline, int depth) {
  std::string path(group.path);
  uint64_t wait = 50'000;
  for (;;) {
    if (rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
    if (errno != EBUSY && errno != ENOTEMPTY) return cannot("remove", path, errno);
    // A cgroup namespace inside may have made groups of its own; 32 levels are more than anybody nests.
    if (depth < 32)
      for (const std::string& name : children(path)) {
        std::string below = path + "/" + name;
        IMMURE_TRY(remove_tree({below, group.controller}, kill, deadline, depth + 1));
      }
    if (kill) kill_members(path);
    if (now() >= deadline)
      return cannot("remove", path, EBUSY, "processes are left in it: see cgroup.procs there");
    pause_ns(wait);
    if (wait < 20'000'000) wait *= 2;
  }
}

}  // namespace

Status make_group(const std::string& path) {
  if (mkdir(path.c_str(), 0755) == 0) return {};
  return cannot("make", path, errno);
}

Status write_group(const std::string& path, const char* file, std::string_view value) {
  return write_text(file_of(path, file), path, value);
}

Status enable_controllers(const std::string& path, std::span<const std::string> controllers) {
  std::string value;
  for (const std::string& name : controllers) value += (value.empty() ? "+" : " +") + name;
  if (value.empty()) return {};
  Status status = write_group(path, "cgroup.subtree_control", value);
  if (!status && status.error().sys_errno == EBUSY)
    status.error().how = "the group holds processes itself: start immure in a scope of its own";
  return status;
}

Status cgroup_enter_leaf(const std::string& path, const char* leaf) {
  std::string below = path + "/" + leaf;
  if (mkdir(below.c_str(), 0755) != 0 && errno != EEXIST) return cannot("make", below, errno);
  return write_group(below, "cgroup.procs", "0");
}

std::optional<bool> populated(const CgroupRef& group) {
  char buffer[256];
  if (unified(group)) {
    std::string file = file_of(group.path, "cgroup.events");
    std::string_view text = read_view(file.c_str(), buffer);
    if (auto value = flat_value(text, "populated")) return *value != 0;
  }
  // v1, or the root of the unified tree, which has no events.
  std::string file = file_of(group.path, "cgroup.procs");
  long n = read_small(AT_FDCWD, file.c_str(), buffer);
  if (sys::failed(n)) return std::nullopt;
  if (n > 0) return true;
  for (const std::string& name : children(std::string(group.path))) {
    std::string below = std::string(group.path) + "/" + name;
    if (populated({below, group.controller}).value_or(false)) return true;
  }
  return false;
}

Status freeze(const CgroupRef& group, bool frozen, uint64_t timeout_ns) {
  std::string path(group.path);
  bool v2 = unified(group);
  const char* file = v2 ? "cgroup.freeze" : "freezer.state";
  IMMURE_TRY(write_group(path, file, v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED")));
  std::string state = file_of(path, v2 ? "cgroup.events" : "freezer.state");
  uint64_t deadline = now() + timeout_ns, wait = 50'000;
  for (;;) {
    char buffer[256];
    std::string_view text = read_view(state.c_str(), buffer);
    bool is_frozen = v2 ? flat_value(text, "frozen").value_or(0) != 0 : text.starts_with("FROZEN");
    bool is_thawed = v2 ? !is_frozen : text.starts_with("THAWED");
    if (frozen ? is_frozen : is_thawed) return {};
    if (now() >= deadline) return cannot(frozen ? "freeze" : "thaw", path, ETIMEDOUT);
    pause_ns(wait);
    if (wait < 10'000'000) wait *= 2;
  }
}

Status kill_group(const CgroupRef& group) {
  std::string path(group.path);
  if (unified(group)) {
    Status status = write_group(path, "cgroup.kill", "1");
    if (status || status.error().sys_errno != ENOENT) return status;
    if (access(path.c_str(), F_OK) != 0) return {};
  }
  // Members fork while they are being read: again until a round finds none, with an end to it.
  for (int round = 0; round < 100; round++) {
    int members = kill_members(path);
    for (const std::string& name : children(path)) members += kill_members(path + "/" + name);
    if (members == 0) return {};
    pause_ns(1'000'000);
  }
  return cannot("end the processes of", path, EBUSY, "freeze the group first");
}

Status remove_group(const CgroupRef& group, bool kill, uint64_t timeout_ns) {
  if (kill && unified(group)) {
    Status status = kill_group(group);
    if (!status && status.error().sys_errno != ENOENT) return status;
  }
  return remove_tree(group, kill, now() + timeout_ns, 0);
}

}  // namespace immure

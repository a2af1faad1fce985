#include "support/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>

#include "support/command.h"
#include "support/files.h"

namespace immure::test {
namespace {

// All descendants of this process: immure ends in `wait`, so that a child that is still here was left.
void add_processes(std::vector<std::string>& things) {
  const std::string self = std::to_string(getpid());
  for (const std::string& task : list_dir("/proc/self/task")) {
    std::string children = read_file("/proc/self/task/" + task + "/children");
    for (size_t from = 0; from < children.size();) {
      size_t end = std::min(children.find(' ', from), children.size());
      std::string pid = children.substr(from, end - from);
      from = end + 1;
      if (pid.empty() || pid == "\n") continue;
      // One that has ended and was handed to this process is only waited for, it is not left.
      int status = 0;
      std::string state = read_file("/proc/" + pid + "/stat");
      size_t after = state.rfind(')');
      bool zombie = after != std::string::npos && after + 2 < state.size() && state[after + 2] == 'Z';
      if (zombie && waitpid(std::atoi(pid.c_str()), &status, WNOHANG) > 0) continue;
      std::string name = read_file("/proc/" + pid + "/comm");
      while (!name.empty() && name.back() == '\n') name.pop_back();
      things.push_back("process " + pid + " (" + name + ")");
    }
  }
}

void add_mounts(std::vector<std::string>& things) {
  for (const std::string& line : lines_of(read_file("/proc/self/mountinfo"))) {
    // Fields 4 and 5 are root and mount point.
    size_t at = 0;
    for (int i = 0; i < 3; ++i) at = line.find(' ', at) + 1;
    things.push_back("mount " + line.substr(at, line.find(' ', line.find(' ', at) + 1) - at));
  }
}

void add_folders(const std::string& path, int depth, std::vector<std::string>& things) {
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    std::string name = entry->d_name;
    if (entry->d_type != DT_DIR || name == "." || name == "..") continue;
    if (name.find(name_mark()) != std::string::npos) things.push_back("cgroup " + path + "/" + name);
    if (depth > 0) add_folders(path + "/" + name, depth - 1, things);
  }
  closedir(dir);
}

void add_files(const std::string& path, std::vector<std::string>& things) {
  for (const std::string& name : list_dir(path)) {
    // A test's own TempDir goes when the test ends, which is after the look.
    if (name.rfind("immure-test.", 0) != 0) things.push_back("file " + path + "/" + name);
  }
}

}  // namespace

std::string name_mark() {
  static const std::string mark = "test-" + std::to_string(getpid()) + "-";
  return mark;
}

std::string state_dir() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (geteuid() == 0 || runtime == nullptr) return "/run/immure";
  return std::string(runtime) + "/immure";
}

std::vector<std::string> host_things() {
  std::vector<std::string> things;
  add_processes(things);
  add_mounts(things);
  add_folders("/sys/fs/cgroup", 5, things);
  for (const std::string& name : list_dir(state_dir())) {
    if (name.find(name_mark()) != std::string::npos) things.push_back("file " + state_dir() + "/" + name);
  }
  const char* temporary = std::getenv("TMPDIR");
  if (temporary != nullptr) add_files(temporary, things);
  std::sort(things.begin(), things.end());
  return things;
}

Leftovers::Leftovers() : before_(host_things()) {}

std::string Leftovers::since(double seconds) const {
  std::vector<std::string> now;
  auto gone = [&] {
    std::vector<std::string> after = host_things();
    now.clear();
    std::set_difference(after.begin(), after.end(), before_.begin(), before_.end(), std::back_inserter(now));
    return now.empty();
  };
  if (eventually(gone, seconds)) return "";
  std::string text;
  for (const std::string& thing : now) text += thing + "\n";
  return text;
}

void Leftovers::end_processes() const {
  for (const std::string& thing : host_things()) {
    const bool is_new = !std::binary_search(before_.begin(), before_.end(), thing);
    if (is_new && thing.rfind("process ", 0) == 0) kill(std::atoi(thing.c_str() + 8), SIGKILL);
  }
}

void Leftovers::clear() const {
  end_processes();
  (void)since();   // until they have gone
  for (const std::string& thing : host_things()) {
    if (std::binary_search(before_.begin(), before_.end(), thing)) continue;
    const std::string path = thing.substr(thing.find(' ') + 1);
    if (thing.rfind("cgroup ", 0) == 0) rmdir(path.c_str());
    if (thing.rfind("file ", 0) == 0) unlink(path.c_str());
  }
}

}  // namespace immure::test

// What tells the probes of the host they are on.
#include <fcntl.h>
#include <net/if.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "base/file.h"
#include "base/text.h"
#include "prove/planting.h"

namespace immure::prove {
namespace {

std::string first_line(const std::string& path) {
  auto text = read_file(path, 1U << 16);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

std::string all_namespaces() {
  std::string out;
  for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    char target[64] = {};
    if (readlink((std::string("/proc/self/ns/") + name).c_str(), target, sizeof target - 1) <= 0) continue;
    out += (out.empty() ? "" : " ") + std::string(target);
  }
  return out;
}

bool is_up(const std::string& interface) {
  return first_line("/sys/class/net/" + interface + "/operstate") == "up";
}

// The name of a network interface besides lo, one that is up if there is one.
std::string an_interface() {
  std::string found;
  struct if_nameindex* all = if_nameindex();
  for (auto* one = all; one != nullptr && one->if_index != 0; ++one) {
    if (std::strcmp(one->if_name, "lo") == 0) continue;
    if (found.empty() || is_up(one->if_name)) found = one->if_name;
  }
  if_freenameindex(all);
  return found;
}

// An account that no jail would make up: neither root nor one of those that every system has.
std::string an_account() {
  auto text = read_file("/etc/passwd", 1U << 20);
  if (!text) return {};
  for (std::string_view line : split(*text, '\n')) {
    std::vector<std::string_view> parts = split(line, ':');
    if (parts.size() < 3) continue;
    auto uid = parse_u64(parts[2]);
    if (uid && *uid >= 1000 && *uid < 60000) return std::string(parts[0]);
  }
  return {};
}

// Aliases of socket families for which the kernel would load a module that is not there yet.
std::string unloaded_families(const std::string& release) {
  auto aliases = read_file("/lib/modules/" + release + "/modules.alias", 8U << 20);
  if (!aliases) return {};
  auto loaded = read_file("/proc/modules", 1U << 20);
  const std::string modules = "\n" + (loaded ? *loaded : std::string());
  std::string out;
  for (std::string_view line : split(*aliases, '\n')) {
    std::vector<std::string_view> words = split(line, ' ');
    if (words.size() != 3 || words[0] != "alias" || !words[1].starts_with("net-pf-")) continue;
    if (modules.find("\n" + std::string(words[2]) + " ") == std::string::npos)
      out += (out.empty() ? "" : " ") + std::string(words[1]);
  }
  return out;
}

// What open_by_handle_at(2) takes for a folder: TYPE:HEX, or nothing where its file system has no such
// handles.
std::string handle_of(const char* path) {
  alignas(file_handle) unsigned char space[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(space);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (name_to_handle_at(AT_FDCWD, path, handle, &mount, 0) != 0) return {};
  std::string out = num_signed(handle->handle_type) + ":";
  for (unsigned i = 0; i < handle->handle_bytes; ++i) {
    out += "0123456789abcdef"[space[sizeof(file_handle) + i] >> 4];
    out += "0123456789abcdef"[space[sizeof(file_handle) + i] & 15];
  }
  return out;
}

}  // namespace

void add_host_facts(std::vector<std::string>& facts, const std::string& yard) {
  auto fact = [&](const char* key, const std::string& value) {
    if (!value.empty()) facts.push_back(std::string(key) + "=" + value);
  };
  utsname name{};
  uname(&name);
  struct stat st {};
  stat(yard.c_str(), &st);
  timespec now{}, up{};
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_BOOTTIME, &up);
  const passwd* user = getpwuid(geteuid());
  fact("host_name", name.nodename);
  fact("boot_id", first_line("/proc/sys/kernel/random/boot_id"));
  fact("machine_id", first_line("/etc/machine-id"));
  fact("namespaces", all_namespaces());
  fact("user_name", user == nullptr ? "" : user->pw_name);
  fact("interface", an_interface());
  fact("account", an_account());
  fact("unloaded", unloaded_families(name.release));
  fact("cgroup", first_line("/proc/self/cgroup"));
  fact("boot_time", num_signed(now.tv_sec - up.tv_sec));
  fact("uid", num(geteuid()));
  fact("device", num(st.st_dev));
  fact("inode", num(st.st_ino));
  fact("handle", handle_of(yard.c_str()));
  fact("handle_top", handle_of("/"));
}

}  // namespace immure::prove

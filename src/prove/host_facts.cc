// What tells the probes of the host they are on.
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

// The name of a network interface besides lo.
std::string an_interface() {
  std::string found;
  struct if_nameindex* all = if_nameindex();
  for (auto* one = all; one != nullptr && one->if_index != 0 && found.empty(); ++one)
    if (std::strcmp(one->if_name, "lo") != 0) found = one->if_name;
  if_freenameindex(all);
  return found;
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
  fact("cgroup", first_line("/proc/self/cgroup"));
  fact("boot_time", num_signed(now.tv_sec - up.tv_sec));
  fact("uid", num(geteuid()));
  fact("device", num(st.st_dev));
  fact("inode", num(st.st_ino));
}

}  // namespace immure::prove

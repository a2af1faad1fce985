#include "run/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

Status put(const std::string& path, const std::string& text) {
  long fd = sys::open(AT_FDCWD, path.c_str(), O_WRONLY | O_CLOEXEC);
  long n = fd < 0 ? fd : sys::write(static_cast<int>(fd), text.data(), text.size());
  if (fd >= 0) sys::close(static_cast<int>(fd));
  if (n >= 0) return {};
  return fail(Code::kIds, "the id map of the jail cannot be written", quoted(path),
              n == -EPERM || n == -EACCES ? "immure doctor says what forbids it on this host" : "", {},
              static_cast<int>(-n));
}

std::string lines(const std::vector<IdMap>& map) {
  std::string text;
  for (const IdMap& entry : map) text += num(entry.inside) + " " + num(entry.outside) + " " + num(entry.count) + "\n";
  return text;
}

// The child shares this memory until it has started the program, and does nothing else.
pid_t start(const char* program, char* const* arguments) {
  pid_t child = vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (child != 0) return child;
  execv(program, arguments);
  _exit(127);
}

// The helpers of the uidmap package are set-id programs that look the range up in /etc/subuid themselves.
Status by_helper(const char* helper, int pid, const std::vector<IdMap>& map) {
  std::vector<std::string> words = {helper, num(static_cast<uint64_t>(pid))};
  for (const IdMap& entry : map)
    for (uint32_t value : {entry.inside, entry.outside, entry.count}) words.push_back(num(value));
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string path = std::string("/usr/bin/") + helper;
  pid_t child = start(path.c_str(), argv.data());
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
    return fail(Code::kIds, std::string(helper) + " did not map the ids", 
                WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "it is not installed" : "it refused, see its message above",
                "apt-get install uidmap; the range must stand in /etc/subuid and /etc/subgid");
  return {};
}

}  // namespace

Status write_maps(const Plan& plan, int pid) {
  if (plan.uid_map.empty()) return {};
  std::string proc = "/proc/" + num(static_cast<uint64_t>(pid));
  if (plan.map_by_helper) {
    IMMURE_TRY(by_helper("newuidmap", pid, plan.uid_map));
    return by_helper("newgidmap", pid, plan.gid_map);
  }
  if (plan.deny_setgroups) IMMURE_TRY(put(proc + "/setgroups", "deny"));
  IMMURE_TRY(put(proc + "/gid_map", lines(plan.gid_map)));
  return put(proc + "/uid_map", lines(plan.uid_map));
}

}  // namespace immure::run

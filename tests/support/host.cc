#include "support/host.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "support/files.h"

namespace immure::test {
namespace {

// Tried in a child, so that nothing of it stays. The child's exit status is errno.
int errno_in_child(const std::function<long()>& call) {
  pid_t child = fork();
  if (child == 0) _exit(call() < 0 ? errno : 0);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
}

Can when(bool yes, std::string reason) { return yes ? Can{} : Can{false, std::move(reason)}; }

bool holds_line_with(const std::string& path, std::string_view word) {
  return read_file(path).find(word) != std::string::npos;
}

}  // namespace

bool is_root() { return geteuid() == 0; }
Can can_be_root() { return when(is_root(), "needs root"); }
Can can_be_user() { return when(!is_root(), "is about an ordinary user; this is root"); }

Can can_make_user_namespaces() {
  int failed = errno_in_child([] { return unshare(CLONE_NEWUSER | CLONE_NEWNS); });
  return when(failed == 0, std::string("user namespaces cannot be made here: ") + strerrorname_np(failed));
}

Can can_make_nodes() {
  TempDir dir;
  int failed = errno_in_child([&] { return mknod((dir / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)); });
  return when(failed == 0, std::string("device nodes cannot be made here: ") + strerrorname_np(failed));
}

Can can_use_controller(const char* name) {
  if (holds_line_with("/sys/fs/cgroup/cgroup.controllers", name)) {
    if (is_root()) return {};
    // A delegated group is one that this user may write to.
    std::string own = read_file("/proc/self/cgroup");
    size_t at = own.find("0::");
    std::string path = at == std::string::npos ? "" : own.substr(at + 3, own.find('\n', at) - at - 3);
    return when(access(("/sys/fs/cgroup" + path + "/cgroup.procs").c_str(), W_OK) == 0,
                "no cgroup is delegated to this user");
  }
  std::string directory = std::string("/sys/fs/cgroup/") + name;
  if (!exists(directory)) return {false, std::string("the host has no cgroup controller ") + name};
  return when(access(directory.c_str(), W_OK) == 0, "no cgroup is delegated to this user");
}

Can can_have_cgroup_v2() { return when(exists("/sys/fs/cgroup/cgroup.controllers"), "this host is not pure cgroup v2"); }
Can can_have_cgroup_v1() { return when(exists("/sys/fs/cgroup/memory"), "this host has no cgroup v1 controllers"); }

int landlock_abi() {
  long abi = syscall(444 /* landlock_create_ruleset */, nullptr, 0, 1);
  return abi < 0 ? 0 : static_cast<int>(abi);
}
Can can_use_landlock(int least_abi) {
  return when(landlock_abi() >= least_abi,
              "Landlock ABI " + std::to_string(landlock_abi()) + ", and " + std::to_string(least_abi) + " is needed");
}

// tmpfs learnt it with 6.3, others long before.
Can can_map_owners(const std::string& folder) {
  struct statfs fs {};
  struct utsname kernel {};
  int major = 0, minor = 0;
  bool known = statfs(folder.c_str(), &fs) == 0 && uname(&kernel) == 0 && std::sscanf(kernel.release, "%d.%d", &major, &minor) == 2;
  bool old_tmpfs = known && fs.f_type == TMPFS_MAGIC && (major < 6 || (major == 6 && minor < 3));
  return when(!old_tmpfs || geteuid() != 0, "the kernel's tmpfs, where the tests' folders are, takes no mapped ids (6.3 does)");
}

Can can_map_ranges() {
  if (Can can = can_run("newuidmap"); !can.yes) return can;
  const std::string uid = std::to_string(geteuid()) + ":";
  std::string name;
  for (const std::string& line : lines_of(read_file("/etc/passwd"))) {
    size_t second = line.find(':');
    if (second != std::string::npos && line.compare(second, 3 + uid.size(), ":x:" + uid) == 0) name = line.substr(0, second);
  }
  for (const std::string& line : lines_of(read_file("/etc/subuid"))) {
    if ((!name.empty() && line.rfind(name + ":", 0) == 0) || line.rfind(uid, 0) == 0) return {};
  }
  return {false, "/etc/subuid grants this user no range"};
}

Can can_use_overlay() { return when(holds_line_with("/proc/filesystems", "\toverlay"), "the kernel has no overlayfs"); }

// They came with open_tree_attr(2).
Can can_stack_descriptors() {
  return when(syscall(467 /* open_tree_attr */, -1, nullptr, 0, nullptr, 0) != -1 || errno != ENOSYS,
              "layers of an overlay by descriptor came with Linux 6.15");
}

Can has_memfd_noexec() {
  return when(is_root() && exists("/proc/sys/vm/memfd_noexec"),
              "vm.memfd_noexec is there for root alone, from Linux 6.3 on");
}

Can can_run(const char* program) {
  const char* path = std::getenv("PATH");
  std::string all = path != nullptr ? path : "/usr/bin:/bin";
  for (size_t from = 0; from <= all.size();) {
    size_t end = std::min(all.find(':', from), all.size());
    if (access((all.substr(from, end - from) + "/" + program).c_str(), X_OK) == 0) return {};
    from = end + 1;
  }
  return {false, std::string(program) + " is not installed"};
}

Can can_run_32_bit_calls() {
  int failed = errno_in_child([] {
    int result = 20;  // getpid of i386
    asm volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    return result > 0 ? 0L : -1L;
  });
  return when(failed == 0, "the kernel has no 32-bit entry");
}

Can has_lsm(const char* name) {
  // securityfs need not be mounted: then the module's own files tell.
  if (holds_line_with("/sys/kernel/security/lsm", name)) return {};
  bool yama = std::strcmp(name, "yama") == 0 && exists("/proc/sys/kernel/yama");
  bool apparmor = std::strcmp(name, "apparmor") == 0 && holds_line_with("/sys/module/apparmor/parameters/enabled", "Y");
  return when(yama || apparmor, std::string("the kernel has no ") + name);
}

}  // namespace immure::test

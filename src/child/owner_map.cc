// A user namespace that only says who is who: a mount that is given it shows its owner's files as the jail's.
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>

#include "child/ops.h"
#include "uapi/kernel.h"

namespace immure::child {
namespace {

// Keeps the namespace until it is mapped and opened, and ends with the maker. Whoever has the maker's user id has all
// capabilities over it: so it is a copy that shares no memory with the maker, and holds nothing open.
[[noreturn]] void sleep_beside(long maker) {
  sys::call(__NR_close_range, 0, ~0U, 0);
  sys::call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
  while (sys::call(__NR_getppid) == maker) sys::call(__NR_pause);
  sys::exit_group(0);
}

long write_map(long pid, const char* name, const char* map) {
  char path[48];
  proc_path(path, pid, name);
  long fd = sys::open(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  long n = sys::write(static_cast<int>(fd), map, length(map));
  sys::close(static_cast<int>(fd));
  return n < 0 ? n : 0;
}

}  // namespace

long owner_map(const char* users, const char* groups) {
  long maker = sys::call(__NR_getpid);
  uapi::CloneArgs args{};
  args.flags = uapi::kCloneNewUser;
  long pid = sys::call(__NR_clone3, sys::arg(&args), sizeof args);
  if (pid == 0) sleep_beside(maker);
  if (pid < 0) return pid;
  long r = write_map(pid, "uid_map", users);
  if (r == 0) r = write_map(pid, "gid_map", groups);
  if (r == 0) {
    char path[48];
    proc_path(path, pid, "ns/user");
    r = sys::open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  }
  sys::call(__NR_kill, pid, SIGKILL);
  sys::call(__NR_wait4, pid, 0, 0x40000000 /* __WALL */, 0);
  return r;
}

}  // namespace immure::child

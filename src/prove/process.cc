#include "prove/process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/text.h"
#include "kernel/proc.h"

namespace immure::prove {
namespace {

struct NamespaceFlag {
  const char* name;
  int flag;
};
constexpr NamespaceFlag kNamespaces[] = {
    {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},       {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80},
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(125);
}

tl::unexpected<Error> cannot_read(pid_t pid, const std::string& what, int error = errno) {
  return fail(Code::kSystem, "process " + num_signed(pid) + " cannot be copied: " + what, {},
              error == EPERM || error == EACCES ? "run immure prove as root" : "", {}, error);
}

// An id of the caller's user namespace as the process's own has it; -1: it has no such id.
int64_t id_inside(const std::string& map, uint32_t outside) {
  for (std::string_view line : split(map, '\n')) {
    auto range = parse_id_map_line(line);
    if (range && outside >= range->outside && outside - range->outside < range->count)
      return int64_t{range->inside} + (outside - range->outside);
  }
  return -1;
}

}  // namespace

Result<std::shared_ptr<const LikeProcess>> LikeProcess::of(pid_t pid) {
  std::shared_ptr<LikeProcess> like(new LikeProcess);
  like->pid_ = pid;
  like->pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!like->pidfd_) return cannot_read(pid, "there is no such process");
  const std::string proc = "/proc/" + num_signed(pid) + "/";
  like->root_.reset(open((proc + "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!like->root_) return cannot_read(pid, "its root");
  for (const NamespaceFlag& one : kNamespaces) {
    const uint64_t theirs = ns_inode(pid, one.name);
    if (theirs == 0) continue;  // a kernel without that kind
    if (theirs != ns_inode(0, one.name)) like->flags_ |= one.flag;
  }
  IMMURE_TRY(like->read_status());
  IMMURE_TRY(like->read_filters());
  for (int i = 0; i < RLIM_NLIMITS; ++i)
    if (prlimit(pid, static_cast<__rlimit_resource>(i), nullptr, &like->limits_[i]) != 0)
      return cannot_read(pid, "its limits");
  // All of this was read by its number. While the process of the descriptor is there, nobody else has that.
  if (syscall(SYS_pidfd_send_signal, like->pidfd_.get(), 0, nullptr, 0) != 0)
    return cannot_read(pid, "it ended meanwhile");
  return std::shared_ptr<const LikeProcess>(std::move(like));
}

Status LikeProcess::read_status() {
  const std::string proc = "/proc/" + num_signed(pid_) + "/";
  auto text = read_file(proc + "status", 1U << 16);
  auto uids = read_file(proc + "uid_map", 1U << 16), gids = read_file(proc + "gid_map", 1U << 16);
  if (!text || !uids || !gids) return cannot_read(pid_, "its status");
  const ProcStatus status = parse_status(*text);
  for (int i = 0; i < 3; ++i) {
    const int64_t uid = id_inside(*uids, status.uid[i]), gid = id_inside(*gids, status.gid[i]);
    if (uid < 0 || gid < 0)
      return cannot_read(pid_, "it has an id that its user namespace does not map", EINVAL);
    uid_[i] = static_cast<uid_t>(uid);
    gid_[i] = static_cast<gid_t>(gid);
  }
  for (std::string_view word : split(status.groups, ' ')) {
    auto number = parse_u64(word);
    const int64_t gid = number ? id_inside(*gids, static_cast<uint32_t>(*number)) : -1;
    if (gid >= 0) groups_.push_back(static_cast<gid_t>(gid));
  }
  permitted_ = status.cap_permitted;
  effective_ = status.cap_effective;
  inheritable_ = status.cap_inheritable;
  bounding_ = status.cap_bounding;
  no_new_privs_ = status.no_new_privs == 1;
  if (status.umask >= 0) umask_ = static_cast<mode_t>(status.umask);
  if (status.seccomp == 1)
    return cannot_read(pid_, "it is in seccomp's strict mode, where nothing can be started", EINVAL);
  return {};
}

Status LikeProcess::read_filters() {
  const std::string proc = "/proc/" + num_signed(pid_) + "/status";
  auto text = read_file(proc, 1U << 16);
  if (!text) return cannot_read(pid_, "its status");
  if (parse_status(*text).seccomp != 2) return {};
  if (ptrace(PTRACE_SEIZE, pid_, nullptr, nullptr) != 0) return cannot_read(pid_, "its system call filter");
  int error = 0, status = 0;
  if (ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) != 0 || waitpid(pid_, &status, __WALL) < 0)
    error = errno;
  for (unsigned long i = 0; error == 0; ++i) {  // the oldest is number 0
    const long length = ptrace(static_cast<__ptrace_request>(PTRACE_SECCOMP_GET_FILTER), pid_, i, nullptr);
    if (length < 0 && errno == ENOENT && i > 0) break;
    if (length < 0) {
      error = errno;
      break;
    }
    std::vector<sock_filter> filter(static_cast<size_t>(length));
    if (ptrace(static_cast<__ptrace_request>(PTRACE_SECCOMP_GET_FILTER), pid_, i, filter.data()) < 0)
      error = errno;
    filters_.push_back(std::move(filter));
  }
  ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
  if (error != 0) return cannot_read(pid_, "its system call filter", error);
  return {};
}

void LikeProcess::enter() const {
  if (flags_ != 0 && setns(pidfd_.get(), flags_) != 0) give_up("entering its namespaces");
  if (fchdir(root_.get()) != 0 || chroot(".") != 0 || chdir("/") != 0) give_up("entering its root");
}

void LikeProcess::finish() const {
  for (int i = 0; i < RLIM_NLIMITS; ++i)
    if (setrlimit(static_cast<__rlimit_resource>(i), &limits_[i]) != 0) give_up("its limits");
  umask(umask_);
  // In a user namespace where setgroups is denied nobody's can be changed, and those of its maker are there.
  if (setgroups(groups_.size(), groups_.data()) != 0 && errno != EPERM) give_up("its groups");
  if (setresgid(gid_[0], gid_[1], gid_[2]) != 0) give_up("its group id");
  for (int i = 0; i < 64; ++i)
    if ((bounding_ >> i & 1) == 0 && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno != EINVAL)
      give_up("its bounding set");
  prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (setresuid(uid_[0], uid_[1], uid_[2]) != 0) give_up("its user id");
  auto load = [&] {
    for (const auto& filter : filters_) {
      sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
      if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) give_up("its system call filter");
    }
  };
  // Without no_new_privs the filter takes privilege that is about to go.
  if (!no_new_privs_) load();
  // A program that is started keeps of a set what is ambient, unless its user is root.
  const bool is_root = uid_[1] == 0 || uid_[0] == 0;
  const uint64_t inheritable = is_root ? inheritable_ : inheritable_ | permitted_;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int half = 0; half < 2; ++half) {
    data[half].permitted = static_cast<uint32_t>(permitted_ >> (32 * half));
    data[half].effective = static_cast<uint32_t>(effective_ >> (32 * half));
    data[half].inheritable = static_cast<uint32_t>(inheritable >> (32 * half));
  }
  if (syscall(SYS_capset, &header, data) != 0) give_up("its capabilities");
  for (int i = 0; i < 64 && !is_root; ++i)
    if ((permitted_ >> i & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0)
      give_up("its capabilities as ambient ones");
  if (!no_new_privs_) return;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("no_new_privs");
  load();
}

}  // namespace immure::prove

#include "kernel/probe.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/wait.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <cerrno>
#include <charconv>
#include <iterator>

#include "base/text.h"
#include "kernel/capabilities.h"
#include "kernel/cgroup.h"
#include "kernel/lsm.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "uapi/kernel.h"

// Every trial runs in a child that ends at once, so that nothing of the caller changes. The children are
// copies of a process that may have threads: they make raw system calls only.
namespace immure {
namespace {

constexpr uint64_t kUser = uapi::kCloneNewUser;
constexpr int kSigchld = 17;

// What a child tells its parent, in memory they share.
struct Notes {
  UserNsStage stage;
  bool memfd_noexec;
};

struct Trial {
  Notes* notes;
  uint64_t flags;  // namespaces to make first
  bool privileged;
  uint32_t uid, gid;
};

long fork_child() { return sys::call(__NR_clone, kSigchld); }

// The child's errno; 0: it worked; EPERM when a signal ended it (a seccomp filter that kills).
int wait_child(long pid) {
  int status = 0;
  long result;
  do result = sys::call(__NR_wait4, pid, sys::arg(&status), 0x40000000 /* __WALL */);
  while (result == -EINTR);
  if (sys::failed(result)) return static_cast<int>(-result);
  if ((status & 0x7f) != 0) return EPERM;
  return status >> 8 & 0xff;
}

int try_in_child(int (*trial)(const Trial&), const Trial& arguments) {
  long pid = fork_child();
  if (pid == 0) sys::exit_group(trial(arguments));
  if (sys::failed(pid)) return static_cast<int>(-pid);
  return wait_child(pid);
}

int error_of(long result) { return sys::failed(result) ? static_cast<int>(-result) : 0; }

int write_text(const char* path, std::string_view text) {
  long fd = sys::open(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  if (sys::failed(fd)) return error_of(fd);
  int error = error_of(sys::write(static_cast<int>(fd), text.data(), text.size()));
  sys::close(static_cast<int>(fd));
  return error;
}

// "1000 1000 1": the one map that a user may write.
int write_map(const char* path, uint32_t id) {
  char line[40];
  char* end = std::to_chars(line, line + 12, id).ptr;
  *end++ = ' ';
  end = std::to_chars(end, end + 12, id).ptr;
  *end++ = ' ';
  *end++ = '1';
  return write_text(path, {line, static_cast<size_t>(end - line)});
}

struct NsLink {
  uint64_t flag;
  const char* name;   // where the caller shows what its children get
};
constexpr NsLink kNsLinks[] = {
    {uapi::kCloneNewUser, "user"}, {uapi::kCloneNewNs, "mnt"},   {uapi::kCloneNewPid, "pid_for_children"},
    {uapi::kCloneNewNet, "net"},   {uapi::kCloneNewIpc, "ipc"},  {uapi::kCloneNewUts, "uts"},
    {uapi::kCloneNewCgroup, "cgroup"}, {uapi::kCloneNewTime, "time_for_children"},
};

// unshare(2), and a look whether it did what it says: the trials that follow would otherwise be made on the host.
int unshare(uint64_t flags) {
  uint64_t before[std::size(kNsLinks)];
  size_t n = 0;
  for (const NsLink& row : kNsLinks) before[n++] = ns_inode(0, row.name);
  if (int error = error_of(sys::call(__NR_unshare, static_cast<long>(flags)))) return error;
  n = 0;
  for (const NsLink& row : kNsLinks) {
    uint64_t was = before[n++];
    if ((flags & row.flag) != 0 && (was == 0 || ns_inode(0, row.name) == was)) return EPERM;
  }
  return 0;
}

// A user namespace with a map, in the calling child.
int enter_user_ns(const Trial& trial) {
  trial.notes->stage = UserNsStage::Create;
  if (int error = unshare(kUser)) return error;
  trial.notes->stage = UserNsStage::WriteMap;
  int error = write_text("/proc/self/setgroups", "deny");
  if (error != 0 && error != ENOENT) return error;
  if ((error = write_map("/proc/self/uid_map", trial.uid)) != 0) return error;
  if ((error = write_map("/proc/self/gid_map", trial.gid)) != 0) return error;
  trial.notes->stage = UserNsStage::UsePrivilege;
  return 0;
}

int try_user(const Trial& trial) {
  if (int error = enter_user_ns(trial)) return error;
  return unshare(uapi::kCloneNewUts);
}

// The namespaces of `flags`, as this caller would get them.
int enter(const Trial& trial) {
  uint64_t flags = trial.flags;
  if ((flags & kUser) != 0 || !trial.privileged) {
    if (int error = enter_user_ns(trial)) return error;
    flags &= ~kUser;
  }
  return unshare(flags);
}

// Where mount(2) is still looked at by others, the trial's mounts must not spread.
int make_private() { return error_of(sys::call(__NR_mount, 0, sys::arg("/"), 0, MS_REC | MS_PRIVATE, 0)); }

// Mounts `type` without attaching it: the descriptor, or -errno.
long detached(const char* type, unsigned attributes) {
  long fs = sys::call(__NR_fsopen, sys::arg(type), uapi::kFsopenCloexec);
  if (sys::failed(fs)) return fs;
  long result = sys::call(__NR_fsconfig, fs, uapi::kFsconfigCreate, 0, 0, 0);
  if (!sys::failed(result)) result = sys::call(__NR_fsmount, fs, uapi::kFsmountCloexec, attributes);
  sys::close(static_cast<int>(fs));
  return result;
}

// pid 1 of a new pid namespace mounts its procfs and asks it for a stricter memfd_create(2).
int mount_proc(const Trial& trial) {
  long proc = detached("proc", 0);
  if (proc == -ENOSYS) {
    if (int error = make_private()) return error;
    return error_of(sys::call(__NR_mount, sys::arg("proc"), sys::arg("/proc"), sys::arg("proc"), 0, 0));
  }
  if (sys::failed(proc)) return error_of(proc);
  long fd = sys::open(static_cast<int>(proc), "sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
  if (!sys::failed(fd)) trial.notes->memfd_noexec = !sys::failed(sys::write(static_cast<int>(fd), "2", 1));
  return 0;
}

int try_proc(const Trial& trial) {
  if (int error = enter(trial)) return error;
  long pid = fork_child();
  if (pid == 0) sys::exit_group(mount_proc(trial));
  return sys::failed(pid) ? error_of(pid) : wait_child(pid);
}

int try_mount_api(const Trial& trial) {
  if (int error = enter(trial)) return error;
  long tree = sys::call(__NR_open_tree, AT_FDCWD, sys::arg("/"),
                        uapi::kOpenTreeClone | O_CLOEXEC | uapi::kAtRecursive);
  if (sys::failed(tree)) return error_of(tree);
  long tmpfs = detached("tmpfs", 0);
  if (sys::failed(tmpfs)) return error_of(tmpfs);
  return error_of(sys::call(__NR_move_mount, tmpfs, sys::arg(""), AT_FDCWD, sys::arg("/proc"),
                            uapi::kMoveMountFromEmpty));
}

int try_mount_setattr(const Trial& trial) {
  if (int error = enter(trial)) return error;
  if (int error = make_private()) return error;
  uapi::MountAttr attributes{uapi::kAttrNosuid, 0, 0, 0};
  return error_of(sys::call(__NR_mount_setattr, AT_FDCWD, sys::arg("/"), uapi::kAtRecursive,
                            sys::arg(&attributes), sizeof attributes));
}

// A tmpfs over /proc of this child's own mount namespace, with two directories to lay over one another.
int prepare_layers() {
  if (int error = make_private()) return error;
  if (int error =
          error_of(sys::call(__NR_mount, sys::arg("immure"), sys::arg("/proc"), sys::arg("tmpfs"), 0, 0)))
    return error;
  for (const char* dir : {"/proc/a", "/proc/b"})
    if (int error = error_of(sys::call(__NR_mkdir, sys::arg(dir), 0755))) return error;
  return 0;
}

int try_overlay(const Trial& trial) {
  if (int error = enter(trial)) return error;
  if (int error = prepare_layers()) return error;
  return error_of(sys::call(__NR_mount, sys::arg("immure"), sys::arg("/proc/a"), sys::arg("overlay"),
                            MS_RDONLY, sys::arg("lowerdir=/proc/a:/proc/b")));
}

// Layers that are copies of trees, attached nowhere, as the default jail's root has them.
int try_overlay_fds(const Trial& trial) {
  if (int error = enter(trial)) return error;
  if (int error = prepare_layers()) return error;
  long fs = sys::call(__NR_fsopen, sys::arg("overlay"), uapi::kFsopenCloexec);
  if (sys::failed(fs)) return error_of(fs);
  for (const char* dir : {"/proc/a", "/proc/b"}) {
    long layer = sys::call(__NR_open_tree, AT_FDCWD, sys::arg(dir), uapi::kOpenTreeClone | O_CLOEXEC);
    if (sys::failed(layer)) return error_of(layer);
    long set = sys::call(__NR_fsconfig, fs, uapi::kFsconfigFd, sys::arg("lowerdir+"), 0, layer);
    if (sys::failed(set)) return error_of(set);
  }
  long result = sys::call(__NR_fsconfig, fs, uapi::kFsconfigCreate, 0, 0, 0);
  if (!sys::failed(result)) result = sys::call(__NR_fsmount, fs, uapi::kFsmountCloexec, uapi::kAttrRdonly);
  return error_of(result);
}

int try_plain(const Trial& trial) { return enter(trial); }

int do_nothing(void*) { return 0; }

// With time namespaces armed, a child in the same memory cannot be in the new one before exec: kernels that
// do not know how to move it there refuse to make it.
int try_time_on_exec(const Trial& trial) {
  if (int error = enter(trial)) return error;
  alignas(16) static char stack[16384];
  uapi::CloneArgs args{};
  args.flags = uapi::kCloneVm | uapi::kCloneVfork;
  args.exit_signal = kSigchld;
  args.stack = reinterpret_cast<uint64_t>(stack);
  args.stack_size = sizeof stack;
  long pid = sys::clone_call(&args, sizeof args, do_nothing, nullptr);
  return sys::failed(pid) ? error_of(pid) : wait_child(pid);
}

int try_listener(const Trial&) {
  sys::call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog program{1, allow};
  return error_of(sys::call(__NR_seccomp, uapi::kSeccompSetModeFilter, uapi::kSeccompFilterFlagNewListener,
                            sys::arg(&program)));
}

// A group is made, a child is born in it, and both go.
int try_into_cgroup(const std::string& parent, bool writable) {
  uapi::CloneArgs args{};
  args.flags = uapi::kCloneIntoCgroup;
  args.exit_signal = kSigchld;
  args.cgroup = INT32_MAX;  // no such descriptor: a kernel that knows the flag says EBADF
  std::string path;
  long dir = -1;
  if (writable) {
    path = parent + "/immure-probe-" + num(static_cast<uint64_t>(sys::call(__NR_getpid)));
    if (sys::failed(sys::call(__NR_mkdir, sys::arg(path.c_str()), 0755))) writable = false;
    dir = sys::open(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!sys::failed(dir)) args.cgroup = static_cast<uint64_t>(dir);
  }
  long pid = sys::call(__NR_clone3, sys::arg(&args), sizeof args);
  if (pid == 0) sys::exit_group(0);
  int error = sys::failed(pid) ? error_of(pid) : wait_child(pid);
  if (dir >= 0) sys::close(static_cast<int>(dir));
  if (writable) (void)remove_group({path, "unified"}, false);
  return error == EBADF && !writable ? 0 : error;
}

bool try_clone3() {
  uapi::CloneArgs args{};
  args.exit_signal = kSigchld;
  long pid = sys::call(__NR_clone3, sys::arg(&args), sizeof args);
  if (pid == 0) sys::exit_group(0);
  return !sys::failed(pid) && wait_child(pid) == 0;
}

bool try_openat2() {
  uapi::OpenHow how{O_PATH | O_CLOEXEC | O_DIRECTORY, 0, uapi::kResolveInRoot | uapi::kResolveNoMagiclinks};
  long fd = sys::call(__NR_openat2, AT_FDCWD, sys::arg("/"), sys::arg(&how), sizeof how);
  if (!sys::failed(fd)) sys::close(static_cast<int>(fd));
  return !sys::failed(fd);
}

struct Namespace {
  Fact Features::*fact;
  const char* kind;
  uint64_t flag;
};
constexpr Namespace kNamespaces[] = {
    {&Features::mount_ns, "mount", uapi::kCloneNewNs},
    {&Features::pid_ns, "pid", uapi::kCloneNewPid},
    {&Features::net_ns, "net", uapi::kCloneNewNet},
    {&Features::ipc_ns, "ipc", uapi::kCloneNewIpc},
    {&Features::uts_ns, "uts", uapi::kCloneNewUts},
    {&Features::cgroup_ns, "cgroup", uapi::kCloneNewCgroup},
    {&Features::time_ns, "time", uapi::kCloneNewTime},
};

void probe_namespaces(Features& f, Trial trial, const Surroundings& around) {
  int error = try_in_child(try_user, trial);
  f.user_ns = user_ns_fact(trial.notes->stage, error, around);
  for (const Namespace& ns : kNamespaces) {
    trial.flags = ns.flag;
    f.*ns.fact = ns_fact(ns.kind, try_in_child(try_plain, trial), f.user_ns, around);
  }
  // The jail's procfs belongs to its user namespace, whoever starts it, where there is one.
  trial.flags = uapi::kCloneNewNs | uapi::kCloneNewPid | (f.user_ns.ok ? kUser : 0);
  f.proc_mount = proc_mount_fact(try_in_child(try_proc, trial), f.user_ns, around);
  f.memfd_noexec = trial.notes->memfd_noexec;
}

void probe_mounts(Features& f, Trial trial) {
  trial.flags = uapi::kCloneNewNs | (f.user_ns.ok ? kUser : 0);
  f.mount_api = try_in_child(try_mount_api, trial) == 0;
  f.mount_setattr = try_in_child(try_mount_setattr, trial) == 0;
  f.overlay_unprivileged = f.user_ns.ok && try_in_child(try_overlay, trial) == 0;
  f.overlay_layer_fds = f.mount_api && try_in_child(try_overlay_fds, trial) == 0;
}

}  // namespace

Features Features::probe() {
  Features f = assume();
  Surroundings around = observe_surroundings();
  void* shared = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return f;
  Trial trial{static_cast<Notes*>(shared), 0, around.privileged,
              static_cast<uint32_t>(sys::call(__NR_geteuid)), static_cast<uint32_t>(sys::call(__NR_getegid))};
  probe_namespaces(f, trial, around);
  probe_mounts(f, trial);
  trial.flags = uapi::kCloneNewTime;
  f.clone3 = try_clone3();
  f.time_ns_on_exec = f.time_ns.ok && f.clone3 && try_in_child(try_time_on_exec, trial) == 0;
  f.openat2 = try_openat2();
  f.close_range = sys::call(__NR_close_range, 0x7ffffff0, 0x7fffffff, 0) == 0;
  f.seccomp_listener = try_in_child(try_listener, trial) == 0;
  f.clone_into_cgroup = f.clone3 && try_into_cgroup(f.cgroup.v2_path, f.cgroup.v2_writable) == 0;
  munmap(shared, 4096);
  return f;
}

}  // namespace immure

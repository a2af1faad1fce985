// New namespaces from inside. A user namespace makes its maker root over the others, and with that opens
// kernel code that only root was to reach.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "probes/inside.h"
#include "uapi/kernel.h"

namespace immure::probes {
namespace {

Attempt of_child(const char* where, long child, const char* what) {
  if (child < 0) return stopped(where);
  if (child == 0) _exit(0);
  int status = 0;
  waitpid(static_cast<pid_t>(child), &status, __WALL);
  return exposed("%s made %s", where, what);
}

Attempt by_clone(const Yard&, const Probe& row) {
  return of_child("clone", syscall(SYS_clone, row.number | SIGCHLD, 0L, 0L, 0L, 0L), row.word);
}
Attempt by_unshare(const Yard&, const Probe& row) {
  return syscall(SYS_unshare, row.number) != 0 ? stopped("unshare") : exposed("unshare made %s", row.word);
}
Attempt by_clone3(const Yard&, const Probe& row) {
  uapi::CloneArgs arguments;
  std::memset(&arguments, 0, sizeof arguments);
  arguments.flags = static_cast<uint64_t>(row.number);
  arguments.exit_signal = SIGCHLD;
  return of_child("clone3", syscall(SYS_clone3, &arguments, sizeof arguments), row.word);
}
Attempt enter(const Yard&, const Probe&) { return door("setns", syscall(SYS_setns, -1, 0)); }

// The child is the parent's, who reaps what it did not make.
Attempt sibling(const Yard&, const Probe&) {
  long child = syscall(SYS_clone, static_cast<long>(CLONE_PARENT) | SIGCHLD, 0L, 0L, 0L, 0L);
  if (child == 0) _exit(0);
  return child < 0 ? stopped("clone") : exposed("the parent has a child that it did not make");
}

constexpr Control kNested = loosened("--weaken nested-userns");
constexpr Control kAdmin = loosened("--cap-add sys_admin --allow-syscall unshare");
constexpr Control kNoFilter = loosened("--seccomp none");

constexpr Probe cloned(const char* id, const char* technique, const char* about, const char* reference,
                       const char* word, long flag) {
  bool user = flag == CLONE_NEWUSER;
  return {id,          Category::Filter,
          technique,   about,
          reference,   user ? by(Layer::Seccomp) : by(Layer::Seccomp, Layer::Capabilities),
          Proof::None, user ? kNested : kAdmin,
          by_clone,    kPlain,
          word,        flag};
}
constexpr Probe unshared(const char* id, const char* technique, const char* about, const char* reference,
                         const char* word, long flag) {
  Probe row = cloned(id, technique, about, reference, word, flag);
  row.run = by_unshare;
  return row;
}

constexpr char kUser[] = "a user namespace", kMount[] = "a mount namespace",
               kPid[] = "a namespace of processes", kNet[] = "a network namespace",
               kIpc[] = "a namespace of queues", kUts[] = "a namespace of names",
               kGroup[] = "a namespace of groups", kTime[] = "a namespace of clocks";
constexpr long kNewTime = 0x80;

constexpr Probe kNewNamespaces[] = {
    cloned("clone-user", "a user namespace by clone",
           "The child is root of its own namespace, with every capability over what it makes next. Many "
           "kernel exploits of recent years that start from an ordinary user begin here, CVE-2022-0185 for "
           "one.",
           "user_namespaces(7), CVE-2022-0185", kUser, CLONE_NEWUSER),
    cloned("clone-mount", "a mount namespace by clone",
           "In mounts of its own a process with CAP_SYS_ADMIN moves, covers and reveals what the jail has "
           "arranged. Without a user namespace it takes that capability to begin with.",
           "mount_namespaces(7)", kMount, CLONE_NEWNS),
    cloned("clone-process", "a namespace of processes by clone",
           "The child is process 1 of a namespace of its own, and what it starts there dies unseen by those "
           "inside. Whoever counts or ends processes by their ids from inside does not find them.",
           "pid_namespaces(7)", kPid, CLONE_NEWPID),
    cloned("clone-network", "a network namespace by clone",
           "A network of its own comes with its own firewall tables, and those parse what they are told by "
           "root inside: CVE-2022-1015 and CVE-2023-32233 are of that kind. It takes CAP_SYS_ADMIN, or a "
           "user namespace first.",
           "network_namespaces(7), CVE-2023-32233", kNet, CLONE_NEWNET),
    cloned("clone-ipc", "a namespace of queues by clone",
           "Objects of System V and queues of POSIX that nobody else counts or cleans up. Limits on such "
           "objects are per namespace, so that each new one begins at nought.",
           "ipc_namespaces(7)", kIpc, CLONE_NEWIPC),
    cloned(
        "clone-names", "a namespace of names by clone",
        "A host name of its own, by which logs are made to lie. The name of the host outside stays as it is.",
        "uts_namespaces(7)", kUts, CLONE_NEWUTS),
    cloned("clone-groups", "a namespace of groups by clone",
           "Makes the own group the root of what can be mounted as the tree of groups: the first step of "
           "CVE-2022-0492. By itself it only changes how groups are shown.",
           "cgroup_namespaces(7), CVE-2022-0492", kGroup, CLONE_NEWCGROUP),
    unshared("unshare-user", "a user namespace by unshare",
             "The same as by clone, without a child; filters of containers have long named one and not the "
             "other. The process is root of the new namespace, without a mapping yet.",
             "user_namespaces(7)", kUser, CLONE_NEWUSER),
    unshared("unshare-mount", "a mount namespace by unshare",
             "The process itself leaves the jail's mounts for a copy that it can change. What the jail "
             "covered is uncovered there.",
             "mount_namespaces(7)", kMount, CLONE_NEWNS),
    unshared("unshare-process", "a namespace of processes by unshare",
             "The next child is process 1 of a new namespace. The process itself stays where it is.",
             "pid_namespaces(7)", kPid, CLONE_NEWPID),
    unshared("unshare-network", "a network namespace by unshare",
             "Leaves the network that the jail has set up for an empty one, with its own tables of rules. "
             "Rules that the jail has put into its own network do not hold there.",
             "network_namespaces(7)", kNet, CLONE_NEWNET),
    unshared(
        "unshare-ipc", "a namespace of queues by unshare",
        "Leaves the jail's queues and segments for its own. Limits on such objects begin at nought again.",
        "ipc_namespaces(7)", kIpc, CLONE_NEWIPC),
    unshared("unshare-names", "a namespace of names by unshare",
             "Leaves the jail's host name for its own. Logs that carry the name carry a false one then.",
             "uts_namespaces(7)", kUts, CLONE_NEWUTS),
    unshared("unshare-groups", "a namespace of groups by unshare",
             "Hides in which group the process is. After it the own group is shown as the root of all.",
             "cgroup_namespaces(7)", kGroup, CLONE_NEWCGROUP),
    unshared("unshare-clocks", "a namespace of clocks by unshare",
             "The next child has a time since boot of its own making, by which timeouts are led astray. It "
             "takes CAP_SYS_ADMIN, like all but the user namespace.",
             "time_namespaces(7)", kTime, kNewTime),
    {"clone3", Category::Filter, "a process by clone3",
     "The arguments of clone3 stand in memory, where a filter cannot look, so that a filter either refuses "
     "the call or lets all flags through. Docker's filter refused it with EPERM at first, which broke "
     "programs, and now says ENOSYS.",
     "clone(2)", by(Layer::Seccomp), Proof::None, kNoFilter, by_clone3, kPlain, "a process", 0},
    {"clone3-user", Category::Filter, "a user namespace by clone3",
     "A flag that clone is not given, by the call whose flags nobody sees. It is the reason why filters that "
     "deny namespaces have to deny clone3 as a whole.",
     "clone(2), user_namespaces(7)", by(Layer::Seccomp), Proof::None, kNoFilter, by_clone3, kPlain, kUser,
     CLONE_NEWUSER},
    {"clone-sibling", Category::Filter, "a child of the own parent",
     "With CLONE_PARENT the new process belongs to the parent of its maker. Where that stands outside, as "
     "with programs that were entered into a jail, the child outlives the jail's own watch.",
     "clone(2), CLONE_PARENT", by(Layer::Seccomp), Proof::None, kNoFilter, sibling},
    {"setns", Category::Filter, "enter a namespace",
     "Whoever has a descriptor of a namespace of the host enters it by this call. The attempt passes none, "
     "which the kernel says to those whom it lets that far.",
     "setns(2)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall setns"), enter},
};

}  // namespace

std::span<const Probe> new_namespaces() { return kNewNamespaces; }

}  // namespace immure::probes

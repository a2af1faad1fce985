// Which of the caller's namespaces the program was left in.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt same(const Yard& yard, const Probe& row) {
  char path[64], target[64] = {}, wanted[80];
  std::snprintf(path, sizeof path, "/proc/self/ns/%s", row.word);
  if (readlink(path, target, sizeof target - 1) < 0) return stopped("readlink");
  // With blanks, so that no name is the end of another.
  static char all[512];
  std::snprintf(all, sizeof all, " %s ", yard.namespaces);
  std::snprintf(wanted, sizeof wanted, " %s ", target);
  if (std::strstr(all, row.word) == nullptr) return not_applicable("the caller's are not known");
  if (std::strstr(all, wanted) == nullptr) return stopped("compare", ENOMSG);
  return exposed("it is in the caller's %s", target);
}

constexpr Probe kCallersNamespaces[] = {
    {"namespace-user", Category::Information, "the caller's user namespace",
     "Compares its user namespace with the caller's. In the caller's own, a user id inside is that id "
     "everywhere, and a capability counts for the whole machine.",
     "user_namespaces(7)", by(Layer::UserNs), Proof::None, kBare, same, kPlain, "user"},
    {"namespace-mnt", Category::Information, "the caller's mount namespace",
     "Compares its mount namespace with the caller's. What is mounted by one is then seen by the other, and "
     "the host's tree is one descriptor away, as after every plain chroot.",
     "mount_namespaces(7)", by(Layer::MountNs), Proof::None, kBare, same, kPlain, "mnt"},
    {"namespace-pid", Category::Information, "the caller's process ids",
     "Compares its pid namespace with the caller's. Processes outside can then be named, which is the "
     "beginning of every attack on them.",
     "pid_namespaces(7)", by(Layer::PidNs), Proof::None, kBare, same, kPlain, "pid"},
    {"namespace-net", Category::Information, "the caller's network",
     "Compares its network namespace with the caller's. In it are the host's interfaces, servers and "
     "abstract names.",
     "network_namespaces(7)", by(Layer::NetNs), Proof::None, loosened("--net host"), same, kPlain, "net"},
    {"namespace-ipc", Category::Information, "the caller's System V objects and queues",
     "Compares its IPC namespace with the caller's. In it are memory, semaphores and messages that no root "
     "hides.",
     "ipc_namespaces(7)", by(Layer::IpcNs), Proof::None, loosened("--need ipc-ns=off"), same, kPlain, "ipc"},
    {"namespace-uts", Category::Information, "the caller's host name",
     "Compares its UTS namespace with the caller's. In it is the machine's name, which who has the right can "
     "change.",
     "uts_namespaces(7)", by(Layer::UtsNs), Proof::None, loosened("--need uts-ns=off"), same, kPlain, "uts"},
    {"namespace-cgroup", Category::Information, "the caller's view of control groups",
     "Compares its cgroup namespace with the caller's. In that one paths of groups begin at the host's top, "
     "and name users, services and neighbours.",
     "cgroup_namespaces(7)", by(Layer::CgroupNs), Proof::None, loosened("--need cgroup-ns=off"), same, kPlain,
     "cgroup"},
    {"namespace-time", Category::Information, "the caller's clocks",
     "Compares its time namespace with the caller's. In that one the clocks tell how long the machine has "
     "been running.",
     "time_namespaces(7)", by(Layer::TimeNs), Proof::None, loosened("--need time-ns=off"), same, kPlain,
     "time"},
};

}  // namespace

std::span<const Probe> callers_namespaces() { return kCallersNamespaces; }

}  // namespace immure::probes

// Which namespaces are the host's.
#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

struct Space {
  const char* kind;
  const char* shown;
};
constexpr Space kUser = {"user", "user"}, kMnt = {"mnt", "mount"}, kPid = {"pid", "pid"},
                kNet = {"net", "network"}, kIpc = {"ipc", "ipc"}, kUts = {"uts", "uts"},
                kCgroup = {"cgroup", "cgroup"}, kTime = {"time", "time"};

template <const Space& space>
void shared(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  switch (whose(live, space.kind)) {
    case Whose::Unknown:
      answers.unknown("its " + std::string(space.shown) +
                      " namespace is not readable for this caller, or there is none");
      return;
    case Whose::Own: answers.checked(); break;
    case Whose::Host: answers.found(std::string(space.shown) + " namespace", "the host's"); return;
    case Whose::Caller:
      answers.found(std::string(space.shown) + " namespace", "the same as that of who asks");
      return;
  }
  for (const ThreadView& thread : live.threads)
    for (const std::string& other : thread.namespaces)
      if (other == space.kind)
        answers.found(std::string(space.shown) + " namespace" + of_thread(thread, live),
                      "a thread is in another one than its process");
}

void abstract_sockets(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!shares(live, "net")) return;
  answers.checked();
  if (live.abstract_sockets.value_or(0) > 0)
    answers.found("abstract sockets",
                  counted(*live.abstract_sockets, "is", "are") + " listened at outside" +
                      (live.abstract_holders.empty() ? "" : ", one by " + live.abstract_holders));
}

constexpr const char* kOwn =
    "start it with one of its own: immure run, unshare, the Private…= settings of systemd";

}  // namespace

const Rule kProcessSpaceUser = {
    "process-namespace-user",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "user namespace of the host",
    "Its ids are the ids of the host, and a capability that it has or gains counts everywhere. In one of its own "
    "neither is true.",
    "",
    kOwn,
    "user_namespaces(7)",
    shared<kUser>,
    Mend::None,
    "privilege"};
const Rule kProcessSpaceMount = {
    "process-namespace-mount",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Namespaces,
    "mount namespace of the host",
    "All mounts of the host are in the same tree as its root, and what is mounted or taken away outside changes "
    "under it. A plain chroot is all that can be had so.",
    "",
    kOwn,
    "mount_namespaces(7)",
    shared<kMnt>,
    Mend::None,
    "root links information devices"};
const Rule kProcessSpacePid = {
    "process-namespace-pid",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "pid namespace of the host",
    "It has a number for every process outside: it signals and traces those of its user, and reads in /proc what "
    "they run. Its own end does not end what it has started.",
    "",
    kOwn,
    "pid_namespaces(7)",
    shared<kPid>,
    Mend::None,
    "processes information descriptors"};
const Rule kProcessSpaceNet = {
    "process-namespace-net",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "network of the host",
    "Services on the loopback address take it for one of the house, and it may send whatever it reads to anybody. "
    "Abstract sockets are within reach too.",
    "",
    kOwn,
    "network_namespaces(7)",
    shared<kNet>,
    Mend::None,
    "network information"};
const Rule kProcessSpaceIpc = {
    "process-namespace-ipc",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "System V and message queues of the host",
    "It lists shared memory and queues of the host, and opens those of its user or with loose modes. Limits on "
    "their number are shared as well.",
    "",
    kOwn,
    "ipc_namespaces(7); sysvipc(7)",
    shared<kIpc>,
    Mend::None,
    "processes information resources"};
const Rule kProcessSpaceUts = {
    "process-namespace-uts",
    Look::Process,
    Severity::Low,
    Concern::Isolation,
    Point::Namespaces,
    "host name of the host",
    "It learns on which machine it is, and with CAP_SYS_ADMIN it renames it. Names of hosts decide in some settings who is trusted.",
    "",
    kOwn,
    "uts_namespaces(7)",
    shared<kUts>,
    Mend::None,
    "information host-name-set domain-name-set"};
const Rule kProcessSpaceCgroup = {
    "process-namespace-cgroup",
    Look::Process,
    Severity::Low,
    Concern::Isolation,
    Point::Namespaces,
    "control groups of the host are named",
    "/proc/self/cgroup shows where in the tree of the host it stands, which names users, units and containers. A "
    "mount of the groups would show all of them.",
    "",
    kOwn,
    "cgroup_namespaces(7)",
    shared<kCgroup>,
    Mend::None,
    "information resources"};
const Rule kProcessSpaceTime = {
    "process-namespace-time",
    Look::Process,
    Severity::Advice,
    Concern::Isolation,
    Point::Namespaces,
    "clocks since boot of the host",
    "The time since boot tells one machine from another, and when it was last updated. A time namespace has an "
    "offset of its own.",
    "",
    kOwn,
    "time_namespaces(7)",
    shared<kTime>,
    Mend::None,
    "information"};
const Rule kProcessAbstractSockets = {
    "process-abstract-sockets",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::Leaks,
    "abstract sockets of the host",
    "Abstract sockets have no file and no mode: who shares the network may connect to them. Session buses, X "
    "servers and container shims have listened there.",
    "",
    "a network namespace of its own, or Landlock's scope for abstract sockets",
    "unix(7); CVE-2020-15257",
    abstract_sockets,
    Mend::None,
    "network"};

}  // namespace immure::audit

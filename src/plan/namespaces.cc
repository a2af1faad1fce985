#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

struct Row {
  Layer layer;
  uint64_t flag;
  const Fact Features::*fact;
  const char* mechanism;
};
constexpr Row kRows[] = {
    {Layer::UserNs, uapi::kCloneNewUser, &Features::user_ns, ""},
    {Layer::MountNs, uapi::kCloneNewNs, &Features::mount_ns, "own mount namespace, private propagation"},
    {Layer::PidNs, uapi::kCloneNewPid, &Features::pid_ns, "own pid namespace, pid 1 is immure's"},
    {Layer::NetNs, uapi::kCloneNewNet, &Features::net_ns, "own network namespace with loopback only"},
    {Layer::IpcNs, uapi::kCloneNewIpc, &Features::ipc_ns, "own System V and POSIX queues"},
    {Layer::UtsNs, uapi::kCloneNewUts, &Features::uts_ns, "own host name"},
    {Layer::CgroupNs, uapi::kCloneNewCgroup, &Features::cgroup_ns, "the jail's group is the root it sees"},
    {Layer::TimeNs, uapi::kCloneNewTime, &Features::time_ns, "boot and monotonic clocks start at the jail's birth"},
};

constexpr int64_t kSecond = 1000000000;

// What the jail's boot clock is ahead of the host's.
int64_t boot_offset(const Builder& b) { return b.spec.clock_offset_s - static_cast<int64_t>(b.host.boot_ns) / kSecond; }

Status plan_time(Builder& b) {
  int64_t boot = boot_offset(b);
  int64_t monotonic = b.spec.clock_offset_s - static_cast<int64_t>(b.host.monotonic_ns) / kSecond;
  b.add(Op::WriteFile, Side::Child, Layer::TimeNs, "/proc/self/timens_offsets",
        "boottime " + num_signed(boot) + " 0\nmonotonic " + num_signed(monotonic) + " 0\n");
  return {};
}

}  // namespace

Status plan_namespaces(Builder& b) {
  uint64_t later = 0;
  for (const Row& row : kRows) {
    if (!b.wants(row.layer)) continue;
    const Fact& fact = b.features.*row.fact;
    if (!fact.ok) {
      IMMURE_TRY(b.lacks(row.layer, State::Missing, fact.reason, fact.remedy));
      continue;
    }
    b.layer(row.layer).mechanism = row.mechanism;
    if (row.layer == Layer::NetNs && b.spec.net == Net::Host) {
      b.layer(row.layer).state = State::Off;
      b.layer(row.layer).reason = "--net host";
      b.weakened("--net host: the program uses the host's network, abstract sockets included");
      continue;
    }
    // These two are made by pid 1 itself: the one after it has joined its group, the other so that its offsets
    // can be written.
    if (row.layer == Layer::CgroupNs || row.layer == Layer::TimeNs)
      later |= row.flag;
    else
      b.plan.clone_flags |= row.flag;
  }
  b.user_ns = (b.plan.clone_flags & uapi::kCloneNewUser) != 0;
  bool own_mounts = (b.plan.clone_flags & uapi::kCloneNewNs) != 0;
  bool own_pids = (b.plan.clone_flags & uapi::kCloneNewPid) != 0;
  if (!own_mounts || !own_pids)
    return fail(Code::kLayer, "a jail without an own mount and pid namespace is none",
                "the root, the mounts, /proc and the end of all processes rest on them",
                "take --need mount-ns=off and --need pid-ns=off back");
  if (!b.user_ns && !b.host.privileged)
    return fail(Code::kLayer, "without a user namespace only root can make a jail",
                "the other namespaces need it", "leave --need user-ns=off out",
                b.spec.origin_text(b.spec.need_by[static_cast<size_t>(Layer::UserNs)]));
  b.plan.unshare_flags = later;
  if (later != 0) b.add(Op::Unshare, Side::Child, Layer::CgroupNs).x = later;
  if ((later & uapi::kCloneNewTime) != 0) IMMURE_TRY(plan_time(b));
  return {};
}

// As the kernel reckons it for who is in the jail's time namespace, or in the host's where the jail has none.
int64_t shown_boot_time(const Builder& b) {
  bool own = (b.plan.unshare_flags & uapi::kCloneNewTime) != 0;
  int64_t booted = static_cast<int64_t>(b.host.wall_ns) - static_cast<int64_t>(b.host.boot_ns);
  return booted / kSecond - (own ? boot_offset(b) : 0);
}

// What the parent need not see: done while it compares the mounts.
Status plan_inside(Builder& b) {
  b.plan.counts_sockets = b.plan.supervisor_sums && b.plan.memory_limit != 0 && b.plan.census_slot >= 0 &&
                          (b.plan.clone_flags & uapi::kCloneNewNet) != 0;
  Step& ready = b.add(Op::MountsReady, Side::Child, Layer::Mounts);
  ready.a = b.plan.census_slot;
  ready.x = b.plan.counts_sockets ? 1 : 0;
  if ((b.plan.clone_flags & uapi::kCloneNewNet) != 0) b.add(Op::LoopbackUp, Side::Child, Layer::NetNs);
  if ((b.plan.clone_flags & uapi::kCloneNewUts) != 0) b.add(Op::Hostname, Side::Child, Layer::UtsNs, b.spec.hostname);
  return {};
}

}  // namespace immure

// Who the program is: inside, and for the host.
#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

// Ids that no distribution, no login and no container manager hands out (systemd's UIDS-GIDS.md leaves
// 0x70000000 to 0x7ffdffff free). The launcher's pid makes one that no other living jail has; the pid
// namespace stirs the bits above, for launchers that cannot see each other's pids.
constexpr uint32_t kFirstOwnId = 0x70000000;
constexpr uint64_t kInitialPidNs = 4026531836;

uint32_t own_id(const Host& host) {
  uint64_t stir = host.pid_ns == kInitialPidNs ? 0 : (host.pid_ns * 0x9e3779b97f4a7c15) >> 59;
  return kFirstOwnId + (static_cast<uint32_t>(stir) << 22 | (host.pid & 0x3fffff));
}

bool covered(const std::vector<Host::Range>& ranges, uint32_t first, uint32_t count) {
  for (const auto& range : ranges)
    if (first >= range.inside && uint64_t{first} + count <= uint64_t{range.inside} + range.count) return true;
  return false;
}

// What the caller's own user namespace has room for when it lacks the high ids: its last ones.
uint32_t fallback_id(const std::vector<Host::Range>& ranges, uint32_t count) {
  uint32_t best = 0;
  for (const auto& range : ranges)
    if (range.count > count) best = range.inside + range.count - count;
  return best;
}

Status choose_outside(Builder& b, uint32_t count) {
  Plan& plan = b.plan;
  if (!b.host.privileged) {
    plan.outside_uid = b.host.uid;
    plan.outside_gid = b.host.gid;
    return {};
  }
  if (b.spec.uid && *b.spec.uid != 0 && b.spec.id_range == 0) {
    // The administrator names a user of the host: its files are the jail's to use as that user.
    plan.outside_uid = *b.spec.uid;
    uint32_t gid = b.spec.gid.value_or(*b.spec.uid);
    plan.outside_gid = gid != 0 ? gid : own_id(b.host);  // 0 is root's inside, and nobody's outside
    if (gid == 0 && !covered(b.host.gid_ranges, plan.outside_gid, 1))
      return fail(Code::kIds, "no unprivileged group id is left for the jail",
                  "this user namespace (a container's?) maps too few",
                  "name a group of this namespace with --group",
                  b.spec.origin_text(b.spec.set_by_word(Field::Gid)));
    b.layer(Layer::UserNs).reason = "the identity is a user of the host, as --user asks";
    return {};
  }
  uint32_t id = count == 1 ? own_id(b.host) : kFirstOwnId + 0x4000000 + (b.host.pid & 0x7ff) * 65536;
  if (!covered(b.host.uid_ranges, id, count) || !covered(b.host.gid_ranges, id, count)) {
    id = fallback_id(b.host.uid_ranges, count);
    if (id == 0 || !covered(b.host.gid_ranges, id, count))
      return fail(Code::kIds, "no unprivileged id is left for the jail",
                  "the ids of this user namespace (/proc/self/uid_map) are too few",
                  "name a user of this namespace with --user");
    if (!b.spec.has(Weaken::SharedIdentity))
      return fail(Code::kIds, "the jail cannot have an identity of its own here",
                  "this user namespace (a container's?) maps too few ids: another jail or program may have the same",
                  "say --weaken shared-identity to go on all the same, or name a user with --user");
    b.layer(Layer::UserNs).state = State::Weaker;
    b.layer(Layer::UserNs).reason = "this user namespace has no room for an id of the jail's own: it may be shared";
  }
  plan.outside_uid = plan.outside_gid = id;
  return {};
}

Status rootless_range(Builder& b) {
  const auto& uids = b.host.subuids;
  const auto& gids = b.host.subgids;
  uint32_t count = b.spec.id_range;
  // Id 0 inside is the caller; the rest comes out of the subordinate range.
  if (uids.empty() || gids.empty() || uids[0].count + 1 < count || gids[0].count + 1 < count)
    return fail(Code::kIds, "--uid-range " + num(count) + " is not granted here",
                uids.empty() ? "/etc/subuid and /etc/subgid name no range for this user" : "the range is smaller",
                "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER",
                b.spec.origin_text(b.spec.set_by_word(Field::IdRange)));
  b.plan.map_by_helper = true;
  b.plan.uid_map = {{0, b.host.uid, 1}, {1, uids[0].outside, count - 1}};
  b.plan.gid_map = {{0, b.host.gid, 1}, {1, gids[0].outside, count - 1}};
  if (b.plan.inside_uid != 0) b.plan.outside_uid = uids[0].outside + b.plan.inside_uid - 1;
  if (b.plan.inside_gid != 0) b.plan.outside_gid = gids[0].outside + b.plan.inside_gid - 1;
  return {};
}

}  // namespace

Status plan_ids(Builder& b) {
  Plan& plan = b.plan;
  uint32_t range = b.spec.id_range;
  plan.inside_uid = b.spec.as_root ? 0 : b.spec.uid.value_or(range != 0 ? 0 : 1000);
  plan.inside_gid = b.spec.as_root ? 0 : b.spec.gid.value_or(plan.inside_uid);
  if (range != 0 && (plan.inside_uid >= range || plan.inside_gid >= range))
    return fail(Code::kIds, "the jail's identity lies outside --uid-range " + num(range), "only mapped ids can be taken",
                "choose a smaller --user and --group, or a larger range", b.spec.origin_text(b.spec.set_by_word(Field::IdRange)));
  IMMURE_TRY(choose_outside(b, range == 0 ? 1 : range));

  // Only while it still is the host's root; it counts for the jail's pid namespace.
  if (b.sets_memfd_noexec())
    b.add(Op::WriteFile, Side::Child, Layer::Mounts, "/proc/sys/vm/memfd_noexec", "2");
  if (b.user_ns) {
    if (range == 0) {
      plan.uid_map = {{plan.inside_uid, plan.outside_uid, 1}};
      plan.gid_map = {{plan.inside_gid, plan.outside_gid, 1}};
    } else if (b.host.privileged) {
      plan.uid_map = {{0, plan.outside_uid, range}};
      plan.gid_map = {{0, plan.outside_gid, range}};
      plan.outside_uid += plan.inside_uid;
      plan.outside_gid += plan.inside_gid;
    } else {
      IMMURE_TRY(rootless_range(b));
    }
    plan.deny_setgroups = !b.host.privileged && !plan.map_by_helper;
    // Counted for who made the user namespace as well, and nobody has more than 128 as a rule: root's must not all go.
    if (b.wants(Layer::Rlimits)) {
      b.add(Op::WriteFile, Side::Child, Layer::Rlimits, "/proc/sys/user/max_inotify_instances", "32").x = 2;
      b.add(Op::WriteFile, Side::Child, Layer::Rlimits, "/proc/sys/user/max_inotify_watches", "16384").x = 2;
    }
    b.add(Op::AwaitMaps, Side::Child, Layer::UserNs);
  } else {
    b.add(Op::AwaitMaps, Side::Child, Layer::UserNs);
    plan.inside_uid = plan.outside_uid;
    plan.inside_gid = plan.outside_gid;
  }
  if (b.user_ns) {
    if (!plan.deny_setgroups) b.add(Op::SetGroups, Side::Child, Layer::UserNs);
    // The caller may be the namespace's root: leaving that id must not take the privilege that the mounts need.
    if (range != 0) b.add(Op::Securebits, Side::Child, Layer::UserNs).x = 1 << 2 /* SECBIT_NO_SETUID_FIXUP */;
    b.add(Op::SetGid, Side::Child, Layer::UserNs).x = plan.inside_gid;
    b.add(Op::SetUid, Side::Child, Layer::UserNs).x = plan.inside_uid;
    b.add(Op::Dumpable, Side::Child, Layer::UserNs).x = 1;   // or its own /proc files are not its own
    if (b.layer(Layer::UserNs).mechanism.empty())
      b.layer(Layer::UserNs).mechanism =
          "id " + num(plan.inside_uid) + " inside is id " + num(plan.outside_uid) + " outside, " +
          (plan.outside_uid >= kFirstOwnId ? "which owns nothing else" : "the host's user of that number");
    if (!b.host.privileged)
      b.layer(Layer::UserNs).mechanism = "id " + num(plan.inside_uid) + " inside is the caller, with no privilege";
  }
  // Without a user namespace it comes behind the change of user (privilege.cc), which clears it.
  if (b.user_ns) b.add(Op::ParentDeathSignal, Side::Child, Layer::PidNs).x = 9;
  return {};
}

}  // namespace immure

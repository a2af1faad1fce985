#include "plan/enter.h"

#include <algorithm>

#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

constexpr uint64_t kWriteOnly = 1;

uint64_t flag_of(Layer layer) {
  constexpr uint64_t kFlags[kNamespaceCount] = {uapi::kCloneNewUser, uapi::kCloneNewNs,  uapi::kCloneNewPid,
                                                uapi::kCloneNewNet,  uapi::kCloneNewIpc, uapi::kCloneNewUts,
                                                uapi::kCloneNewCgroup, uapi::kCloneNewTime};
  return kFlags[static_cast<size_t>(layer)];
}

// What of a jail's own steps is about one process and not about the jail as a whole. The others are left out, or made
// from the facts: limits, Landlock's rules, the parent-death signal.
constexpr Op kAboutAProcess[] = {
    Op::SetGroups, Op::SetGid, Op::SetUid, Op::Dumpable, Op::BoundingSet, Op::Securebits, Op::CapSet,
    Op::AmbientSet, Op::NoNewPrivs, Op::KeyringJoin, Op::Umask, Op::ResetInherited, Op::OpenPty, Op::Setsid,
    Op::ControllingTty, Op::ProcessGroup, Op::TtyDescriptors, Op::Chdir, Op::MoveFd, Op::CloseRange, Op::VerifyFds,
    Op::AwaitGo, Op::Seccomp, Op::Open,
};

bool is_about_a_process(const Step& step) {
  return std::find(std::begin(kAboutAProcess), std::end(kAboutAProcess), step.op) != std::end(kAboutAProcess);
}

// Groups first, while they can be seen; then all namespaces in one call, or none.
void plan_door(Builder& b, const EnterFacts& facts) {
  b.add(Op::AwaitMaps, Side::Child, Layer::UserNs);   // there are none: the word to begin
  for (const EnterFacts::Group& group : facts.groups) {
    int8_t slot = b.new_slot();
    Step& open = b.add(Op::Open, Side::Parent, Layer::Cgroup, group.file);
    open.out = slot;
    open.x = kWriteOnly;
    Step& join = b.add(Op::CgroupJoin, Side::Child, Layer::Cgroup);
    join.a = slot;
    join.x = group.required ? 0 : 1;
  }
  int8_t door = b.new_slot();
  b.plan.passed_fds.push_back({door, facts.door});
  uint64_t flags = 0;
  for (size_t i = 0; i < kNamespaceCount; i++)
    if (facts.namespaces[i] != 0) flags |= flag_of(static_cast<Layer>(i));
  Step& enter = b.add(Op::EnterNamespaces, Side::Child, Layer::UserNs);
  enter.a = door;
  enter.x = flags;
}

void plan_same_limits(Builder& b, const EnterFacts& facts) {
  b.plan.rlimits.clear();
  for (const ExpectedRlimit& limit : facts.rlimits) {
    uint64_t hard = std::min(limit.hard, b.host.hard_limits[static_cast<size_t>(limit.resource)]);
    Step& step = b.add(Op::Rlimit, Side::Child, Layer::Rlimits);
    step.x = static_cast<uint64_t>(limit.resource);
    step.y = std::min(limit.soft, hard);
    step.z = hard;
    b.plan.rlimits.push_back({limit.resource, step.y, hard});
  }
}

Status plan_same_landlock(Builder& b, const LandlockRules& rules) {
  if (rules.files == 0) {
    // What was in force then is in force now, or nobody enters.
    if (!b.wants(Layer::Landlock) || b.features.landlock_abi == 0) return {};
    return fail(Code::kLayer, "the jail cannot be entered", "its state does not tell Landlock's rules",
                "start it again with this version of immure");
  }
  int8_t ruleset = b.new_slot();
  Step& create = b.add(Op::LandlockCreate, Side::Child, Layer::Landlock);
  create.out = ruleset;
  create.x = rules.files;
  create.y = rules.network;
  create.z = rules.scopes;
  for (const LandlockRules::Path& path : rules.paths) {
    Step& step = b.add(Op::LandlockPath, Side::Child, Layer::Landlock, path.path);
    step.a = ruleset;
    step.x = path.rights;
    step.y = 1;
  }
  allow_standard_descriptors(b, ruleset, rules.files);
  for (const LandlockRules::Port& port : rules.ports) {
    Step& step = b.add(Op::LandlockPort, Side::Child, Layer::Landlock);
    step.a = ruleset;
    step.x = port.rights;
    step.y = port.port;
  }
  b.add(Op::LandlockEnforce, Side::Child, Layer::Landlock).a = ruleset;
  return {};
}

// One of the parts that plan a jail; what it plans for the jail as a whole is left out.
Status take(Builder& b, Status (*part)(Builder&)) {
  auto from = static_cast<ptrdiff_t>(b.plan.steps.size());
  IMMURE_TRY(part(b));
  auto begin = b.plan.steps.begin() + from;
  b.plan.steps.erase(std::remove_if(begin, b.plan.steps.end(), [](const Step& step) { return !is_about_a_process(step); }),
                     b.plan.steps.end());
  return {};
}

Status plan_identity(Builder& b, const EnterFacts& facts) {
  IMMURE_TRY(take(b, plan_ids));
  // Ids are chosen once, when a jail is made.
  b.plan.outside_uid = facts.uid;
  b.plan.outside_gid = facts.gid;
  if (b.user_ns) return {};
  b.plan.inside_uid = facts.uid;
  b.plan.inside_gid = facts.gid;
  return {};
}

Status plan_bounds(Builder& b, const EnterFacts& facts) {
  IMMURE_TRY(take(b, plan_limits));
  plan_same_limits(b, facts);
  IMMURE_TRY(take(b, plan_privilege));
  if ((b.plan.caps & ~facts.bounding) != 0 && b.wants(Layer::Capabilities))
    return fail(Code::kLayer, "the jail cannot be entered", "its state tells of capabilities that its processes cannot have: " +
                hex(b.plan.caps & ~facts.bounding));
  b.plan.caps &= facts.bounding;
  return plan_same_landlock(b, facts.landlock);
}

// For the report: what was entered is the jail's. What it has not is not had here either.
void describe_layers(Builder& b, const EnterFacts& facts) {
  auto lacks = [&](Layer l, State state, std::string reason) {
    b.layer(l).state = state;
    b.layer(l).reason = std::move(reason);
  };
  for (size_t i = 0; i < kNamespaceCount; i++) {
    auto l = static_cast<Layer>(i);
    if (b.wants(l) && facts.namespaces[i] == 0) lacks(l, State::Missing, "the jail has none of its own");
  }
  bool grouped =
      std::any_of(facts.groups.begin(), facts.groups.end(), [](const auto& group) { return group.required; });
  if (b.wants(Layer::Cgroup) && !grouped)
    lacks(Layer::Cgroup, State::Weaker,
          "the jail has no group; what its supervisor sums counts this program too");
  if (b.wants(Layer::Landlock)) {
    std::string missing = missing_rights(b.features.landlock_abi);
    if (!missing.empty()) lacks(Layer::Landlock, State::Weaker, "this kernel's Landlock lacks: " + missing);
  }
  for (LayerPlan& layer : b.plan.layers) {
    if (layer.state == State::Off) layer.reason = "switched off when the jail was made";
    if (layer.state == State::InForce && layer.mechanism.empty()) layer.mechanism = "the jail's";
  }
}

}  // namespace

LandlockRules landlock_rules(const Plan& plan) {
  LandlockRules rules;
  for (const Step& step : plan.steps) {
    if (step.op == Op::LandlockCreate) {
      rules.files = step.x;
      rules.network = step.y;
      rules.scopes = step.z;
    }
    if (step.op == Op::LandlockPath) rules.paths.push_back({plan.text(step.s), step.x});
    if (step.op == Op::LandlockPort) rules.ports.push_back({step.x, step.y});
  }
  return rules;
}

Result<Plan> compile_enter(const JailSpec& spec, const Features& features, const Host& host, const EnterFacts& facts,
                           char* const* environment) {
  RealHostFiles files;
  Builder b(spec, features, host, files, environment);
  b.plan.arena.push_back('\0');
  b.plan.enters = true;
  for (int i = 0; i < kLayerCount; i++) {
    auto l = static_cast<Layer>(i);
    b.layer(l).need = spec.need_of(l);
    if (!b.wants(l)) b.layer(l).state = State::Off;
  }
  IMMURE_TRY(take(b, choose_terminal));
  IMMURE_TRY(take(b, plan_namespaces));
  plan_door(b, facts);
  IMMURE_TRY(plan_identity(b, facts));
  IMMURE_TRY(take(b, plan_terminal));
  IMMURE_TRY(plan_bounds(b, facts));
  // Its parent stands outside and ends it when the supervisor goes; this is for the end of that parent.
  b.add(Op::ParentDeathSignal, Side::Payload, Layer::PidNs).x = 9;
  IMMURE_TRY(take(b, plan_program));
  IMMURE_TRY(take(b, plan_seccomp));
  IMMURE_TRY(plan_start(b));
  describe_layers(b, facts);
  b.plan.entered = facts.namespaces;
  b.plan.clone_flags = b.plan.unshare_flags = 0;
  b.plan.uid_map.clear();
  b.plan.gid_map.clear();
  b.plan.map_by_helper = false;
  // Of the whole jail, whose own supervisor keeps them.
  b.plan.wall_limit_ns = b.plan.cpu_time_limit_ns = 0;
  return std::move(b.plan);
}

}  // namespace immure

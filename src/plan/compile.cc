#include "plan/compile.h"

#include <algorithm>

#include "base/text.h"
#include "plan/builder.h"

namespace immure {

uint32_t Builder::text(std::string_view value) {
  if (value.empty()) return 0;
  auto offset = static_cast<uint32_t>(plan.arena.size());
  plan.arena.append(value);
  plan.arena.push_back('\0');
  return offset;
}

Step& Builder::add(Op op, Side side, Layer layer) {
  Step step{};
  step.op = op;
  step.side = side;
  step.layer = layer;
  auto& list = phase == Phase::Skeleton ? skeleton : phase == Phase::Attach ? attach : plan.steps;
  list.push_back(step);
  return list.back();
}

Step& Builder::add(Op op, Side side, Layer layer, std::string_view s, std::string_view t) {
  uint32_t first = text(s), second = text(t);
  Step& step = add(op, side, layer);
  step.s = first;
  step.t = second;
  return step;
}

Status Builder::lacks(Layer l, State state, std::string reason, std::string remedy) {
  LayerPlan& entry = layer(l);
  if (entry.need == Need::Require) {
    std::string how = std::move(remedy);
    if (!how.empty()) how += "; or ";
    how += std::string("say --need ") + key(l) + "=prefer to run without it";
    return fail(Code::kLayer, std::string("the layer \"") + name(l) + "\" cannot be had here",
                std::move(reason), std::move(how), spec.origin_text(spec.need_by[static_cast<size_t>(l)]));
  }
  entry.state = state;
  entry.reason = std::move(reason);
  return {};
}

namespace {

// Without these there is no jail to speak of, so they cannot be asked away.
constexpr Layer kAlways[] = {Layer::Root, Layer::Mounts, Layer::Devices, Layer::Fds};

Status refuse_impossible_needs(const Builder& b) {
  if (!b.host.capabilities_known)
    return fail(Code::kSystem, "immure cannot learn what it may do", "capget(2) fails: something around immure forbids it",
                "start it where its system calls are not filtered");
  for (Layer layer : kAlways)
    if (!b.wants(layer))
      return fail(Code::kUsage, std::string("--need ") + key(layer) + "=off is not possible", "every jail has this layer",
                  "take it back; grants loosen it by name (--bind, --dev, --pass-fd)");
  return {};
}

void start_layers(Builder& b) {
  for (int i = 0; i < kLayerCount; i++) {
    auto l = static_cast<Layer>(i);
    b.layer(l).need = b.spec.need_of(l);
    if (!b.wants(l)) {
      b.layer(l).state = State::Off;
      b.layer(l).reason = "switched off by --need";
      b.weakened(std::string(name(l)) + " is off");
    }
  }
  for (int i = 0; i < kWeakenCount; i++) {
    auto w = static_cast<Weaken>(i);
    if (b.spec.has(w)) b.weakened(std::string("--weaken ") + key(w) + ": " + sentence(w));
  }
}

// Older kernels refuse shared memory to a child that is to enter another time namespace. Who has entered a jail is in
// its time namespace already.
bool has_own_memory(const Builder& b) {
  return !b.plan.enters && (b.plan.unshare_flags & uapi::kCloneNewTime) != 0 && !b.features.time_ns_on_exec;
}

// Who makes what is known now: pid 1 waits for the parent where it first needs something of the parent's.
void await_sources(Plan& plan) {
  std::array<bool, kSlots> made{}, handed_over{};   // by the parent; to pid 1
  for (const Step& step : plan.steps)
    if (step.side == Side::Parent && step.out >= 0) made[static_cast<uint8_t>(step.out)] = true;
  size_t first = plan.steps.size();
  auto needs = [&](size_t at, int slot) {
    if (slot < 0 || !made[static_cast<size_t>(slot)]) return;
    if (!handed_over[static_cast<size_t>(slot)]) plan.handed_over.push_back(static_cast<int8_t>(slot));
    handed_over[static_cast<size_t>(slot)] = true;
    if (plan.steps[at].side == Side::Child) first = std::min(first, at);
  };
  size_t behind_child = 0;
  for (size_t i = 0; i < plan.steps.size(); i++) {
    const Step& step = plan.steps[i];
    if (step.side == Side::Parent) continue;
    if (step.side == Side::Child) behind_child = i + 1;
    needs(i, step.a);
    needs(i, step.b);
    if (step.op == Op::FsSetFdPath && step.x < kSlots) needs(i, static_cast<int>(step.x));
  }
  if (plan.handed_over.empty()) return;
  Step await{};
  await.op = Op::AwaitSources;
  await.side = Side::Child;
  await.layer = Layer::Root;
  // The program's process takes over what pid 1 has.
  plan.steps.insert(plan.steps.begin() + static_cast<ptrdiff_t>(std::min(first, behind_child)), await);
}

}  // namespace

// After the parent has read what it wants to know of pid 1, nobody else may: not its memory, not its files. In a new
// jail there is nobody else until the program starts; who enters one is looked at from its first moment in it.
void plan_gate(Builder& b) {
  Side side = has_own_memory(b) || b.plan.enters ? Side::AfterGate : Side::Payload;
  b.add(Op::AwaitGo, side, Layer::PidNs);
  b.add(Op::Dumpable, side, Layer::PidNs).x = 0;
}

Status plan_start(Builder& b) {
  if (b.out_of_slots)
    return fail(Code::kUsage, "there are too many grants", "each takes a descriptor or more while the jail is made, and there are " + num(kSlots),
                "grant a directory that holds several of them, or put them below one root (--root)");
  b.add(Op::Start, Side::AfterGate, Layer::Fds).x = has_own_memory(b) ? 1 : 0;
  b.add(Op::Exec, Side::Payload, Layer::Fds);
  await_sources(b.plan);
  return check_order(b.plan);
}

Result<Plan> compile(const JailSpec& spec, const Features& features, const Host& host, const HostFiles& files,
                     char* const* environment) {
  Builder b(spec, features, host, files, environment);
  b.defaults = default_limits(host.memory_bytes, host.processors);
  b.plan.arena.reserve(8192);
  b.plan.arena.push_back('\0');
  b.plan.steps.reserve(160);
  b.source_side = host.privileged ? Side::Parent : Side::Child;
  // Before 6.13 the layers of an overlay must be mounts of the namespace that stacks them.
  bool overlay = !spec.root.value.empty();
  b.root_side = host.privileged && (!overlay || features.overlay_layer_fds) ? Side::Parent : Side::Child;
  IMMURE_TRY(refuse_impossible_needs(b));
  start_layers(b);

  using Part = Status (*)(Builder&);
  // The order of the parts is the order of the steps; check_order() holds what must be true of it.
  constexpr Part kParts[] = {choose_terminal, plan_cgroup,  plan_namespaces, plan_ids,       plan_root,      plan_devices,
                             plan_proc,    plan_grants,     plan_pivot,     plan_masks,     plan_inside,    plan_terminal,  plan_limits,
                             plan_privilege, plan_landlock, plan_program,   plan_seccomp,   plan_start};
  for (Part part : kParts) IMMURE_TRY(part(b));
  return std::move(b.plan);
}

}  // namespace immure

// Capabilities, secure bits, no_new_privs. Default: all five sets empty, and nothing that could fill them.
#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

// linux/securebits.h: no privilege by uid 0, no change of sets by uid changes, none kept, none raised; locked.
constexpr uint64_t kNoroot = 1 << 0, kNoSetuidFixup = 1 << 2, kKeepCapsLocked = 1 << 5, kNoAmbientRaise = 1 << 6;
constexpr uint64_t kLocked = kNoroot << 1 | kNoSetuidFixup << 1 | kKeepCapsLocked | kNoAmbientRaise << 1;

}  // namespace

Status plan_privilege(Builder& b) {
  uint64_t keep = b.spec.caps_add;
  if (keep != 0 && !b.user_ns)
    return fail(Code::kLayer, "--cap-add needs the user namespace",
                "without it the capability would be one over the host", "take --need user-ns=off back",
                b.spec.origin_text(b.spec.set_by_word(Field::Caps)));
  if (b.wants(Layer::Capabilities)) {
    Step& bound = b.add(Op::BoundingSet, Side::Child, Layer::Capabilities);
    bound.x = keep;
    bound.y = b.features.last_capability;
  }
  if (!b.user_ns) {
    b.add(Op::SetGroups, Side::Child, Layer::Capabilities);
    b.add(Op::SetGid, Side::Child, Layer::Capabilities).x = b.plan.outside_gid;
  }
  if (b.wants(Layer::Securebits)) {
    uint64_t bits = kNoroot | kNoSetuidFixup | kLocked | (keep == 0 ? kNoAmbientRaise : 0);
    b.add(Op::Securebits, Side::Child, Layer::Securebits).x = bits;
    b.plan.securebits = static_cast<uint32_t>(bits);
    b.layer(Layer::Securebits).mechanism = "uid 0 gives no capability; locked";
  }
  if (!b.user_ns) {
    b.add(Op::SetUid, Side::Child, Layer::Capabilities).x = b.plan.outside_uid;
    b.add(Op::ParentDeathSignal, Side::Child, Layer::PidNs).x = 9;
    b.add(Op::Dumpable, Side::Child, Layer::Capabilities).x = 1;
  }
  if (b.wants(Layer::Capabilities)) {
    Step& set = b.add(Op::CapSet, Side::Child, Layer::Capabilities);
    set.x = set.y = set.z = keep;
    if (keep != 0) b.add(Op::AmbientSet, Side::Child, Layer::Capabilities).x = keep;
    b.plan.caps = keep;
    b.layer(Layer::Capabilities).mechanism = keep == 0 ? "all five sets empty" : "all but the granted ones dropped";
    if (keep != 0) b.weakened("--cap-add: capabilities inside the jail's user namespace (" + hex(keep) + ")");
  } else {
    b.plan.caps = ~uint64_t{0};
  }
  if (b.wants(Layer::NoNewPrivs)) {
    b.add(Op::NoNewPrivs, Side::Child, Layer::NoNewPrivs);
    b.layer(Layer::NoNewPrivs).mechanism = "set; set-id bits and file capabilities give nothing";
  }
  if (b.wants(Layer::Lsm))
    IMMURE_TRY(b.lacks(Layer::Lsm, State::Missing, "immure sets no label of AppArmor or SELinux; the caller's stays", {}));
  return {};
}

}  // namespace immure

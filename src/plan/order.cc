// The order that must hold, as data: A before B, because.
#include "plan/compile.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

struct Before {
  Op first, second;
  const char* because;
};

constexpr Before kOrder[] = {
    {Op::CgroupJoin, Op::Unshare, "a control group namespace takes the group that its maker is in as its root"},
    {Op::AwaitMaps, Op::SetUid, "an id that is not mapped cannot be taken"},
    {Op::SetGroups, Op::SetGid, "groups go while the privilege to drop them is there"},
    {Op::SetGid, Op::SetUid, "the group cannot be changed any more once the user is"},
    {Op::SetUid, Op::ParentDeathSignal, "a change of user clears the parent-death signal"},
    {Op::SetUid, Op::FsOpen, "what is mounted in a user namespace belongs to who mounts it"},
    {Op::AttachHere, Op::PivotRoot, "the root to be is attached before it is turned to"},
    {Op::Attach, Op::PivotRoot, "mounts are attached while sources can be reached"},
    {Op::PivotRoot, Op::LandlockEnforce, "Landlock forbids every change of mounts"},
    {Op::Attach, Op::LandlockEnforce, "Landlock forbids every change of mounts"},
    {Op::LandlockCreate, Op::LandlockEnforce, "rules come before they bind"},
    {Op::BoundingSet, Op::CapSet, "dropping from the bounding set takes CAP_SETPCAP"},
    {Op::Securebits, Op::CapSet, "the secure bits take CAP_SETPCAP"},
    {Op::KeyringJoin, Op::Seccomp, "the filter denies keyctl"},
    {Op::NoNewPrivs, Op::LandlockEnforce, "Landlock asks for no_new_privs from who has no privilege"},
    {Op::NoNewPrivs, Op::Seccomp, "so does seccomp"},
    {Op::CloseRange, Op::Seccomp, "the filter comes last"},
    {Op::CloseRange, Op::MoveFd, "descriptors that are kept must not be marked again"},
    {Op::MoveFd, Op::VerifyFds, "the check is of what the program will have"},
    {Op::Dumpable, Op::Exec, "nobody looks into what becomes the program"},
    {Op::AwaitGo, Op::Exec, "no program starts in a jail that was not verified"},
    {Op::Seccomp, Op::Exec, "the program starts filtered"},
};

}  // namespace

Status check_order(const Plan& plan) {
  auto rank = [](const Step& step, size_t index) { return static_cast<size_t>(step.side) * 100000 + index; };
  bool user_ns = (plan.clone_flags & uapi::kCloneNewUser) != 0;
  for (const Before& rule : kOrder) {
    if (rule.first == Op::SetUid && rule.second == Op::FsOpen && !user_ns) continue;   // root's own mounts
    size_t last_first = 0, first_second = SIZE_MAX;
    bool any_first = false;
    for (size_t i = 0; i < plan.steps.size(); i++) {
      const Step& step = plan.steps[i];
      // A tmpfs that the parent makes belongs to the parent: the rule is about the child's own mounts.
      if (step.side == Side::Parent) continue;
      if (step.op == rule.first) {
        last_first = rank(step, i);
        any_first = true;
      }
      if (step.op == rule.second && first_second == SIZE_MAX) first_second = rank(step, i);
    }
    if (any_first && first_second != SIZE_MAX && last_first > first_second)
      return fail(Code::kSystem, std::string("the plan's order is wrong: ") + name(rule.first) + " comes after " + name(rule.second),
                  rule.because, "this is a defect of immure: please report it");
  }
  return {};
}

}  // namespace immure

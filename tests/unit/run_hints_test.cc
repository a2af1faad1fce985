// Every row of the table of causes is rendered, and none is out of reach behind an earlier one.
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <set>
#include <string>

#include "base/text.h"
#include "run/hints.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

uint32_t put(Plan& plan, const std::string& text) {
  if (plan.arena.empty()) plan.arena.push_back('\0');
  uint32_t at = static_cast<uint32_t>(plan.arena.size());
  plan.arena += text;
  plan.arena.push_back('\0');
  return at;
}

// A plan whose last step is `op`, working on a descriptor of `object`.
struct Scene {
  Plan plan;
  JailSpec spec;
  HintFacts facts;

  explicit Scene(Op op, When when = When::Always) {
    facts.around.privileged = true;
    spec.add_origin("argument 3 (--bind)");
    Step open{};
    open.op = Op::FsOpen;
    open.out = 1;
    open.s = put(plan, when == When::Overlay                            ? "overlay"
                       : when == When::Proc || when == When::ProcMasked ? "proc"
                                                                        : "tmpfs");
    plan.steps.push_back(open);
    Step step{};
    step.op = op;
    step.a = 1;
    step.s = put(plan, op == Op::FsOpen ? "overlay" : "/srv/data");
    step.t = put(plan, "value");
    step.x = op == Op::Unshare ? uapi::kCloneNewTime | uapi::kCloneNewCgroup : 7;
    step.y = 443;
    plan.steps.push_back(step);
    switch (when) {
      case When::Always:
      case When::Overlay:
      case When::Proc: break;
      case When::Unprivileged: facts.around.privileged = false; break;
      case When::UnderFilter: facts.around.seccomp_filter = true; break;
      case When::Container: facts.around.container = true; break;
      case When::UserNsRestricted:
        facts.around.privileged = false;
        facts.around.apparmor_restricts = 1;
        break;
      case When::AppArmor: facts.apparmor = true; break;
      case When::Chrooted: facts.around.chrooted = true; break;
      case When::ProcMasked: facts.around.proc_masked = true; break;
      case When::Asked: plan.steps.back().origin = 0; break;
    }
  }
  Error explain(int err) { return explain_step(plan, spec, 1, err, facts); }
};

bool is_sentence(const std::string& text) {
  return text.size() > 10 && text.find('%') == std::string::npos && text.find("''") == std::string::npos &&
         text.back() != '.' && text.find('\n') == std::string::npos;
}

// The words of a text that are not placeholders, to find a row again in what was rendered.
std::string longest_plain_part(const std::string& text) {
  std::string best, part;
  for (size_t i = 0; i <= text.size(); i++) {
    if (i == text.size() || text[i] == '%') {
      if (part.size() > best.size()) best = part;
      part.clear();
      i++;
      continue;
    }
    part += text[i];
  }
  return best;
}

TEST(Hints, EveryRowIsRenderedAndReached) {
  for (const HintRow& row : hint_rows()) {
    // A row of any operation is shown with one that has no row of its own for that errno.
    Scene scene(row.any ? Op::TtyDescriptors : row.op, row.when);
    Error error = scene.explain(row.err);
    std::string shown = format(error);
    SCOPED_TRACE(shown);
    EXPECT_EQ(error.sys_errno, row.err);
    EXPECT_EQ(error.code, row.code);
    EXPECT_TRUE(is_sentence(error.what));
    EXPECT_TRUE(is_sentence(error.why));
    EXPECT_GE(error.how.size(), 5u);
    EXPECT_NE(error.why.find(longest_plain_part(row.why)), std::string::npos)
        << "hidden by another row: " << row.why;
    EXPECT_NE(error.how.find(longest_plain_part(row.how)), std::string::npos) << row.how;
    EXPECT_NE(shown.find(errno_name(row.err)), std::string::npos);
  }
}

TEST(Hints, EveryOperationHasASentenceOfItsOwn) {
  std::set<std::string> seen;
  for (int i = 0; i <= static_cast<int>(Op::Exec); i++) {
    Op op = static_cast<Op>(i);
    ASSERT_STRNE(step_sentence(op), "") << i;
    Scene scene(op);
    // An errno that no row knows.
    Error error = scene.explain(ENOTUNIQ);
    EXPECT_TRUE(is_sentence(error.what)) << error.what;
    EXPECT_NE(error.why.find(name(op)), std::string::npos) << error.why;
    EXPECT_FALSE(error.how.empty());
    seen.insert(step_sentence(op));
  }
  EXPECT_GE(seen.size(), static_cast<size_t>(Op::Exec)) << "FsSet and FsSetFlag share one";
}

TEST(Hints, ObjectAndOriginAreNamed) {
  Scene scene(Op::OpenTree, When::Asked);
  Error error = scene.explain(ENOENT);
  EXPECT_EQ(error.what, "'/srv/data' cannot be taken into the jail");
  EXPECT_EQ(error.why, "it does not exist");
  EXPECT_EQ(error.origin, "argument 3 (--bind)");
  EXPECT_EQ(error.code, Code::kMissingSource);

  Scene mount(Op::FsMount, When::Overlay);
  EXPECT_EQ(mount.explain(EPERM).what, "the jail's overlay cannot be mounted");
  EXPECT_NE(mount.explain(EPERM).how.find("--weaken plain-root"), std::string::npos);
}

TEST(Hints, ObjectIsFollowedThroughSlots) {
  Plan plan;
  Step open{};
  open.op = Op::FsOpen;
  open.out = 1;
  open.s = put(plan, "devpts");
  Step mount{};
  mount.op = Op::FsMount;
  mount.a = 1;
  mount.out = 2;
  Step tree{};
  tree.op = Op::OpenTree;
  tree.out = 3;
  tree.s = put(plan, "/usr");
  Step flags{};
  flags.op = Op::MountAttributes;
  flags.a = 2;
  Step expect{};
  expect.op = Op::ExpectInode;
  expect.a = 3;
  Step stray{};
  stray.op = Op::MountAttributes;
  stray.a = 9;
  plan.steps = {open, mount, tree, flags, expect, stray};
  JailSpec spec;
  HintFacts facts;
  EXPECT_EQ(explain_step(plan, spec, 3, EINVAL, facts).what, "the mount flags of devpts cannot be set");
  EXPECT_EQ(explain_step(plan, spec, 4, ESTALE, facts).what,
            "'/usr' is not what it was when the jail was planned");
  EXPECT_EQ(explain_step(plan, spec, 5, EINVAL, facts).what,
            "the mount flags of a mount of the jail cannot be set");
  EXPECT_EQ(explain_step(plan, spec, 99, EINVAL, facts).code, Code::kStep);
}

TEST(Hints, TextsOfTheJailCannotDrawOnTheTerminal) {
  Scene scene(Op::Chdir);
  scene.plan.steps.back().s = put(scene.plan, "/\x1b[2Jevil");
  EXPECT_EQ(scene.explain(ENOENT).what.find('\x1b'), std::string::npos);
}

TEST(Hints, LimitIsNamed) {
  Scene scene(Op::Rlimit);
  scene.plan.steps.back().x = RLIMIT_NOFILE;
  Error error = scene.explain(EPERM);
  EXPECT_EQ(error.what, "the limit of nofile cannot be set");
  EXPECT_NE(error.why.find("443"), std::string::npos);
}

TEST(Hints, SingleNamespaceIsExplainedByWhatTheHostSays) {
  Scene scene(Op::Unshare);
  scene.plan.steps.back().x = uapi::kCloneNewTime;
  Error error = scene.explain(EINVAL);
  EXPECT_EQ(error.what, "the jail cannot have its own time namespace");
  EXPECT_EQ(error.why, "the kernel has no time namespaces");
  EXPECT_NE(error.how.find("CONFIG_TIME_NS"), std::string::npos);
  EXPECT_EQ(error.code, Code::kLayer);
}

// ---- clone --------------------------------------------------------------------------------------
Plan clone_plan(uint64_t flags) {
  Plan plan;
  plan.clone_flags = flags;
  return plan;
}

TEST(CloneHints, EachSwitchThatTurnsUserNamespacesOffIsNamed) {
  Plan plan = clone_plan(uapi::kCloneNewUser | uapi::kCloneNewPid);
  HintFacts facts;
  facts.around.userns_clone = 0;
  EXPECT_NE(explain_clone(plan, EPERM, facts).why.find("kernel.unprivileged_userns_clone"),
            std::string::npos);
  facts = {};
  facts.around.max_user_ns = 0;
  EXPECT_NE(explain_clone(plan, ENOSPC, facts).why.find("user.max_user_namespaces is 0"), std::string::npos);
  facts = {};
  facts.around.apparmor_restricts = 1;
  EXPECT_NE(explain_clone(plan, EACCES, facts).how.find("apparmor_restrict_unprivileged_userns=0"),
            std::string::npos);
  facts = {};
  facts.around.seccomp_filter = true;
  EXPECT_NE(explain_clone(plan, EPERM, facts).why.find("seccomp filter"), std::string::npos);
  EXPECT_EQ(explain_clone(plan, EPERM, facts).what, "the jail cannot have its user, pid namespaces");
}

TEST(CloneHints, LimitsAndGroups) {
  Plan plan = clone_plan(uapi::kCloneNewPid | uapi::kCloneNewNs);
  HintFacts facts;
  facts.around.privileged = true;
  for (int err : {EAGAIN, ENOMEM, ENOSPC, EINVAL, EPERM, ENOSYS, EBUSY, EUSERS}) {
    Error error = explain_clone(plan, err, facts);
    EXPECT_TRUE(is_sentence(error.why)) << err;
    EXPECT_FALSE(error.how.empty()) << err;
    EXPECT_EQ(error.sys_errno, err);
  }
  EXPECT_EQ(explain_clone(plan, EAGAIN, facts).code, Code::kSystem);
  EXPECT_NE(explain_clone(plan, ENOSYS, facts).why.find("clone3"), std::string::npos);
  plan.cgroup.push_back({"/sys/fs/cgroup/x", {}, "unified", true, kNoSlot, false});
  EXPECT_NE(explain_clone(plan, EBUSY, facts).how.find("--scope"), std::string::npos);
  EXPECT_NE(explain_clone(plan, EACCES, facts).how.find("Delegate"), std::string::npos);
}

TEST(CloneHints, ObservedFactsDoNotCrash) {
  Plan plan = clone_plan(uapi::kCloneNewUser);
  EXPECT_FALSE(explain_clone(plan, EPERM).why.empty());
}

}  // namespace
}  // namespace immure::run

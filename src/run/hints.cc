#include "run/hints.h"

#include <errno.h>

#include "base/text.h"
#include "kernel/lsm.h"
#include "kernel/proc.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

struct Kind {
  uint64_t flag;
  const char* name;  // as kernel/probe.h calls it
};
constexpr Kind kKinds[] = {
    {uapi::kCloneNewUser, "user"},     {uapi::kCloneNewNs, "mount"},  {uapi::kCloneNewPid, "pid"},
    {uapi::kCloneNewNet, "net"},       {uapi::kCloneNewIpc, "ipc"},   {uapi::kCloneNewUts, "uts"},
    {uapi::kCloneNewCgroup, "cgroup"}, {uapi::kCloneNewTime, "time"},
};

std::string namespaces(uint64_t flags) {
  std::string text;
  int count = 0;
  for (const Kind& kind : kKinds) {
    if ((flags & kind.flag) == 0) continue;
    text += (count++ == 0 ? "" : ", ") + std::string(kind.name);
  }
  return text + (count == 1 ? " namespace" : " namespaces");
}

// What the step's descriptor is of: the path or the file system of the step that filled the slot.
std::string object(const Plan& plan, uint32_t index) {
  int8_t slot = plan.steps[index].a;
  for (uint32_t i = index; slot != kNoSlot && i-- > 0;) {
    const Step& step = plan.steps[i];
    if (step.out != slot) continue;
    if (step.op == Op::FsOpen) return plan.text(step.s);
    if (step.op == Op::OpenTree || step.op == Op::Open) return quoted(plan.text(step.s));
    slot = step.a;  // FsMount: of the file system in a
  }
  return "a mount of the jail";
}

std::string expand(const char* text, const Plan& plan, uint32_t index) {
  const Step& step = plan.steps[index];
  std::string out;
  for (const char* c = text; *c != '\0'; c++) {
    if (*c != '%' || c[1] == '\0') {
      out += *c;
      continue;
    }
    switch (*++c) {
      case 's':
        out += step.op == Op::FsOpen ? std::string(plan.text(step.s)) : quoted(plan.text(step.s));
        break;
      case 't': out += printable(plan.text(step.t)); break;
      case 'o': out += object(plan, index); break;
      case 'x': out += num(step.x); break;
      case 'y': out += num(step.y); break;
      case 'n': out += namespaces(step.x); break;
      case 'r': out += limit_name(static_cast<int>(step.x)); break;
      case 'c': out += name(step.op); break;
      default: out += *c;
    }
  }
  return out;
}

bool holds(When when, const Plan& plan, uint32_t index, const HintFacts& facts) {
  switch (when) {
    case When::Always: return true;
    case When::Unprivileged: return !facts.around.privileged;
    case When::UnderFilter: return facts.around.seccomp_filter;
    case When::Container: return facts.around.container;
    case When::UserNsRestricted:
      return facts.around.apparmor_restricts.value_or(0) != 0 && !facts.around.privileged;
    case When::AppArmor: return facts.apparmor;
    case When::Chrooted: return facts.around.chrooted;
    case When::ProcMasked: return facts.around.proc_masked && object(plan, index) == "proc";
    case When::Asked: return plan.steps[index].origin != kNoOrigin;
    case When::Overlay: return object(plan, index) == "overlay";
    case When::Proc: return object(plan, index) == "proc";
  }
  return false;
}

const HintRow* find(const Plan& plan, uint32_t index, int err, const HintFacts& facts) {
  for (const HintRow& row : hint_rows())
    if ((row.any || row.op == plan.steps[index].op) && row.err == err && holds(row.when, plan, index, facts))
      return &row;
  return nullptr;
}

// Of several namespaces made at once the kernel does not say which it refused: the user namespace is asked
// first, as it is the one that hosts refuse.
Fact namespace_fact(uint64_t flags, int err, const Surroundings& around) {
  if ((flags & uapi::kCloneNewUser) != 0) return user_ns_fact(UserNsStage::Create, err, around);
  for (const Kind& kind : kKinds)
    if (flags == kind.flag) return ns_fact(kind.name, err, Fact{}, around);
  return Fact{};
}

}  // namespace

HintFacts observe_hint_facts() {
  HintFacts facts;
  facts.around = observe_surroundings();
  facts.apparmor = active_lsms().find("apparmor") != std::string::npos;
  return facts;
}

Error explain_step(const Plan& plan, const JailSpec& spec, uint32_t step_index, int err,
                   const HintFacts& facts) {
  if (step_index >= plan.steps.size())
    return Error{Code::kStep, err, "the jail cannot be set up", "a step that is not in the plan failed",
                 {},          {}};
  const Step& step = plan.steps[step_index];
  Error error;
  error.code = Code::kStep;
  error.sys_errno = err;
  error.what = expand(step_sentence(step.op), plan, step_index);
  error.origin = spec.origin_text(step.origin);
  Fact fact;
  if (step.op == Op::Unshare) fact = namespace_fact(step.x, err, facts.around);
  if (!fact.ok) {
    error.code = Code::kLayer;
    error.why = fact.reason;
    error.how = fact.remedy;
    return error;
  }
  const HintRow* row = find(plan, step_index, err, facts);
  if (row == nullptr) {
    error.why = std::string(name(step.op)) + " failed, for the layer \"" + name(step.layer) + "\"";
    error.how = "`immure doctor` says what this host lacks and how to mend it";
    return error;
  }
  error.code = row->code;
  error.why = expand(row->why, plan, step_index);
  error.how = expand(row->how, plan, step_index);
  return error;
}

Error explain_step(const Plan& plan, const JailSpec& spec, uint32_t step_index, int err) {
  return explain_step(plan, spec, step_index, err, observe_hint_facts());
}

Error explain_clone(const Plan& plan, int err, const HintFacts& facts) {
  Error error{Code::kLayer, err, "the jail cannot have its " + namespaces(plan.clone_flags), {}, {}, {}};
  bool into_group = false;
  for (const CgroupDir& group : plan.cgroup) into_group = into_group || group.into;
  auto because = [&](Code code, const char* why, const char* how) {
    error.code = code;
    error.why = why;
    error.how = how;
    return error;
  };
  if (err == EAGAIN)
    return because(Code::kSystem,
                   "no more processes may be made: a limit of the user, of its control group or of the "
                   "host is reached",
                   "end some processes, or raise the limit (ulimit -u; sysctl kernel.pid_max)");
  if (err == ENOMEM)
    return because(Code::kSystem, "the kernel has no memory for another process", "end something else");
  if (into_group && (err == EBUSY || err == EOPNOTSUPP))
    return because(Code::kLayer,
                   "its control group cannot hold processes: it hands controllers to groups below it",
                   "start immure from a leaf group: systemd-run --user --scope immure …");
  if (into_group && (err == EACCES || err == ENODEV || err == ENOENT))
    return because(Code::kLayer, "its control group is not delegated to the caller, or is gone",
                   "systemd-run --user --scope -p Delegate=yes immure …");
  if (err == ENOSYS && !facts.around.seccomp_filter)
    return because(Code::kLayer, "the kernel has no clone3(2)",
                   "a kernel from 5.3 on; 5.7 for control groups");
  Fact fact = namespace_fact(plan.clone_flags, err, facts.around);
  if (!fact.ok) {
    error.why = fact.reason;
    error.how = fact.remedy;
    return error;
  }
  if (err == ENOSPC)
    return because(Code::kLayer, "a limit of namespaces is reached",
                   "as root: raise the sysctl user.max_*_namespaces that is used up");
  if (err == EINVAL)
    return because(Code::kLayer, "the kernel was built without one of them",
                   "`immure doctor` says without which");
  if (err == EPERM || err == ENOSYS)
    return because(Code::kLayer,
                   facts.around.seccomp_filter
                       ? "a seccomp filter that the caller runs under refuses it"
                       : "the caller may not make namespaces, or a security module refuses it",
                   "`immure doctor` tries each one and says why");
  return because(Code::kLayer, "clone3 failed",
                 "`immure doctor` says what this host lacks and how to mend it");
}

Error explain_clone(const Plan& plan, int err) { return explain_clone(plan, err, observe_hint_facts()); }

}  // namespace immure::run

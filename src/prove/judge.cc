#include "prove/judge.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/result.h"
#include "base/text.h"
#include "prove/refusals.h"

namespace immure::prove {
namespace {

using probes::Outcome;

// The kernel or the host has no such thing; nobody stopped anything.
bool means_absent(int error) {
  switch (error) {
    case ENOSYS:
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case EPFNOSUPPORT:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
    case ENOTDIR:
    case ENODATA:
    case ENOTTY: return true;
    default: return false;
  }
}

// What it looks for is not there to be found, or leads nowhere.
bool finds_nothing(int error) { return error == ENOMSG || error == ENETUNREACH; }

// By these a filter or a limit ends a program. By others it ends of its own fault, which shows nothing.
bool is_an_answer(int signal) {
  return signal == SIGSYS || signal == SIGKILL || signal == SIGXCPU || signal == SIGXFSZ;
}

bool succeeded(const Observation& seen) {
  if (seen.ending != Ending::Said) return false;
  return seen.outcome == Outcome::Exposed || (seen.outcome == Outcome::Escaped && seen.proven);
}

// Why a control did not succeed.
Judged without_success(Judged judged, bool as_root) {
  const Observation& control = judged.control;
  const bool is_jail = judged.probe->control.place == probes::Control::Place::Jail;
  auto not_applicable = [&](std::string why) {
    judged.verdict = Verdict::NotApplicable;
    judged.why = std::move(why);
    return std::move(judged);
  };
  judged.verdict = Verdict::Inconclusive;
  switch (control.ending) {
    case Ending::NotRun:
      judged.why = (judged.probe->flags & probes::kFatal) != 0
                       ? "its control ends the machine: " + judged.by
                       : "there is no control to compare with";
      return judged;
    case Ending::NotStarted: judged.why = "the control did not start: " + control.text; return judged;
    case Ending::Killed:
    case Ending::Hangs:
    case Ending::Lost:
    case Ending::EndedAll: judged.why = "the control failed, too: " + ended_by(control); return judged;
    case Ending::Said: break;
  }
  if (control.outcome == Outcome::NotApplicable) return not_applicable(control.text);
  if (means_absent(control.error) || (!is_jail && finds_nothing(control.error)))
    return not_applicable("this host has none: without the protection it ends with " + ended_by(control));
  if (control.error == EPERM || control.error == EACCES) {
    if (!as_root) return not_applicable("this user may not do it outside either: " + ended_by(control));
    // To root a host without a jail refuses little; else the control is broken, and would hide the attack.
    if (const char* host = refusal_of(*judged.probe); host != nullptr && !is_jail)
      return not_applicable("refused without the protection, too, as by " + std::string(host) + ": " +
                            ended_by(control));
  }
  if (!is_jail && judged.probe->category == probes::Category::Resources)
    return not_applicable("limits of this host's own end it without a jail, too: " + ended_by(control));
  judged.why = "the control failed, too: " + ended_by(control);
  return judged;
}

}  // namespace

const char* key(Verdict verdict) {
  constexpr const char* kKeys[] = {"blocked", "escaped", "exposed", "not-applicable", "inconclusive"};
  return kKeys[static_cast<int>(verdict)];
}

std::string ended_by(const Observation& seen) {
  auto signal_name = [](int number) {
    const char* abbreviation = sigabbrev_np(number);
    return abbreviation == nullptr ? "signal " + num_signed(number) : "SIG" + std::string(abbreviation);
  };
  switch (seen.ending) {
    case Ending::NotRun: return "nothing was tried";
    case Ending::Killed: return signal_name(seen.error);
    case Ending::Hangs: return "it hung and was killed";
    case Ending::Lost: return "it ended without a word";
    case Ending::EndedAll:
      return seen.status > 128 ? "all ended by " + signal_name(seen.status - 128)
                               : "all ended with status " + num_signed(seen.status);
    case Ending::NotStarted: return "it did not start";
    case Ending::Said: break;
  }
  if (seen.outcome == Outcome::Escaped && !seen.proven) return "an escape without proof";
  if (seen.outcome != Outcome::Stopped) return seen.text;
  std::string out = seen.error == 0 ? "nothing to find" : errno_name(seen.error);
  return seen.where.empty() ? out : out + " at " + seen.where;
}

Judged judge(const probes::Probe& probe, Observation inside, Observation control, bool as_root) {
  Judged judged{&probe, Verdict::Inconclusive, {}, 0, {}, std::move(inside), std::move(control)};
  const Observation& seen = judged.inside;
  switch (seen.ending) {
    case Ending::NotRun: judged.why = "it was not tried"; return judged;
    case Ending::Hangs:
    case Ending::Lost: judged.why = ended_by(seen); return judged;
    case Ending::Said:
      if (seen.outcome == Outcome::NotApplicable) {
        judged.verdict = Verdict::NotApplicable;
        judged.why = seen.text;
        return judged;
      }
      if (succeeded(seen)) {
        judged.verdict = seen.outcome == Outcome::Escaped ? Verdict::Escaped : Verdict::Exposed;
        judged.why = seen.text;
        return judged;
      }
      if (seen.outcome == Outcome::Escaped) {
        judged.why = "it says that it escaped, and the proof is missing: " + seen.text;
        return judged;
      }
      // What was there already, left by somebody or put there, is no protection.
      if (seen.error == EEXIST) {
        judged.why = "something was in its way: " + ended_by(seen);
        return judged;
      }
      break;
    case Ending::Killed:
      if (is_an_answer(seen.error)) break;
      judged.why = "it crashed: " + ended_by(seen);
      return judged;
    case Ending::EndedAll:  // which shows something only of a limit: that is how it ends what goes beyond
      if ((probe.flags & probes::kSolo) != 0) break;
      judged.why = ended_by(seen);
      return judged;
    case Ending::NotStarted:  // refused, for what was planted
      if (seen.for_planted) break;
      judged.why = "it did not start: " + seen.text;
      return judged;
  }
  judged.by = seen.ending == Ending::NotStarted ? seen.text : ended_by(seen);
  if (!succeeded(judged.control)) return without_success(std::move(judged), as_root);
  judged.verdict = Verdict::Blocked;
  return judged;
}

}  // namespace immure::prove

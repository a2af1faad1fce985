// The default policy's tests of arguments: what of a weighed call is allowed. Values; no state.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "filter/filter.h"

namespace immure::filter {

// How the default jail treats a call; default_calls.inc says which one how.
enum class Treatment : uint8_t {
  Deny,
  Refuse,  // EPERM, and not worth a word: what many programs try and do without
  Allow,
  Absent,  // ENOSYS
  Clone,
  Unshare,
  Trace,   // allowed with the option ptrace
  Ioctl,
  Prctl,
  Personality,
  MemfdCreate,
  Madvise,
  AdviseOther,
  Fcntl,
  Seccomp,
  Socket,
  Socketpair,
  Socketcall,
};

struct Weighing {
  const Options& options;
  Arch arch;
  Verdict denied;
  bool unshare_allowed;   // by a rule of the user
  bool merging_allowed;   // of pages, by a rule of the user about madvise
  bool allowed;           // the call itself, by a rule of the user
};

// The call's rules and its verdict otherwise; nr is left to the caller.
CallPolicy weigh(Treatment treatment, const Weighing& weighing);
// chmod and its kin.
bool changes_mode(std::string_view name);
// With the option no_fast_open: the rules of a call that sends; nothing for other calls.
std::optional<CallPolicy> without_fast_open(std::string_view name);
// With the option no_set_id, and of those that change a mode without it: the rules of a call that can give a file a set-id bit, or could without being seen; nothing
// for other calls.
std::optional<CallPolicy> without_set_id(std::string_view name, Verdict denied);

}  // namespace immure::filter

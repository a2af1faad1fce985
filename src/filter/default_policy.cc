#include <errno.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "filter/default_rules.h"
#include "filter/filter.h"
#include "uapi/syscalls.h"

namespace immure::filter {
namespace {

struct NamedTreatment {
  std::string_view name;
  Treatment treatment = Treatment::Deny;
};

#define CALLS(treatment, ...) std::initializer_list<std::string_view>({__VA_ARGS__}).size() +
constexpr size_t kTreated =
#include "filter/default_calls.inc"
    0;
#undef CALLS

// default_calls.inc, sorted by name.
constexpr auto kTreatments = [] {
  std::array<NamedTreatment, kTreated> sorted;
  size_t n = 0;
#define CALLS(treatment, ...) \
  for (std::string_view name : std::initializer_list<std::string_view>{__VA_ARGS__}) \
    sorted[n++] = {name, Treatment::treatment};
#include "filter/default_calls.inc"
#undef CALLS
  std::sort(sorted.begin(), sorted.end(),
            [](const NamedTreatment& a, const NamedTreatment& b) { return a.name < b.name; });
  return sorted;
}();

constexpr size_t index_of(std::string_view name) {
  size_t low = 0, high = kTreatments.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (kTreatments[middle].name < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < kTreatments.size() && kTreatments[low].name == name ? low : kTreatments.size();
}

constexpr uapi::SyscallName kNames64[] = {
#include "uapi/syscalls_x86_64.inc"
};
constexpr uapi::SyscallName kNames32[] = {
#include "uapi/syscalls_i386.inc"
};

// One of an architecture's numbers; also those without a call, which are absent.
struct Known {
  const char* name = nullptr;
  Treatment treatment = Treatment::Absent;
};

template <size_t Count>
constexpr auto by_number(const uapi::SyscallName (&names)[Count]) {
  std::array<Known, 512> calls;
  for (const uapi::SyscallName& call : names) {
    size_t index = index_of(call.name);
    calls[call.number] = {call.name, index < kTreatments.size() ? kTreatments[index].treatment : Treatment::Deny};
  }
  return calls;
}

// Made by the compiler, so that a start that changes the policy looks no name up.
constexpr auto kCalls64 = by_number(kNames64);
constexpr auto kCalls32 = by_number(kNames32);

bool is_a_call(std::string_view name) {
  for (const uapi::SyscallName& call : kNames64)
    if (name == call.name) return true;
  for (const uapi::SyscallName& call : kNames32)
    if (name == call.name) return true;
  return false;
}

constexpr bool table_is_sound() {
  std::array<bool, kTreatments.size() + 1> is_call{};
  for (const uapi::SyscallName& call : kNames64) is_call[index_of(call.name)] = true;
  for (const uapi::SyscallName& call : kNames32) is_call[index_of(call.name)] = true;
  for (size_t i = 0; i < kTreatments.size(); i++)
    if (!is_call[i] || (i > 0 && kTreatments[i - 1].name == kTreatments[i].name)) return false;
  return true;
}
static_assert(table_is_sound(), "default_calls.inc: a name that is no call, or one that stands twice");

// What the rules of the user say of a name: the last one holds.
enum class Word : uint8_t { None, Allow, Deny };

bool contains(std::string_view rule, std::string_view name) {
  if (rule == name) return true;
  std::optional<std::span<const std::string_view>> set = named_set(rule);
  return set && std::find(set->begin(), set->end(), name) != set->end();
}

Word word_about(const Options& options, std::string_view name) {
  for (size_t i = options.rules.size(); i-- > 0;)
    if (contains(options.rules[i].first, name)) return options.rules[i].second ? Word::Allow : Word::Deny;
  return Word::None;
}

Status check_rules(const Options& options) {
  for (const auto& [name, allow] : options.rules) {
    if (!named_set(name) && !is_a_call(name)) {
      std::string near = nearest_name(name);
      bool is_set = !name.empty() && name[0] == '@';
      return fail(Code::kBadValue, quoted(name) + (is_set ? " is no set of system calls" : " is no system call"),
                  "this version knows the calls of Linux 6.18 on x86-64 and i386",
                  near.empty() ? "" : "did you mean " + near + "?");
    }
    if (allow && name == "clone3") {
      return fail(Code::kFilter, "clone3 cannot be allowed",
                  "its flags are in memory, where no filter can look, so it could make any namespace",
                  "leave it out: programs fall back to clone");
    }
  }
  return {};
}

template <size_t Count>
ArchPolicy arch_policy(Arch arch, const std::array<Known, Count>& calls, const Options& options, Verdict denied) {
  ArchPolicy policy{arch, {}, denied, syscall_limit(arch), errno_verdict(ENOSYS)};
  bool unshare_allowed = word_about(options, "unshare") == Word::Allow, merging_allowed = word_about(options, "madvise") == Word::Allow;
  policy.calls.reserve(policy.first_unknown);
  for (uint32_t nr = 0; nr < policy.first_unknown; nr++) {
    const Known& known = calls[nr];
    Word word = known.name != nullptr && !options.rules.empty() ? word_about(options, known.name) : Word::None;
    Treatment treatment = known.treatment;
    if (word == Word::Deny && std::string_view(known.name) != "clone3") treatment = Treatment::Deny;
    CallPolicy call = weigh(treatment, {options, arch, denied, unshare_allowed, merging_allowed, word == Word::Allow});
    if (treatment == Treatment::Allow && word != Word::Allow && (options.no_set_id || changes_mode(known.name)))
      if (auto rules = without_set_id(known.name, denied)) call = std::move(*rules);
    if (options.no_fast_open && treatment == Treatment::Allow && word != Word::Allow)
      if (auto rules = without_fast_open(known.name)) call = std::move(*rules);
    call.nr = nr;
    policy.calls.push_back(std::move(call));
  }
  return policy;
}

}  // namespace

bool opens_set_id(const Options& options) {
  if (options.rules.empty()) return false;
  return std::any_of(kTreatments.begin(), kTreatments.end(), [&](const NamedTreatment& call) {
    return without_set_id(call.name, kAllow) && word_about(options, call.name) == Word::Allow;
  });
}

Result<Policy> default_policy(const Options& options) {
  IMMURE_TRY(check_rules(options));
  Verdict denied = options.listener ? SECCOMP_RET_USER_NOTIF : errno_verdict(EPERM);
  Policy policy;
  policy.foreign = errno_verdict(ENOSYS);
  policy.arches.push_back(arch_policy(Arch::X86_64, kCalls64, options, denied));
  if (options.compat32) policy.arches.push_back(arch_policy(Arch::I386, kCalls32, options, denied));
  IMMURE_TRY(check_launch(policy, options.listener));
  return policy;
}

}  // namespace immure::filter

#include <linux/audit.h>

#include <algorithm>

#include "base/text.h"
#include "filter/filter.h"
#include "uapi/syscalls.h"

namespace immure::filter {
namespace {

// `flags`: the argument in which AT_EMPTY_PATH says that a descriptor is meant, and no path; -1: there is
// none.
struct Recorded {
  std::string_view name;
  int flags = -1;
};
constexpr Recorded kRecorded[] = {
    {"open"},     {"openat"},    {"openat2"},       {"creat"},         {"execve"},
    {"execveat"}, {"stat"},      {"lstat"},         {"newfstatat", 3}, {"statx", 2},
    {"stat64"},   {"lstat64"},   {"fstatat64", 3},  {"oldstat"},       {"oldlstat"},
    {"access"},   {"faccessat"}, {"faccessat2", 3}, {"readlink"},      {"readlinkat"},
};
constexpr uint64_t kEmptyPath = 0x1000;  // AT_EMPTY_PATH

// A page of a file system that the program itself serves is read when the program says so.
constexpr std::string_view kMakesWait[] = {"userfaultfd", "mount", "fsmount"};
constexpr uint64_t kUserfaultApi =
    0xc018aa3f;  // UFFDIO_API: what is asked of a descriptor of /dev/userfaultfd, too

// Makes it listed where the policy does not list it.
CallPolicy& listed(ArchPolicy& arch, uint32_t nr) {
  auto place = std::lower_bound(arch.calls.begin(), arch.calls.end(), nr,
                                [](const CallPolicy& call, uint32_t wanted) { return call.nr < wanted; });
  if (place == arch.calls.end() || place->nr != nr)
    place = arch.calls.insert(place, {nr, {}, nr >= arch.first_unknown ? arch.unknown : arch.unlisted});
  return *place;
}

bool can_be_allowed(const CallPolicy& call) {
  auto allows = [](const Rule& rule) { return rule.verdict == kAllow; };
  return call.otherwise == kAllow || std::any_of(call.rules.begin(), call.rules.end(), allows);
}

// Whether a rule's own tests already say what `test` would: then it need not be made, or never holds.
std::optional<bool> known(const std::vector<ArgTest>& tests, const ArgTest& test) {
  for (const ArgTest& own : tests) {
    const bool same = own.op == ArgTest::Op::Eq && own.index == test.index && (!own.low32 || test.low32);
    if (!same) continue;
    return holds(test, own.value);
  }
  return std::nullopt;
}

// `tests` and those of `more`; none when they contradict.
std::optional<std::vector<ArgTest>> both(std::vector<ArgTest> tests, const std::vector<ArgTest>& more) {
  const std::vector<ArgTest> own = tests;
  for (const ArgTest& test : more) {
    std::optional<bool> is = known(own, test);
    if (is == false) return std::nullopt;
    if (!is) tests.push_back(test);
  }
  return tests;
}

// The rules of a call whose allowed ones are sent when `when` says so.
void send(CallPolicy& call, const std::vector<std::vector<ArgTest>>& when, Verdict verdict) {
  const bool always = when.empty();
  std::vector<Rule> rules;
  for (Rule& rule : call.rules) {
    if (rule.verdict == kAllow && always) rule.verdict = verdict;
    if (rule.verdict == kAllow)
      for (const auto& more : when)
        if (auto tests = both(rule.tests, more)) rules.push_back({std::move(*tests), verdict});
    rules.push_back(std::move(rule));
  }
  if (call.otherwise == kAllow && always) call.otherwise = verdict;
  if (call.otherwise == kAllow)
    for (const auto& more : when) rules.push_back({more, verdict});
  call.rules = std::move(rules);
}

}  // namespace

Policy sending(Policy policy, std::span<const SentCall> calls, Verdict verdict) {
  for (ArchPolicy& arch : policy.arches)
    for (const SentCall& sent : calls)
      if (sent.arch == arch.arch) send(listed(arch, sent.nr), sent.when, verdict);
  return policy;
}

std::vector<SentCall> calls_for_files() {
  std::vector<SentCall> calls;
  for (Arch arch : {Arch::X86_64, Arch::I386, Arch::X32})
    for (const Recorded& recorded : kRecorded) {
      std::optional<uint32_t> nr = syscall_number(arch, recorded.name);
      if (!nr) continue;
      SentCall& sent = calls.emplace_back(SentCall{arch, *nr});
      // What a descriptor is like is asked for each file that is read: it names none, and is not worth a word.
      if (recorded.flags >= 0)
        sent.when = {{{ArgTest::Op::MaskedEq, static_cast<uint8_t>(recorded.flags), true, 0, kEmptyPath}}};
    }
  return calls;
}

Status check_reading(const Policy& policy, std::string_view wanted, std::string_view instead) {
  auto would_wait = [&](std::string_view name) {
    return fail(Code::kFilter, std::string(wanted) + " while the filter allows " + std::string(name),
                "the program could keep whoever reads from its memory waiting",
                "take back what allows it, or " + std::string(instead));
  };
  for (ArchPolicy arch : policy.arches) {
    for (std::string_view name : kMakesWait) {
      std::optional<uint32_t> nr = syscall_number(arch.arch, name);
      if (nr && can_be_allowed(listed(arch, *nr))) return would_wait(name);
    }
    seccomp_data request{};
    request.arch = arch.arch == Arch::I386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
    request.nr = static_cast<int>(syscall_number(arch.arch, "ioctl").value_or(~0U));
    request.args[1] = kUserfaultApi;
    if (decide(policy, request) == kAllow) return would_wait("ioctl");
  }
  return {};
}

}  // namespace immure::filter

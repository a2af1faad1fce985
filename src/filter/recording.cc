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

tl::unexpected<Error> would_wait(std::string_view name) {
  return fail(Code::kFilter, "files cannot be recorded while the filter allows " + std::string(name),
              "the program could keep whoever reads from its memory waiting",
              "take back what allows it, or --record-files");
}

}  // namespace

Policy recording(Policy policy) {
  for (ArchPolicy& arch : policy.arches)
    for (const Recorded& recorded : kRecorded) {
      std::optional<uint32_t> nr = syscall_number(arch.arch, recorded.name);
      if (!nr) continue;
      CallPolicy& call = listed(arch, *nr);
      const bool always = call.rules.empty() && call.otherwise == kAllow;
      for (Rule& rule : call.rules)
        if (rule.verdict == kAllow) rule.verdict = SECCOMP_RET_USER_NOTIF;
      if (call.otherwise == kAllow) call.otherwise = SECCOMP_RET_USER_NOTIF;
      // What a descriptor is like is asked for each file that is read: it names none, and is not worth a
      // word.
      if (always && recorded.flags >= 0)
        call.rules.push_back(
            {{{ArgTest::Op::MaskedEq, static_cast<uint8_t>(recorded.flags), true, kEmptyPath, kEmptyPath}},
             kAllow});
    }
  return policy;
}

Status check_recording(const Policy& policy) {
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

// seccomp filters: from a policy to classic BPF, and back by evaluation. No system call is made here.
// Source: seccomp(2); Documentation/userspace-api/seccomp_filter.rst; kernel/seccomp.c for what the kernel's
// allow bitmap understands (only loads of nr and arch, JA, JEQ/JGE/JGT/JSET, AND, RET).
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::filter {

enum class Arch : uint8_t { X86_64, I386, X32 };

// A verdict is the kernel's own number: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | errno, SECCOMP_RET_USER_NOTIF …
using Verdict = uint32_t;
constexpr Verdict kAllow = SECCOMP_RET_ALLOW;
constexpr Verdict errno_verdict(int err) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(err & 0xffff); }

// A test of one argument. Masked and compared as 64 bits unless `low32`, which looks at what the kernel looks
// at for int-typed arguments (ioctl's request, socket's family): the low half only.
struct ArgTest {
  enum class Op : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, MaskedEq } op = Op::Eq;
  uint8_t index = 0;
  bool low32 = false;
  uint64_t value = 0, mask = ~uint64_t{0};   // MaskedEq: (arg & mask) == value
};

// All tests of a rule must hold; the first rule of a call that holds decides; else the call's `otherwise`.
struct Rule {
  std::vector<ArgTest> tests;
  Verdict verdict = kAllow;
};
struct CallPolicy {
  uint32_t nr = 0;
  std::vector<Rule> rules;
  Verdict otherwise = kAllow;
};
struct ArchPolicy {
  Arch arch = Arch::X86_64;
  std::vector<CallPolicy> calls;   // sorted by nr, each once
  Verdict unlisted;                // known calls that are not listed
  uint32_t first_unknown;          // numbers from here on are newer than the list:
  Verdict unknown;                 //   ENOSYS, so that programs fall back
};
struct Policy {
  std::vector<ArchPolicy> arches;  // what is not listed is a foreign entry
  Verdict foreign;
};

// Names. `name` is empty for a number without one.
std::string_view syscall_name(Arch arch, uint32_t nr);
std::optional<uint32_t> syscall_number(Arch arch, std::string_view name);
uint32_t syscall_limit(Arch arch);       // one above the highest number known
// "@mount" → its calls; nullopt for an unknown set.
std::optional<std::span<const std::string_view>> named_set(std::string_view name);
std::span<const std::string_view> named_sets();
std::string nearest_name(std::string_view wrong);   // of calls and sets

// The default jail's policy, and what the options change of it.
struct Options {
  bool listener = false;        // denied calls go to the supervisor (USER_NOTIF) and come back as EPERM
  bool nested_userns = false, ptrace = false, compat32 = false;
  std::vector<std::pair<std::string, bool>> rules;   // name or @set, allow; the later one wins
};
Result<Policy> default_policy(const Options& options);
Policy strict_policy(int exec_fd);   // read, write, exit, sigreturn
Policy init_policy();                // what pid 1 of the jail needs: wait, kill, read, write, poll, exit

// A balanced tree over ranges of numbers; equal neighbours are one leaf. Never more than BPF_MAXINSNS.
Result<std::vector<sock_filter>> compile(const Policy& policy);

// What a policy says, from the policy: the model that the compiled filter is tested against.
Verdict decide(const Policy& policy, const seccomp_data& call);
// What a program says: a small interpreter of the instructions that seccomp allows.
Result<Verdict> evaluate(std::span<const sock_filter> program, const seccomp_data& call);
// How many instructions the evaluation takes.
std::string disassemble(std::span<const sock_filter> program);
std::string verdict_text(Verdict verdict);   // "allow", "errno EPERM", "notify"

// The default policies, compiled when immure is built (gen/default_filter.inc): [0] plain, [1] with a listener.
std::span<const sock_filter> default_filter(bool listener);
std::span<const sock_filter> init_filter();

}  // namespace immure::filter

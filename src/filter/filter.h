// seccomp filters: from a policy to classic BPF, and back by evaluation. No system call is made here, nothing
// is kept between calls, no global state: every function may be called from any thread, none from a signal
// handler (they allocate).
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
#include <utility>
#include <vector>

#include "base/result.h"

namespace immure::filter {

// The entries of an x86-64 kernel. X32 shares x86-64's architecture and is told by bit 30 of the number: every
// number from 0x40000000 on is taken as X32's.
enum class Arch : uint8_t { X86_64, I386, X32 };

// A verdict is the kernel's own number: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | errno, SECCOMP_RET_USER_NOTIF …
using Verdict = uint32_t;
constexpr Verdict kAllow = SECCOMP_RET_ALLOW;
constexpr Verdict errno_verdict(int err) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(err & 0xffff); }

// A test of one argument. Compared as 64 bits without sign unless `low32`, which looks at what the kernel looks
// at for int-typed arguments (ioctl's request, socket's family): the low half only, of the value too.
struct ArgTest {
  enum class Op : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, MaskedEq } op = Op::Eq;
  uint8_t index = 0;                         // 0 to 5
  bool low32 = false;
  uint64_t value = 0, mask = ~uint64_t{0};   // MaskedEq: (arg & mask) == value; the others do not look at mask
};

// All tests of a rule must hold; the first rule of a call that holds decides; else the call's `otherwise`.
struct Rule {
  std::vector<ArgTest> tests;
  Verdict verdict = kAllow;
};
struct CallPolicy {
  uint32_t nr = 0;                 // X32: with the x32 bit
  std::vector<Rule> rules;
  Verdict otherwise = kAllow;
};
struct ArchPolicy {
  Arch arch = Arch::X86_64;
  std::vector<CallPolicy> calls;   // sorted by nr, each once
  Verdict unlisted = SECCOMP_RET_KILL_PROCESS;  // known calls that are not listed
  uint32_t first_unknown = 0;      // numbers from here on are newer than the list (X32: with the x32 bit):
  Verdict unknown = SECCOMP_RET_KILL_PROCESS;   //   ENOSYS, so that programs fall back
};
struct Policy {
  std::vector<ArchPolicy> arches;  // each at most once; what is not listed is a foreign entry
  Verdict foreign = SECCOMP_RET_KILL_PROCESS;
};

// Names. `name` is empty for a number without one. Numbers of X32 are with the x32 bit.
std::string_view syscall_name(Arch arch, uint32_t nr);
std::optional<uint32_t> syscall_number(Arch arch, std::string_view name);
uint32_t syscall_limit(Arch arch);       // one above the highest number known
// "@mount" → its calls, of all architectures; nullopt for an unknown set.
std::optional<std::span<const std::string_view>> named_set(std::string_view name);
std::span<const std::string_view> named_sets();
std::string nearest_name(std::string_view wrong);   // of calls and sets; empty when nothing is near

// The default jail's policy, and what the options change of it.
//
// An allow-list (default_calls.inc). What is denied gives EPERM; a call that is not there (a newer one, a number
// without a call, a foreign entry, clone3, the old asynchronous I/O) gives ENOSYS, so that programs fall back.
//
// Some calls are allowed by their arguments:
//   clone        no flag that makes a namespace (CLONE_NEWUSER with nested_userns), no CLONE_PARENT
//   unshare      denied; with nested_userns: no flag that makes another namespace than a user namespace
//   clone3       ENOSYS: its flags are in memory, where no filter looks
//   socket       AF_UNIX; AF_INET and AF_INET6 with TCP or UDP; AF_NETLINK with NETLINK_ROUTE. No raw sockets
//   socketpair   AF_UNIX
//   socketcall   (i386) not SYS_SOCKET and SYS_SOCKETPAIR: their arguments are in memory
//   ioctl        a list of requests: terminals, descriptors, interfaces' facts, reflinks; its low 32 bits, like the kernel
//   prctl        not PR_SET_MM, PR_SET_PTRACER (unless ptrace) and a few more; EINVAL for options newer than the list
//   personality  the plain one, and the question; with ptrace: ADDR_NO_RANDOMIZE
//   memfd_create MFD_EXEC gives EINVAL, as on kernels without it (memfd_exec: allowed); with no_memfd the whole call
//                gives ENOSYS
//   madvise      MADV_MERGEABLE gives EINVAL, as on kernels without it
//   fcntl        not F_SETLEASE; EINVAL for commands newer than the list
//   seccomp      with a listener: no second listener (EBUSY, as the kernel says); see below
//
// A rule "allow" for a call lifts its arguments' tests as well, with these exceptions, which no rule lifts:
//   clone3       cannot be allowed: an error
//   clone        a rule that allows `unshare` lifts clone's tests too (it is the same power); of both,
//                CLONE_NEWUSER stays with nested_userns, and CLONE_PARENT is denied
//   ioctl        TIOCSTI, TIOCLINUX, TIOCSETD and TIOCCONS stay denied: they reach the terminal's other users
//   seccomp      the second listener stays refused: were the supervisor's gone, the program's own would be asked
//                about every denied call, and could say "go on"
// A rule "deny" gives the verdict of all denied calls, except clone3, which stays ENOSYS. A call that the launcher
// needs after it has loaded the filter (launch_calls) cannot be denied: an error.
struct Options {
  bool listener = false;        // denied calls go to the supervisor (USER_NOTIF) and come back as EPERM
  bool nested_userns = false, ptrace = false, compat32 = false, memfd_exec = false;
  // No file is made with a set-id bit: what the jail writes in a folder of the host stays there when the jail has gone.
  // That none is given one later (chmod) holds without it: a standard descriptor may be a file of the host.
  bool no_set_id = false;
  // There are no memory files: where nothing keeps them from being executed, they would pass by every noexec mount.
  // Programs fall back to a file in /tmp or /dev/shm. memfd_exec and a rule win over it.
  bool no_memfd = false;
  // The ports that may be connected to are a rule of Landlock's, which looks at TCP's connect alone: nothing is sent past
  // it with MSG_FASTOPEN (EOPNOTSUPP, as where it is switched off); and who may connect to nothing (no_datagrams) has
  // no UDP socket either. A rule that allows the call wins over it.
  bool no_fast_open = false, no_datagrams = false;
  std::vector<std::pair<std::string, bool>> rules;   // name or @set, allow; the later one wins
};
// Errors: kBadValue for a name that is neither a call nor a set, kFilter for the exceptions above.
Result<Policy> default_policy(const Options& options);
// Whether a rule opens a call that no_set_id would hold: then a file can have a set-id bit all the same.
bool opens_set_id(const Options& options);

// read, write, exit, exit_group, sigreturn, and what a static program's start cannot do without (its thread
// pointer); everything else ends the process. exec_fd ≥ 0: the program is started by execveat on that
// close-on-exec descriptor and cannot start another; -1: by execve, which then stays open to it.
Policy strict_policy(int exec_fd);
Policy init_policy();                // what pid 1 of the jail needs: wait, kill, read, write, poll, exit

// What the launcher calls between loading a filter and the program's first instruction.
std::span<const std::string_view> launch_calls(bool listener);
// kFilter when the policy would stop the launch itself.
Status check_launch(const Policy& policy, bool listener);

// Sending: who wants to know of calls that the policy allows is told of them, and they go on. What the policy allows of
// `calls`, in the architectures that it lists, gets `verdict` (USER_NOTIF: the supervisor, TRACE: a tracer) instead;
// everything else keeps its own. A denied call may come the same way, so whoever answers weighs each once more, by the
// program of the policy that does not send.
struct SentCall {
  Arch arch = Arch::X86_64;
  uint32_t nr = 0;  // X32: with the x32 bit
  // One of them whose tests all hold is enough; none: every such call.
  std::vector<std::vector<ArgTest>> when = {};
};
Policy sending(Policy policy, std::span<const SentCall> calls, Verdict verdict);
// What a record of files is made of: the calls that open a file, start a program, or look whether and what something is
// (open, execve, stat, access, readlink and their kin), but for looks at a descriptor (AT_EMPTY_PATH).
std::vector<SentCall> calls_for_files();
// kFilter when the policy allows what could make the reader of a call's memory wait for the program: faults that it
// answers itself (userfaultfd), and file systems of its own. `wanted`: what cannot be done then: "files cannot be
// recorded"; `instead`: what takes the word back: "--record-files".
Status check_reading(const Policy& policy, std::string_view wanted, std::string_view instead);

// Asking: a denied call may wait until the user has said whether it goes on.
struct Askable {
  std::string_view call;  // a name or a @set
  const char* gives;      // what who lets it through gives away
};
std::span<const Askable> askable_calls();
// Null: the user is not asked, and the call stays denied, since nothing but the filter would hold it.
const Askable* askable(std::string_view call, const uint64_t (&args)[6]);
// The last rule that names the call, or a set that it is in, denies it: somebody has decided already.
bool is_denied_by_name(const Options& options, std::string_view call);

// A balanced tree over ranges of numbers; equal neighbours are one leaf. Never more than BPF_MAXINSNS: kFilter,
// also for a policy that is not well-formed (calls out of order, an argument's index above 5).
Result<std::vector<sock_filter>> compile(const Policy& policy);

bool holds(const ArgTest& test, uint64_t argument);
// What a policy says, from the policy: the model that the compiled filter is tested against.
Verdict decide(const Policy& policy, const seccomp_data& call);
// What a program says: a small interpreter of the instructions that seccomp allows. kFilter for anything on the
// way that the kernel would not load. `steps`: how many instructions it took.
Result<Verdict> evaluate(std::span<const sock_filter> program, const seccomp_data& call, unsigned* steps = nullptr);
// One line an instruction: "   3  jge 0x3b, 4, 27"; jumps as the numbers of their lines.
std::string disassemble(std::span<const sock_filter> program);
std::string verdict_text(Verdict verdict);   // "allow", "errno EPERM", "notify"

// The default policies, compiled when immure is built (gen/default_filter.inc).
std::span<const sock_filter> default_filter(bool listener, bool no_set_id = false, bool no_memfd = false);
std::span<const sock_filter> init_filter();

}  // namespace immure::filter

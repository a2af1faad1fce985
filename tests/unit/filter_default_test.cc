// The default jail's filter: what it says, call by call. Rows of the feature list stand in the tests' names.
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <initializer_list>
#include <set>
#include <string>

#include "filter/filter.h"
#include "filter/sets.h"
#include "uapi/syscalls.h"
#include "unit/filter_policy_from_bytes.h"

namespace immure::filter {
namespace {

const Verdict kEperm = errno_verdict(EPERM), kEnosys = errno_verdict(ENOSYS), kEinval = errno_verdict(EINVAL);
constexpr uint64_t kHigh = uint64_t{1} << 32;

Policy policy_of(const Options& options = {}) {
  Result<Policy> policy = default_policy(options);
  EXPECT_TRUE(policy) << (policy ? "" : format(policy.error()));
  return policy ? *policy : Policy{};
}

seccomp_data call_of(Arch arch, std::string_view name, std::initializer_list<uint64_t> arguments = {}) {
  std::optional<uint32_t> nr = syscall_number(arch, name);
  EXPECT_TRUE(nr) << name;
  seccomp_data call = data_of(audit_arch(arch), nr.value_or(~0U));
  std::copy(arguments.begin(), arguments.end(), call.args);
  return call;
}

Verdict ask(const Policy& policy, std::string_view name, std::initializer_list<uint64_t> arguments = {}) {
  return decide(policy, call_of(Arch::X86_64, name, arguments));
}
Verdict ask32(const Policy& policy, std::string_view name, std::initializer_list<uint64_t> arguments = {}) {
  return decide(policy, call_of(Arch::I386, name, arguments));
}

Options with_rules(std::vector<std::pair<std::string, bool>> rules) {
  Options options;
  options.rules = std::move(rules);
  return options;
}

// ---- the compiled programs --------------------------------------------------------------------------------------

void expect_same(const Policy& policy, std::span<const sock_filter> program) {
  for (uint32_t arch : {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_AARCH64}}) {
    for (uint32_t base : {0U, 0x40000000U, 0x80000000U}) {
      for (uint32_t nr = base; nr < base + 1100; nr++) {
        seccomp_data call = data_of(arch, nr);
        ASSERT_EQ(evaluate(program, call).value_or(1), decide(policy, call)) << arch << " " << nr;
      }
    }
  }
  for_each_border(policy, [&](const seccomp_data& call) {
    ASSERT_EQ(evaluate(program, call).value_or(1), decide(policy, call)) << call.arch << " " << call.nr << " " << call.args[0];
  });
}

TEST(Default, EveryProgramSaysWhatItsPolicySays) {
  for (unsigned bits = 0; bits < 8; bits++) {
    Options options;
    options.listener = (bits & 1) != 0;
    options.nested_userns = options.ptrace = (bits & 2) != 0;
    options.compat32 = options.no_memfd = (bits & 4) != 0;
    Policy policy = policy_of(options);
    Result<std::vector<sock_filter>> program = compile(policy);
    ASSERT_TRUE(program);
    expect_same(policy, *program);
  }
}

TEST(Default, ProgramsOfTheBuildAreThoseOfThePolicy) {
  for (unsigned variant = 0; variant < 8; variant++) {
    Options options;
    options.listener = (variant & 1) != 0;
    options.no_set_id = (variant & 2) != 0;
    options.no_memfd = (variant & 4) != 0;
    auto program = default_filter(options.listener, options.no_set_id, options.no_memfd);
    expect_same(policy_of(options), program);
    EXPECT_LT(program.size(), 250U);
  }
  expect_same(init_policy(), init_filter());
}

// A folder of the host that the jail may write to holds what it left when it has gone.
TEST(Default, LetsNoFileHaveASetIdBit_S55) {
  struct Try {
    const char* call;
    uint64_t args[4];
    bool denied;
  };
  constexpr uint64_t kCreat = 0100, kTmpfile = 020200000;
  const Try tries[] = {
      {"chmod", {0, 0755}, false},           {"chmod", {0, 04755}, true},     {"fchmod", {3, 02755}, true},
      {"fchmodat", {3, 0, 06755}, true},     {"fchmodat2", {3, 0, 04000}, true}, {"fchmodat", {3, 0, 01777}, false},
      {"creat", {0, 04755}, true},           {"mknodat", {3, 0, 0104755}, true}, {"mknod", {0, 0100644}, false},
      {"open", {0, kCreat, 04755}, true},    {"open", {0, 0, 04755}, false},  {"openat", {3, 0, kCreat | 2, 02755}, true},
      {"openat", {3, 0, kTmpfile, 04700}, true}, {"openat", {3, 0, kCreat, 0755}, false},
  };
  for (bool listener : {false, true})
    for (const Try& each : tries) {
      seccomp_data call = data_of(AUDIT_ARCH_X86_64, *syscall_number(Arch::X86_64, each.call));
      std::copy(std::begin(each.args), std::end(each.args), call.args);
      bool allowed = evaluate(default_filter(listener, true), call).value_or(0) == kAllow;
      EXPECT_EQ(allowed, !each.denied) << each.call << " " << std::oct << each.args[1] << " " << each.args[2];
      bool always = std::string_view(each.call).find("chmod") != std::string_view::npos;
      EXPECT_EQ(evaluate(default_filter(listener), call).value_or(0) == kAllow, !(each.denied && always)) << each.call;
    }
  seccomp_data unseen = data_of(AUDIT_ARCH_X86_64, *syscall_number(Arch::X86_64, "openat2"));
  EXPECT_EQ(evaluate(default_filter(false, true), unseen).value_or(0), SECCOMP_RET_ERRNO | ENOSYS);
}

// What becomes the program waits behind this filter for the supervisor's word, and shuts itself off from others then.
TEST(Default, LetsTheProgramWaitForTheGate) {
  for (bool listener : {false, true})
    for (const char* name : {"recvmsg", "prctl", "execve"}) {
      seccomp_data call = data_of(AUDIT_ARCH_X86_64, *syscall_number(Arch::X86_64, name));
      call.args[0] = 4;   // PR_SET_DUMPABLE
      EXPECT_EQ(evaluate(default_filter(listener), call).value_or(0), kAllow) << name;
    }
}

// The kernel decides calls with one verdict when it loads the filter, and then never runs it for them; it
// understands only the number, the architecture and these instructions.
TEST(Default, CallsWithoutTestsNeedNoArgument) {
  auto program = default_filter(false);
  Policy policy = policy_of();
  for (const CallPolicy& listed : policy.arches[0].calls) {
    if (!listed.rules.empty() || listed.otherwise != kAllow) continue;
    uint32_t a = 0;
    size_t pc = 0;
    for (; pc < program.size() && BPF_CLASS(program[pc].code) != BPF_RET; pc++) {
      const sock_filter& i = program[pc];
      if (BPF_CLASS(i.code) == BPF_LD) {
        ASSERT_LE(i.k, 4U) << syscall_name(Arch::X86_64, listed.nr);
        a = i.k == 0 ? listed.nr : AUDIT_ARCH_X86_64;
        continue;
      }
      ASSERT_EQ(BPF_CLASS(i.code), BPF_JMP);
      bool yes = BPF_OP(i.code) == BPF_JEQ ? a == i.k : BPF_OP(i.code) == BPF_JGE ? a >= i.k : a > i.k;
      pc += BPF_OP(i.code) == BPF_JA ? i.k : yes ? i.jt : i.jf;
    }
    EXPECT_EQ(program[pc].k, kAllow);
  }
}

// ---- whole calls ------------------------------------------------------------------------------------------------

TEST(Default, DeniesWhatReachesTheHost_S93_S95) {
  Policy policy = policy_of();
  for (const char* set : {"@mount", "@namespaces", "@module", "@kexec", "@bpf", "@keyring", "@perf", "@raw-io", "@clock",
                          "@reboot", "@swap", "@host", "@debug", "@handles", "@fanotify", "@io-uring", "@numa", "@memory"}) {
    auto calls = named_set(set);
    ASSERT_TRUE(calls) << set;
    for (std::string_view name : *calls) {
      if (syscall_number(Arch::X86_64, name)) {
        EXPECT_EQ(ask(policy, name), kEperm) << name;
      }
    }
  }
}

TEST(Default, DeniesModulesOnBothEntries_S98) {
  Options options;
  options.compat32 = true;
  Policy policy = policy_of(options);
  for (const char* name : {"init_module", "finit_module", "delete_module", "kexec_load", "bpf"}) {
    EXPECT_EQ(ask(policy, name), kEperm) << name;
    EXPECT_EQ(ask32(policy, name), kEperm) << name;
  }
}

TEST(Default, AllowsWhatProgramsLiveOn) {
  Policy policy = policy_of();
  for (const char* name :
       {"read", "write", "openat", "openat2", "close", "mmap", "mprotect", "brk", "execve", "execveat", "wait4", "futex",
        "futex_waitv", "rseq", "statx", "newfstatat", "faccessat2", "close_range", "epoll_pwait2", "getrandom",
        "prlimit64", "sched_getaffinity", "inotify_add_watch", "pidfd_open", "landlock_restrict_self", "sysinfo",
        "arch_prctl", "set_robust_list", "rt_sigreturn", "restart_syscall", "copy_file_range", "membarrier", "mknodat",
        "fork", "vfork", "setuid", "timer_create", "mq_open", "shmget", "signalfd4", "fchmodat2", "map_shadow_stack",
        "mseal", "setxattrat", "file_getattr", "uretprobe", "uprobe"})
    EXPECT_EQ(ask(policy, name), kAllow) << name;
}

TEST(Default, ListsEveryNumber) {
  // A call is in the list, or it was left out on purpose; a number without a call is absent.
  Policy policy = policy_of();
  for (uint32_t nr = 0; nr < 1000; nr++) {
    Verdict verdict = decide(policy, data_of(AUDIT_ARCH_X86_64, nr));
    if (syscall_name(Arch::X86_64, nr).empty()) {
      EXPECT_EQ(verdict, kEnosys) << nr;
    }
  }
}

TEST(Default, AnswersNewerCallsWithEnosys_U19) {
  Policy policy = policy_of();
  for (uint32_t nr : {471U, 472U, 600U, 1000U, 0x3fffffffU, 337U, 423U})
    EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_X86_64, nr)), kEnosys) << nr;
  EXPECT_EQ(ask(policy, "clone3"), kEnosys);
  EXPECT_EQ(ask(policy, "io_setup"), kEnosys);
}

TEST(Default, AnswersForeignEntriesWithEnosys_S93) {
  for (bool listener : {false, true}) {
    Options options;
    options.listener = listener;
    Policy policy = policy_of(options);
    for (uint32_t nr : {0U, 1U, 20U, 39U, 165U, 200U, 520U}) {
      EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_X86_64, 0x40000000 | nr)), kEnosys) << "x32 " << nr;
      EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_I386, nr)), kEnosys) << "i386 " << nr;
      EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_AARCH64, nr)), kEnosys) << "foreign " << nr;
    }
  }
}

TEST(Default, GivesI386TheSamePolicyByName) {
  Options options;
  options.compat32 = true;
  Policy policy = policy_of(options);
  for (const uapi::SyscallName& call : uapi::syscalls_i386()) {
    if (!syscall_number(Arch::X86_64, call.name)) continue;
    EXPECT_EQ(ask32(policy, call.name, {1, 1, 0}), ask(policy, call.name, {1, 1, 0})) << call.name;
  }
  for (const char* name : {"mmap2", "_llseek", "waitpid", "getuid32", "clock_gettime64", "futex_time64", "stat64", "ipc"})
    EXPECT_EQ(ask32(policy, name), kAllow) << name;
  for (const char* name : {"umount", "stime", "vm86", "vm86old", "clock_settime64", "modify_ldt", "bdflush"})
    EXPECT_EQ(ask32(policy, name), kEperm) << name;
  EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_I386, 471)), kEnosys);
  EXPECT_EQ(ask32(policy, "socketcall", {1}), kEperm);
  EXPECT_EQ(ask32(policy, "socketcall", {8}), kEperm);
  EXPECT_EQ(ask32(policy, "socketcall", {3}), kAllow);
}

// ---- calls by their arguments -----------------------------------------------------------------------------------

constexpr uint64_t kNewNs = 0x20000, kNewCgroup = 0x02000000, kNewUts = 0x04000000, kNewIpc = 0x08000000,
                   kNewUser = 0x10000000, kNewPid = 0x20000000, kNewNet = 0x40000000, kThread = 0x3d0f00;

TEST(Default, MakesNoNamespaceByClone_S35) {
  Policy policy = policy_of();
  EXPECT_EQ(ask(policy, "clone", {17}), kAllow);
  EXPECT_EQ(ask(policy, "clone", {kThread}), kAllow);
  for (uint64_t flag : {kNewNs, kNewCgroup, kNewUts, kNewIpc, kNewUser, kNewPid, kNewNet}) {
    EXPECT_EQ(ask(policy, "clone", {flag | 17}), kEperm) << flag;
    EXPECT_EQ(ask(policy, "clone", {flag | kHigh}), kEperm) << "the kernel takes the low half";
  }
  EXPECT_EQ(ask(policy, "unshare", {0}), kEperm);
}

// Who has entered a jail has its parent outside: a sibling's would be there too.
TEST(Default, MakesNoChildOfItsParent_S77) {
  constexpr uint64_t kParent = 0x8000;
  Options most = with_rules({{"@namespaces", true}, {"clone", true}});
  most.nested_userns = true;
  for (const Policy& policy : {policy_of(), policy_of(most)}) {
    EXPECT_EQ(ask(policy, "clone", {kParent | 17}), kEperm);
    EXPECT_EQ(ask(policy, "clone", {kParent | kThread}), kEperm);
  }
}

TEST(Default, NestedUserNamespacesAreNothingElse) {
  Options options;
  options.nested_userns = true;
  Policy policy = policy_of(options);
  EXPECT_EQ(ask(policy, "clone", {kNewUser | 17}), kAllow);
  EXPECT_EQ(ask(policy, "unshare", {kNewUser}), kAllow);
  for (uint64_t flag : {kNewNs, kNewCgroup, kNewUts, kNewIpc, kNewPid, kNewNet}) {
    EXPECT_EQ(ask(policy, "clone", {kNewUser | flag}), kEperm) << flag;
    EXPECT_EQ(ask(policy, "unshare", {kNewUser | flag}), kEperm) << flag;
  }
  EXPECT_EQ(ask(policy, "unshare", {kNewUser | 0x80}), kEperm) << "CLONE_NEWTIME";
  EXPECT_EQ(ask(policy, "setns"), kEperm);
  EXPECT_EQ(ask(policy, "clone3"), kEnosys);
}

TEST(Default, KeepsTheCallersTerminal_S132) {
  Policy policy = policy_of();
  for (uint64_t request : {0x5412, 0x541c, 0x541d, 0x5423, 0x541e, 0x541f, 0x5437, 0x4b3a, 0x4b33, 0x5600}) {
    EXPECT_EQ(ask(policy, "ioctl", {0, request}), kEperm) << request;
    EXPECT_EQ(ask(policy, "ioctl", {0, request | kHigh}), kEperm) << "the kernel takes the low half";
  }
  for (uint64_t request : {0x5401, 0x5402, 0x5403, 0x5404, 0x540b, 0x540e, 0x540f, 0x5410, 0x5413, 0x5414, 0x541b, 0x5421,
                           0x5422, 0x5429, 0x5441, 0x5450, 0x5451, 0x5452}) {
    EXPECT_EQ(ask(policy, "ioctl", {0, request}), kAllow) << request;
    EXPECT_EQ(ask(policy, "ioctl", {0, request | kHigh}), kAllow) << request;
  }
  for (uint64_t request : {0x802c542aUL, 0x402c542bUL, 0x402c542cUL, 0x402c542dUL, 0x80045430UL, 0x40045431UL})
    EXPECT_EQ(ask(policy, "ioctl", {0, request}), kAllow) << request;
}

TEST(Default, AsksFilesAndInterfacesOnly) {
  Policy policy = policy_of();
  for (uint64_t request : {0x40049409UL, 0x4020940dUL, 0x80086601UL, 0x8912UL, 0x8913UL, 0x8915UL, 0x8927UL, 0x8933UL})
    EXPECT_EQ(ask(policy, "ioctl", {0, request}), kAllow) << request;
  for (uint64_t request : {0x40086602UL, 0x8914UL, 0x8916UL, 0x8924UL, 0x8946UL, 0x89f0UL, 0xb701UL, 0xae01UL, 0xc0502100UL, 0xc020660bUL, 1UL, 2UL, 0x1268UL, 0x5453UL})
    EXPECT_EQ(ask(policy, "ioctl", {0, request}), kEperm) << request;
}

TEST(Default, MakesFewKindsOfSockets) {
  Policy policy = policy_of();
  constexpr uint64_t kFlags = 0x80800;  // SOCK_CLOEXEC | SOCK_NONBLOCK
  struct Wanted {
    uint64_t family, type, protocol;
    Verdict verdict;
  };
  const Wanted table[] = {
      {1, 1, 0, kAllow},   {1, 2, 0, kAllow},    {1, 5, 0, kAllow},     {1, 3, 0, kEperm},    {2, 1, 0, kAllow},
      {2, 1, 6, kAllow},   {2, 2, 0, kAllow},    {2, 2, 17, kAllow},    {10, 1, 6, kAllow},   {10, 2, 17, kAllow},
      {2, 3, 1, kEperm},   {2, 3, 255, kEperm},  {10, 3, 58, kEperm},   {2, 2, 136, kEperm},  {2, 1, 262, kEperm},
      {2, 1, 132, kEperm}, {2, 5, 132, kEperm},  {2, 6, 33, kEperm},    {2, 1, 33, kEperm},   {2, 2, 1, kEperm},
      {16, 3, 0, kAllow},  {16, 2, 0, kAllow},   {16, 3, 9, kEperm},    {16, 3, 12, kEperm},  {16, 3, 15, kEperm},
      {16, 3, 16, kEperm}, {17, 3, 3, kEperm},   {40, 1, 0, kEperm},    {38, 5, 0, kEperm},   {21, 5, 0, kEperm},
      {30, 1, 0, kEperm},  {31, 3, 1, kEperm},   {44, 3, 0, kEperm},    {29, 3, 1, kEperm},   {2, 1, 256, kEperm},
      {0, 1, 0, kEperm},   {3, 5, 0, kEperm},    {2, 10, 0, kEperm},
  };
  for (const Wanted& w : table) {
    for (uint64_t high : {uint64_t{0}, kHigh}) {
      EXPECT_EQ(ask(policy, "socket", {w.family | high, w.type | high, w.protocol | high}), w.verdict)
          << w.family << " " << w.type << " " << w.protocol;
      EXPECT_EQ(ask(policy, "socket", {w.family, w.type | kFlags, w.protocol | high}), w.verdict)
          << w.family << " " << w.type << " " << w.protocol;
    }
  }
  EXPECT_EQ(ask(policy, "socketpair", {1, 1 | kFlags, 0}), kAllow);
  EXPECT_EQ(ask(policy, "socketpair", {2, 1, 0}), kEperm);
  EXPECT_EQ(ask(policy, "socketpair", {30, 1, 0}), kEperm);
}

TEST(Default, WeighsPrctlPersonalityAndMemfd) {
  Policy policy = policy_of();
  for (uint64_t option : {1, 2, 3, 4, 8, 15, 16, 22, 23, 24, 36, 38, 39, 41, 47, 52, 53, 59, 65, 78, 0x53564d41, 0x41555856})
    EXPECT_EQ(ask(policy, "prctl", {option}), kAllow) << option;
  for (uint64_t option : {35, 57, 58, 62, 67, 68, 0x59616d61}) EXPECT_EQ(ask(policy, "prctl", {option}), kEperm) << option;
  for (uint64_t option : {79, 1000, 0x7fffffff}) EXPECT_EQ(ask(policy, "prctl", {option}), kEinval) << option;
  for (uint64_t persona : {0UL, 0xffffffffUL, 0xffffffffffffffffUL}) EXPECT_EQ(ask(policy, "personality", {persona}), kAllow);
  for (uint64_t persona : {0x40000UL, 8UL, 0x400000UL, 0x100000UL}) EXPECT_EQ(ask(policy, "personality", {persona}), kEperm);
  EXPECT_EQ(ask(policy, "memfd_create", {0, 3}), kAllow);
  EXPECT_EQ(ask(policy, "memfd_create", {0, 0x11}), kEinval);
  Options options;
  options.memfd_exec = true;
  EXPECT_EQ(ask(policy_of(options), "memfd_create", {0, 0x11}), kAllow);
}

// Where nothing keeps them from being executed there are none, whatever their flags; who asks for them gets them.
TEST(Default, HasNoMemoryFilesWhereTheyWouldBeExecuted_S27) {
  constexpr Verdict kAbsent = errno_verdict(ENOSYS);
  Options options;
  options.no_memfd = options.compat32 = true;
  for (uint64_t flags : {0, 1, 3, 8, 0x10, 0x18}) {
    EXPECT_EQ(ask(policy_of(options), "memfd_create", {0, flags}), kAbsent) << flags;
    EXPECT_EQ(ask32(policy_of(options), "memfd_create", {0, flags}), kAbsent) << flags;
  }
  EXPECT_EQ(ask(policy_of(options), "memfd_secret", {0}), kEperm);
  Options asked = options;
  asked.rules = {{"memfd_create", true}};
  EXPECT_EQ(ask(policy_of(asked), "memfd_create", {0, 0x10}), kAllow);
  options.memfd_exec = true;
  EXPECT_EQ(ask(policy_of(options), "memfd_create", {0, 0x10}), kAllow);
}

// Both reach others through what is shared: pages of the same content, files that others open.
TEST(Default, NeitherMergesPagesNorTakesLeases_S95) {
  Options both;
  both.compat32 = true;
  Policy policy = policy_of(both);
  for (uint64_t high : {uint64_t{0}, uint64_t{1} << 32}) {
    EXPECT_EQ(ask(policy, "madvise", {0, 4096, 12 | high}), kEinval);
    EXPECT_EQ(ask(policy, "fcntl", {3, 1024 | high, 0}), kEperm);
    EXPECT_EQ(ask(policy, "fcntl", {3, 1039 | high, 0}), kEinval) << "leases of directories, in kernels to come";
  }
  EXPECT_EQ(ask32(policy, "madvise", {0, 4096, 12}), kEinval);
  for (const char* name : {"fcntl", "fcntl64"}) EXPECT_EQ(ask32(policy, name, {3, 1024, 0}), kEperm) << name;
  for (uint64_t advice : {0, 1, 4, 8, 10, 13, 14, 15, 17, 21, 23, 25}) EXPECT_EQ(ask(policy, "madvise", {0, 4096, advice}), kAllow) << advice;
  for (uint64_t command : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 36, 37, 38, 1025, 1026, 1027, 1028, 1030, 1031, 1033, 1034, 1038})
    EXPECT_EQ(ask(policy, "fcntl", {3, command, 0}), kAllow) << command;
  policy = policy_of(with_rules({{"fcntl", true}, {"madvise", true}}));
  EXPECT_EQ(ask(policy, "fcntl", {3, 1024, 0}), kAllow);
  EXPECT_EQ(ask(policy, "madvise", {0, 4096, 12}), kAllow);
}

// A descriptor may be of the caller itself.
TEST(Default, AdviceToProcessesMergesNoPagesEither_S95) {
  EXPECT_EQ(ask(policy_of({}), "process_madvise", {5, 0, 1, 4, 0}), kEperm);
  Policy policy = policy_of(with_rules({{"process_madvise", true}}));
  for (uint64_t high : {uint64_t{0}, uint64_t{1} << 32}) EXPECT_EQ(ask(policy, "process_madvise", {5, 0, 1, 12 | high, 0}), kEinval);
  EXPECT_EQ(ask(policy, "process_madvise", {5, 0, 1, 4, 0}), kAllow);
  EXPECT_EQ(ask(policy, "madvise", {0, 4096, 12}), kEinval);
  policy = policy_of(with_rules({{"process_madvise", true}, {"madvise", true}}));
  EXPECT_EQ(ask(policy, "process_madvise", {5, 0, 1, 12, 0}), kAllow);
}

TEST(Default, TracesWhenWeakened) {
  Options options;
  options.ptrace = true;
  Policy policy = policy_of(options);
  for (const char* name : {"ptrace", "process_vm_readv", "process_vm_writev"}) {
    EXPECT_EQ(ask(policy_of(), name), kEperm) << name;
    EXPECT_EQ(ask(policy, name), kAllow) << name;
  }
  EXPECT_EQ(ask(policy, "prctl", {0x59616d61}), kAllow);
  EXPECT_EQ(ask(policy, "personality", {0x40000}), kAllow);
  EXPECT_EQ(ask(policy, "pidfd_getfd"), kEperm);
}

TEST(Default, AListenerIsAskedAboutWhatIsDenied) {
  Options options;
  options.listener = true;
  Policy policy = policy_of(options), plain = policy_of();
  for (uint32_t nr = 0; nr < 600; nr++) {
    Verdict expected = decide(plain, data_of(AUDIT_ARCH_X86_64, nr));
    // Refused without a word: every program with libnuma tries them.
    if (nr == *syscall_number(Arch::X86_64, "mbind") || nr == *syscall_number(Arch::X86_64, "set_mempolicy") ||
        nr == *syscall_number(Arch::X86_64, "set_mempolicy_home_node")) {
      EXPECT_EQ(expected, kEperm);
      EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_X86_64, nr)), kEperm) << nr;
      continue;
    }
    EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_X86_64, nr)), expected == kEperm ? SECCOMP_RET_USER_NOTIF : expected) << nr;
  }
  EXPECT_EQ(ask(policy, "ioctl", {0, 0x5412}), SECCOMP_RET_USER_NOTIF);
  // A second listener could answer for the first one once that is gone.
  EXPECT_EQ(ask(policy, "seccomp", {1, 8}), errno_verdict(EBUSY));
  EXPECT_EQ(ask(policy, "seccomp", {1, 1}), kAllow);
  EXPECT_EQ(ask(policy, "seccomp", {2, 8}), kAllow);
}

// ---- rules of the user ------------------------------------------------------------------------------------------

TEST(Rules, TheLaterOneWins) {
  Policy policy = policy_of(with_rules({{"@mount", true}, {"pivot_root", false}, {"chmod", false}, {"chmod", true}}));
  EXPECT_EQ(ask(policy, "mount"), kAllow);
  EXPECT_EQ(ask(policy, "fsopen"), kAllow);
  EXPECT_EQ(ask(policy, "pivot_root"), kEperm);
  EXPECT_EQ(ask(policy, "chmod"), kAllow);
  EXPECT_EQ(ask(policy, "unshare"), kEperm);
}

TEST(Rules, AllowingACallLiftsItsTests) {
  Policy policy = policy_of(with_rules({{"socket", true}, {"prctl", true}, {"personality", true}, {"memfd_create", true}, {"@aio", true}}));
  EXPECT_EQ(ask(policy, "socket", {40, 1, 0}), kAllow);
  EXPECT_EQ(ask(policy, "prctl", {35}), kAllow);
  EXPECT_EQ(ask(policy, "personality", {8}), kAllow);
  EXPECT_EQ(ask(policy, "memfd_create", {0, 0x10}), kAllow);
  EXPECT_EQ(ask(policy, "io_setup"), kAllow);
  EXPECT_EQ(ask(policy, "socketpair", {2, 1, 0}), kEperm);
}

TEST(Rules, SomeTestsStay) {
  Options options = with_rules({{"ioctl", true}, {"clone", true}, {"seccomp", true}});
  options.listener = true;
  Policy policy = policy_of(options);
  for (uint64_t request : {0x5412, 0x541c, 0x541d, 0x5423})
    EXPECT_EQ(ask(policy, "ioctl", {0, request | kHigh}), SECCOMP_RET_USER_NOTIF) << request;
  EXPECT_EQ(ask(policy, "ioctl", {0, 0xae01}), kAllow);
  EXPECT_EQ(ask(policy, "clone", {kNewNs}), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(ask(policy, "seccomp", {1, 8}), errno_verdict(EBUSY));
}

TEST(Rules, AllowingUnshareIsAllowingNamespacesButNotOfUsers) {
  Policy policy = policy_of(with_rules({{"@namespaces", true}}));
  for (const char* name : {"clone", "unshare"}) {
    EXPECT_EQ(ask(policy, name, {kNewNs | kNewNet}), kAllow) << name;
    EXPECT_EQ(ask(policy, name, {kNewUser | kNewNs}), kEperm) << name;
  }
  EXPECT_EQ(ask(policy, "setns"), kAllow);
  Options options = with_rules({{"@namespaces", true}});
  options.nested_userns = true;
  policy = policy_of(options);
  EXPECT_EQ(ask(policy, "clone", {kNewUser | kNewNs}), kAllow);
  EXPECT_EQ(ask(policy, "unshare", {kNewUser | kNewNs}), kAllow);
}

TEST(Rules, DenyMeansEveryEntryAndArgument) {
  Options options = with_rules({{"socket", false}, {"clone3", false}, {"@ipc", false}, {"clone", false}});
  options.compat32 = options.nested_userns = options.ptrace = true;
  Policy policy = policy_of(options);
  EXPECT_EQ(ask(policy, "socket", {1, 1, 0}), kEperm);
  EXPECT_EQ(ask32(policy, "socket", {1, 1, 0}), kEperm);
  EXPECT_EQ(ask(policy, "shmget"), kEperm);
  EXPECT_EQ(ask32(policy, "ipc"), kEperm);
  EXPECT_EQ(ask(policy, "clone", {17}), kEperm);
  EXPECT_EQ(ask(policy, "clone3"), kEnosys);
}

TEST(Rules, UnknownNamesAreErrorsWithTheNearest) {
  Result<Policy> policy = default_policy(with_rules({{"moutn", true}}));
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().code, Code::kBadValue);
  EXPECT_EQ(policy.error().how, "did you mean mount?");
  policy = default_policy(with_rules({{"@mout", false}}));
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().how, "did you mean @mount?");
  EXPECT_FALSE(default_policy(with_rules({{"", true}})));
  EXPECT_FALSE(default_policy(with_rules({{"@", true}})));
  EXPECT_TRUE(default_policy(with_rules({{"umount", false}}))) << "a call of i386 alone";
}

TEST(Rules, TheLaunchMustStayPossible) {
  Result<Policy> policy = default_policy(with_rules({{"@exec", false}}));
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().code, Code::kFilter);
  Options options = with_rules({{"sendmsg", false}});
  EXPECT_TRUE(default_policy(options));
  options.listener = true;
  EXPECT_FALSE(default_policy(options)) << "the listener goes to the supervisor by sendmsg";
  EXPECT_TRUE(default_policy(with_rules({{"@exec", false}, {"execve", true}})));
  EXPECT_FALSE(default_policy(with_rules({{"clone3", true}})));
}

// ---- names ------------------------------------------------------------------------------------------------------

TEST(Names, SetsNameCallsOnceAndCallsThatExist) {
  std::set<std::string_view> names;
  for (const NamedSet& set : all_sets()) {
    EXPECT_TRUE(set.name.starts_with("@") && names.insert(set.name).second) << set.name;
    EXPECT_FALSE(set.calls.empty());
    std::set<std::string_view> calls;
    for (std::string_view call : set.calls) {
      EXPECT_TRUE(syscall_number(Arch::X86_64, call) || syscall_number(Arch::I386, call)) << call;
      EXPECT_TRUE(calls.insert(call).second) << call;
    }
    EXPECT_TRUE(default_policy(with_rules({{std::string(set.name), true}}))) << set.name;
  }
  EXPECT_EQ(named_sets().size(), names.size());
  EXPECT_FALSE(named_set("@nothing"));
}

TEST(Names, GoBothWays) {
  for (Arch arch : {Arch::X86_64, Arch::I386, Arch::X32}) {
    uint32_t first = arch == Arch::X32 ? 0x40000000 : 0;
    for (uint32_t nr = first; nr < syscall_limit(arch); nr++) {
      std::string_view name = syscall_name(arch, nr);
      if (name.empty()) continue;
      std::optional<uint32_t> back = syscall_number(arch, name);
      ASSERT_TRUE(back) << name;
      // x32 has numbers of its own for some calls; those of x86-64 name the same call.
      EXPECT_TRUE(*back == nr || (arch == Arch::X32 && *back >= 0x40000200)) << name;
    }
    EXPECT_TRUE(syscall_name(arch, syscall_limit(arch)).empty());
  }
  EXPECT_EQ(syscall_limit(Arch::X86_64), 471U);
  EXPECT_EQ(syscall_number(Arch::X32, "execve"), 0x40000208U);
  EXPECT_EQ(syscall_number(Arch::X32, "read"), 0x40000000U);
  EXPECT_FALSE(syscall_number(Arch::X86_64, "socketcall"));
  EXPECT_EQ(nearest_name("opnat"), "openat");
  EXPECT_EQ(nearest_name("@keyrings"), "@keyring");
  EXPECT_EQ(nearest_name("quite something else"), "");
}

// ---- small policies ---------------------------------------------------------------------------------------------

TEST(Small, StrictIsFourCallsAndAStart_S92) {
  for (int fd : {-1, 5}) {
    Policy policy = strict_policy(fd);
    std::set<std::string> allowed;
    for (uint32_t nr = 0; nr < 600; nr++) {
      Verdict verdict = decide(policy, data_of(AUDIT_ARCH_X86_64, nr));
      if (verdict == kAllow) {
        allowed.insert(std::string(syscall_name(Arch::X86_64, nr)));
      } else {
        EXPECT_EQ(verdict, SECCOMP_RET_KILL_PROCESS) << nr;
      }
    }
    std::set<std::string> expected = {"read", "write", "exit", "exit_group", "rt_sigreturn", "set_tid_address"};
    if (fd < 0) expected.insert("execve");
    EXPECT_EQ(allowed, expected);
    EXPECT_EQ(ask(policy, "arch_prctl", {0x1002}), kAllow);
    EXPECT_EQ(ask(policy, "arch_prctl", {0x1001}), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(ask(policy, "execveat", {5}), fd == 5 ? kAllow : SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(ask(policy, "execveat", {6}), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_I386, 3)), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(decide(policy, data_of(AUDIT_ARCH_X86_64, 0x40000000)), SECCOMP_RET_KILL_PROCESS);
    Result<std::vector<sock_filter>> program = compile(policy);
    ASSERT_TRUE(program);
    expect_same(policy, *program);
  }
  EXPECT_TRUE(check_launch(strict_policy(-1), false));
}

TEST(Small, InitStartsNothing) {
  Policy policy = init_policy();
  for (const char* name : {"wait4", "kill", "read", "ppoll", "recvmsg", "sendmsg", "getrusage", "exit_group", "rt_sigreturn"})
    EXPECT_EQ(ask(policy, name), kAllow) << name;
  for (const char* name : {"execve", "execveat", "openat", "mmap", "mprotect", "clone", "fork", "socket", "ptrace", "prctl"})
    EXPECT_EQ(ask(policy, name), SECCOMP_RET_KILL_PROCESS) << name;
  EXPECT_FALSE(check_launch(policy, false));
}

// Rules for where TCP may connect to look at connect alone.
TEST(DefaultPolicy, NothingIsSentPastTheRulesForPorts) {
  constexpr uint64_t kFastOpen = 0x20000000, kMore = 0x8000;
  Options options;
  options.no_fast_open = true;
  auto policy = default_policy(options);
  ASSERT_TRUE(policy);
  auto verdict = [&](const char* name, int flags_at, uint64_t flags) {
    seccomp_data data{};
    data.nr = static_cast<int>(*syscall_number(Arch::X86_64, name));
    data.arch = AUDIT_ARCH_X86_64;
    data.args[flags_at] = flags;
    return decide(*policy, data);
  };
  for (auto [name, at] : {std::pair{"sendto", 3}, std::pair{"sendmsg", 2}, std::pair{"sendmmsg", 3}}) {
    EXPECT_EQ(verdict(name, at, kFastOpen | kMore), errno_verdict(EOPNOTSUPP)) << name;
    EXPECT_EQ(verdict(name, at, kFastOpen | uint64_t{1} << 40), errno_verdict(EOPNOTSUPP)) << name;
    EXPECT_EQ(verdict(name, at, kMore), kAllow) << name;
  }
  policy = default_policy({});
  EXPECT_EQ(verdict("sendto", 3, kFastOpen), kAllow) << "where nothing is to be passed by, it is left alone";
}

TEST(DefaultPolicy, WhoMayConnectToNothingHasNoDatagrams) {
  Options options;
  options.no_datagrams = true;
  auto policy = default_policy(options);
  ASSERT_TRUE(policy);
  auto verdict = [&](uint64_t family, uint64_t type) {
    seccomp_data data{};
    data.nr = static_cast<int>(*syscall_number(Arch::X86_64, "socket"));
    data.arch = AUDIT_ARCH_X86_64;
    data.args[0] = family;
    data.args[1] = type;
    return decide(*policy, data);
  };
  constexpr uint64_t kCloexec = 02000000;
  for (uint64_t family : {2, 10}) {
    EXPECT_EQ(verdict(family, 2 | kCloexec), errno_verdict(EPERM)) << family;
    EXPECT_EQ(verdict(family, 1 | kCloexec), kAllow) << family;
  }
  EXPECT_EQ(verdict(1, 2), kAllow) << "unix datagrams go nowhere";
}

}  // namespace
}  // namespace immure::filter

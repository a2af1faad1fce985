// Filters as OCI runtimes and Docker write them (S94): what is read, what is refused, and where.
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <string>

#include "input/oci_seccomp.h"

namespace immure {
namespace {

using filter::Arch;
using filter::errno_verdict;
using filter::kAllow;
using filter::Policy;
using filter::Verdict;

const Verdict kEperm = errno_verdict(EPERM), kEnosys = errno_verdict(ENOSYS);
constexpr uint64_t kSysAdmin = uint64_t{1} << 21;

Result<Policy> read(const std::string& json, uint64_t capabilities = 0) {
  return read_oci_seccomp(json, "f.json", OciSeccompFacts{capabilities, 6, 18});
}

Policy policy_of(const std::string& json, uint64_t capabilities = 0) {
  Result<Policy> policy = read(json, capabilities);
  EXPECT_TRUE(policy) << (policy ? "" : format(policy.error()));
  return policy ? *policy : Policy{};
}

// A file of these rules: names are denied but for execve, which every file here needs.
std::string with_rules(const std::string& rules, const std::string& more = "") {
  return R"({"defaultAction": "SCMP_ACT_ERRNO", )" + more +
         R"("syscalls": [{"names": ["execve"], "action": "SCMP_ACT_ALLOW"}, )" + rules + "]}";
}

Verdict ask(const Policy& policy, Arch arch, std::string_view name, std::initializer_list<uint64_t> arguments = {}) {
  seccomp_data call{};
  call.arch = arch == Arch::I386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
  call.nr = static_cast<int>(filter::syscall_number(arch, name).value_or(~0U));
  std::copy(arguments.begin(), arguments.end(), call.args);
  Verdict verdict = filter::decide(policy, call);
  // What is read must also be what is loaded.
  auto program = filter::compile(policy);
  EXPECT_TRUE(program);
  if (program) {
    EXPECT_EQ(filter::evaluate(*program, call).value_or(1), verdict) << name;
  }
  return verdict;
}
Verdict ask(const Policy& policy, std::string_view name, std::initializer_list<uint64_t> arguments = {}) {
  return ask(policy, Arch::X86_64, name, arguments);
}

TEST(OciSeccomp, ReadsNamesAndActions_S94) {
  Policy policy = policy_of(with_rules(
      R"({"names": ["read", "openat"], "action": "SCMP_ACT_ALLOW"}, {"names": ["mount"], "action": "SCMP_ACT_KILL"},
         {"names": ["ptrace"], "action": "SCMP_ACT_KILL_PROCESS"}, {"names": ["bpf"], "action": "SCMP_ACT_KILL_THREAD"},
         {"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}, {"names": ["acct"], "action": "SCMP_ACT_ERRNO"},
         {"names": ["swapon"], "action": "SCMP_ACT_TRAP"}, {"names": ["uname"], "action": "SCMP_ACT_LOG", "comment": "seen"})",
      R"("defaultErrnoRet": 13, "flags": ["SECCOMP_FILTER_FLAG_LOG"], )"));
  EXPECT_EQ(ask(policy, "read"), kAllow);
  EXPECT_EQ(ask(policy, "openat"), kAllow);
  EXPECT_EQ(ask(policy, "write"), errno_verdict(EACCES));
  EXPECT_EQ(ask(policy, "mount"), SECCOMP_RET_KILL_THREAD);
  EXPECT_EQ(ask(policy, "bpf"), SECCOMP_RET_KILL_THREAD);
  EXPECT_EQ(ask(policy, "ptrace"), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(ask(policy, "keyctl"), kEnosys);
  EXPECT_EQ(ask(policy, "acct"), kEperm) << "a rule's errno does not come from the default";
  EXPECT_EQ(ask(policy, "swapon"), SECCOMP_RET_TRAP);
  EXPECT_EQ(ask(policy, "uname"), SECCOMP_RET_LOG);
}

TEST(OciSeccomp, ComparesArguments_S94) {
  Policy policy = policy_of(with_rules(
      R"({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]},
         {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}]},
         {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
         {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
         {"names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_GE"}, {"index": 2, "value": 1, "op": "SCMP_CMP_LT"}]},
         {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 21505, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 21523, "op": "SCMP_CMP_EQ"}]})"));
  EXPECT_EQ(ask(policy, "personality", {0}), kAllow);
  EXPECT_EQ(ask(policy, "personality", {0xffffffff}), kAllow);
  EXPECT_EQ(ask(policy, "personality", {8}), kEperm);
  EXPECT_EQ(ask(policy, "socket", {40}), kEperm);
  EXPECT_EQ(ask(policy, "socket", {1}), kAllow);
  EXPECT_EQ(ask(policy, "clone", {17}), kAllow);
  EXPECT_EQ(ask(policy, "clone", {0x10000011}), kEperm);
  EXPECT_EQ(ask(policy, "lseek", {0, 10, 0}), kAllow) << "conditions on different arguments must all hold";
  EXPECT_EQ(ask(policy, "lseek", {0, 10, 1}), kEperm);
  EXPECT_EQ(ask(policy, "lseek", {0, 9, 0}), kEperm);
  EXPECT_EQ(ask(policy, "ioctl", {0, 21505}), kAllow) << "of those on the same argument, any";
  EXPECT_EQ(ask(policy, "ioctl", {0, 21523}), kAllow);
  EXPECT_EQ(ask(policy, "ioctl", {0, 21522}), kEperm);
}

TEST(OciSeccomp, ConditionsDecideBeforeTheRuleWithout) {
  Policy policy = policy_of(with_rules(
      R"({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW"},
         {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_EQ"}]})"));
  EXPECT_EQ(ask(policy, "ioctl", {0, 21522}), kEperm);
  EXPECT_EQ(ask(policy, "ioctl", {0, 21505}), kAllow);
}

TEST(OciSeccomp, ChoosesRulesByCapabilityMachineAndKernel_S94) {
  std::string json = with_rules(
      R"({"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
         {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
         {"names": ["clone3"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
         {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
         {"names": ["s390_sthyi", "a_call_of_s390"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
         {"names": ["swapon"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
         {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
         {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.19"}},
         {"names": ["acct"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_SYS_PACCT"]}},
         {"names": ["kcmp"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"], "minKernel": "6.18"}})");
  Policy plain = policy_of(json), admin = policy_of(json, kSysAdmin);
  EXPECT_EQ(ask(plain, "mount"), kEperm);
  EXPECT_EQ(ask(admin, "mount"), kAllow);
  EXPECT_EQ(ask(plain, "clone3"), kEnosys);
  EXPECT_EQ(ask(admin, "clone3"), kAllow);
  EXPECT_EQ(ask(plain, "arch_prctl"), kAllow);
  EXPECT_EQ(ask(plain, "swapon"), kEperm);
  EXPECT_EQ(ask(plain, "ptrace"), kAllow);
  EXPECT_EQ(ask(plain, "bpf"), kEperm);
  EXPECT_EQ(ask(plain, "acct"), kAllow);
  EXPECT_EQ(ask(admin, "acct"), kEperm) << "one of the excluded ones is enough";
  EXPECT_EQ(ask(plain, "kcmp"), kEperm);
  EXPECT_EQ(ask(admin, "kcmp"), kAllow);
}

TEST(OciSeccomp, FiltersI386WhenTheFileListsIt) {
  const std::string rules = R"({"names": ["read", "mmap2", "lseek"], "action": "SCMP_ACT_ALLOW"},
      {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]})";
  Policy native = policy_of(with_rules(rules));
  EXPECT_EQ(ask(native, Arch::I386, "read"), kEnosys);
  EXPECT_EQ(ask(native, Arch::X32, "read"), kEnosys);
  for (const char* list : {R"("architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], )",
                           R"("archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
                              {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}], )"}) {
    Policy both = policy_of(with_rules(rules, list));
    EXPECT_EQ(ask(both, Arch::I386, "read"), kAllow);
    EXPECT_EQ(ask(both, Arch::I386, "mmap2"), kAllow);
    EXPECT_EQ(ask(both, Arch::I386, "mount"), kEperm);
    EXPECT_EQ(ask(both, Arch::I386, "personality", {0xffffffff}), kAllow) << "its arguments are 32 bits wide";
    EXPECT_EQ(ask(both, Arch::X86_64, "personality", {0xffffffff}), kEperm);
    EXPECT_EQ(ask(both, Arch::X32, "read"), kEnosys);
  }
}

TEST(OciSeccomp, AnswersCallsNewerThanTheListWithEnosys_U19) {
  Policy policy = policy_of(with_rules(R"({"names": ["openat2"], "action": "SCMP_ACT_ALLOW"})"));
  EXPECT_EQ(ask(policy, "clone3"), kEperm) << "older than openat2";
  EXPECT_EQ(ask(policy, "faccessat2"), kEnosys);
  EXPECT_EQ(ask(policy, "rseq"), kEperm);
  Policy open = policy_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]})");
  EXPECT_EQ(ask(open, "faccessat2"), kAllow);
  EXPECT_EQ(ask(open, "mount"), kEperm);
  seccomp_data newer{};
  newer.arch = AUDIT_ARCH_X86_64;
  newer.nr = 9999;
  EXPECT_EQ(filter::decide(policy, newer), kEnosys);
  EXPECT_EQ(filter::decide(open, newer), kAllow);
}

TEST(OciSeccomp, PassesOverCallsOfOtherMachines) {
  EXPECT_TRUE(read(with_rules(R"({"names": ["send", "recv", "cacheflush", "riscv_flush_icache", "umount"], "action": "SCMP_ACT_ALLOW"})")));
}

TEST(OciSeccomp, RefusalsNameTheirPlace) {
  struct Bad {
    std::string json, place, hint;
  };
  const Bad table[] = {
      {"", "f.json#", ""},
      {"not json", "f.json#", ""},
      {"[]", "f.json", ""},
      {"{}", "f.json#", "defaultAction"},
      {R"({"defaultAction": "SCMP_ACT_ALOW"})", "f.json#/defaultAction", "SCMP_ACT_ALLOW"},
      {R"({"defaultAction": 1})", "f.json#/defaultAction", ""},
      {R"({"defaultActoin": "SCMP_ACT_ALLOW"})", "f.json#/defaultActoin", "defaultAction"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_KILL"})", "f.json#/defaultAction", ""},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x"})", "f.json#/listenerPath", "listenerPath"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]})", "f.json#/flags/0", ""},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_46"]})", "f.json#/architectures/0", "SCMP_ARCH_X86_64"},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]})", "f.json#/archMap", ""},
      {R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"subArchitectures": []}]})", "f.json#/archMap/0", ""},
      {with_rules(R"({"names": ["read", "opnat"], "action": "SCMP_ACT_ALLOW"})"), "f.json#/syscalls/1/names/1", "openat"},
      {with_rules(R"({"names": ["qqqqqqqqqq"], "action": "SCMP_ACT_ALLOW"})"), "f.json#/syscalls/1/names/0", "leave it out"},
      {with_rules(R"({"names": [5], "action": "SCMP_ACT_ALLOW"})"), "f.json#/syscalls/1/names/0", ""},
      {with_rules(R"({"names": ["raed"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}})"), "f.json#/syscalls/1/names/0", "read"},
      {with_rules(R"({"action": "SCMP_ACT_ALLOW"})"), "f.json#/syscalls/1", ""},
      {with_rules(R"({"names": ["read"]})"), "f.json#/syscalls/1", ""},
      {with_rules(R"(7)"), "f.json#/syscalls/1", ""},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_NOTIFY"})"), "f.json#/syscalls/1/action", "SCMP_ACT_ERRNO"},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_TRACE"})"), "f.json#/syscalls/1/action", "SCMP_ACT_ERRNO"},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096})"), "f.json#/syscalls/1/errnoRet", ""},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": -1})"), "f.json#/syscalls/1/errnoRet", ""},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]})"), "f.json#/syscalls/1/args/0/index", ""},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"value": 0, "op": "SCMP_CMP_EQ"}]})"), "f.json#/syscalls/1/args/0", "index"},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1.5, "op": "SCMP_CMP_EQ"}]})"), "f.json#/syscalls/1/args/0/value", ""},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EG"}]})"), "f.json#/syscalls/1/args/0/op", "SCMP_CMP_"},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1}]})"), "f.json#/syscalls/1/args/0", ""},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_NOTHING"]}})"), "f.json#/syscalls/1/includes/caps/0", ""},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "new"}})"), "f.json#/syscalls/1/includes/minKernel", "4.8"},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "excludes": {"cap": []}})"), "f.json#/syscalls/1/excludes/cap", "caps"},
      {with_rules(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["read"], "action": "SCMP_ACT_LOG"})"), "f.json#/syscalls/2/names/0", ""},
  };
  for (const Bad& bad : table) {
    Result<Policy> policy = read(bad.json);
    ASSERT_FALSE(policy) << bad.json;
    EXPECT_EQ(policy.error().code, Code::kBadProfile) << bad.json;
    EXPECT_TRUE(policy.error().origin.starts_with(bad.place)) << bad.json << "\n" << policy.error().origin;
    std::string text = format(policy.error());
    EXPECT_NE(text.find(bad.hint), std::string::npos) << text;
    EXPECT_NE(text.find("f.json"), std::string::npos) << text;
  }
}

TEST(OciSeccomp, RefusesWhatWouldStopTheLaunch) {
  Result<Policy> policy = read(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []})");
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().code, Code::kFilter);
  EXPECT_EQ(policy.error().origin, "f.json");
}

TEST(OciSeccomp, AsksTheRunningKernel) {
  auto policy = read_oci_seccomp(with_rules(R"({"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
      {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}})"), "f.json", uint64_t{0});
  ASSERT_TRUE(policy);
  EXPECT_EQ(ask(*policy, "ptrace"), kAllow);
  EXPECT_EQ(ask(*policy, "bpf"), kEperm);
}

}  // namespace
}  // namespace immure

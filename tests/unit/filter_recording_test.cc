// A filter that records says of every call what the one says that does not, but for a few calls where that
// one allows them.
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <algorithm>
#include <map>
#include <span>

#include "filter/filter.h"
#include "uapi/syscalls.h"
#include "unit/filter_policy_from_bytes.h"

namespace immure::filter {
namespace {

struct Named {
  std::string_view name;
  int flags = -1;  // where AT_EMPTY_PATH stands
};
constexpr Named kNamed[] = {{"open"},     {"openat"},    {"openat2"},       {"creat"},         {"execve"},
                            {"execveat"}, {"stat"},      {"lstat"},         {"newfstatat", 3}, {"statx", 2},
                            {"access"},   {"faccessat"}, {"faccessat2", 3}, {"readlink"},      {"readlinkat"},
                            {"stat64"},   {"lstat64"},   {"fstatat64", 3},  {"oldstat"},       {"oldlstat"}};

Policy recording(Policy policy) {
  return sending(std::move(policy), calls_for_files(), SECCOMP_RET_USER_NOTIF);
}

// By architecture and number.
std::map<std::pair<Arch, uint32_t>, const Named*> by_number() {
  std::map<std::pair<Arch, uint32_t>, const Named*> all;
  for (Arch arch : {Arch::X86_64, Arch::I386, Arch::X32})
    for (const Named& named : kNamed)
      if (auto number = syscall_number(arch, named.name)) all[{arch, *number}] = &named;
  return all;
}

const Named* recorded(const Policy& policy, const seccomp_data& call) {
  static const auto all = by_number();
  const auto number = static_cast<uint32_t>(call.nr);
  if (call.arch != AUDIT_ARCH_X86_64 && call.arch != AUDIT_ARCH_I386) return nullptr;
  const Arch arch = call.arch == AUDIT_ARCH_I386 ? Arch::I386
                    : number >= uapi::kX32Bit    ? Arch::X32
                                                 : Arch::X86_64;
  auto is_own = [&](const ArchPolicy& one) { return one.arch == arch; };
  if (std::none_of(policy.arches.begin(), policy.arches.end(), is_own)) return nullptr;
  auto found = all.find({arch, number});
  return found == all.end() ? nullptr : found->second;
}

// What the program that records may say of a call: as before, but for those that are told.
void expect_told(const Policy& policy, const seccomp_data& call, Verdict before, Verdict now, size_t& told) {
  const Named* named = recorded(policy, call);
  if (named == nullptr || before != kAllow) {
    ASSERT_EQ(now, before) << call.arch << " " << call.nr << " " << call.args[2];
    return;
  }
  told += now == SECCOMP_RET_USER_NOTIF ? 1 : 0;
  const bool of_descriptor = named->flags >= 0 && (call.args[named->flags] & 0x1000) != 0;
  if (of_descriptor && now == kAllow) return;
  ASSERT_EQ(now, SECCOMP_RET_USER_NOTIF) << call.arch << " " << call.nr << " " << call.args[2];
}

Policy policy_of(const Options& options) {
  Result<Policy> policy = default_policy(options);
  EXPECT_TRUE(policy) << (policy ? "" : format(policy.error()));
  return policy ? *policy : Policy{};
}

// How many calls were let through for the record.
size_t expect_same_wall(const Policy& policy, std::span<const sock_filter> plain) {
  const Policy told_policy = recording(policy);
  auto records = compile(told_policy);
  EXPECT_TRUE(records);
  if (!records) return 0;
  size_t told = 0;
  auto check = [&](const seccomp_data& call) {
    expect_told(policy, call, evaluate(plain, call).value_or(1), evaluate(*records, call).value_or(1), told);
  };
  for_each_border(policy, check);
  for_each_border(told_policy, check);
  return told;
}

size_t expect_same_wall(const Policy& policy) {
  auto plain = compile(policy);
  EXPECT_TRUE(plain);
  return plain ? expect_same_wall(policy, *plain) : 0;
}

TEST(Recording, ChangesNoOtherVerdict) {
  for (unsigned bits = 0; bits < 64; bits++) {
    Options options;
    options.listener = true;
    options.no_set_id = (bits & 1) != 0;
    options.no_memfd = (bits & 2) != 0;
    options.nested_userns = options.ptrace = (bits & 4) != 0;
    options.compat32 = (bits & 8) != 0;
    options.no_fast_open = options.no_datagrams = (bits & 16) != 0;
    if ((bits & 32) != 0) options.rules = {{"openat", false}, {"@aio", true}, {"execveat", false}};
    EXPECT_GT(expect_same_wall(policy_of(options)), 0U) << bits;
  }
}

// What the jail is started with when nothing is recorded is what is weighed again.
TEST(Recording, IsOverTheFilterOfTheBuild) {
  for (unsigned bits = 0; bits < 4; bits++) {
    Options options;
    options.listener = true;
    options.no_set_id = (bits & 1) != 0;
    options.no_memfd = (bits & 2) != 0;
    EXPECT_GT(expect_same_wall(policy_of(options), default_filter(true, options.no_set_id, options.no_memfd)),
              0U);
  }
}

TEST(Recording, LooksAtDescriptorsAreNotWorthAWord) {
  Options options;
  options.listener = true;
  auto records = compile(recording(policy_of(options)));
  ASSERT_TRUE(records);
  seccomp_data call = data_of(AUDIT_ARCH_X86_64, *syscall_number(Arch::X86_64, "newfstatat"));
  EXPECT_EQ(evaluate(*records, call).value_or(1), SECCOMP_RET_USER_NOTIF);
  call.args[3] = 0x1000;
  EXPECT_EQ(evaluate(*records, call).value_or(1), kAllow);
}

// A call that is denied for its arguments comes to the listener as well, and has to be told from those that
// go on.
TEST(Recording, LeavesDeniedArgumentsToBeWeighed) {
  Options options;
  options.listener = options.no_set_id = true;
  Policy policy = policy_of(options);
  auto plain = compile(policy), records = compile(recording(policy));
  ASSERT_TRUE(plain && records);
  seccomp_data call = data_of(AUDIT_ARCH_X86_64, *syscall_number(Arch::X86_64, "openat"));
  call.args[2] = 0101;  // O_CREAT | O_WRONLY
  call.args[3] = 04755;
  EXPECT_EQ(evaluate(*records, call).value_or(1), SECCOMP_RET_USER_NOTIF);
  EXPECT_NE(evaluate(*plain, call).value_or(1), kAllow) << "no file with a set-id bit";
  call.args[3] = 0755;
  EXPECT_EQ(evaluate(*records, call).value_or(1), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(evaluate(*plain, call).value_or(1), kAllow);
}

TEST(Recording, AnyPolicyKeepsItsOtherVerdicts) {
  // A small generator of its own, so that a failure is the same each time.
  uint64_t state = 88172645463325252;
  for (int round = 0; round < 400; round++) {
    std::vector<uint8_t> bytes(400);
    for (uint8_t& byte : bytes) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      byte = static_cast<uint8_t>(state);
    }
    Policy policy = PolicyBytes(bytes).policy();
    if (compile(policy)) expect_same_wall(policy);
  }
}

TEST(Recording, IsRefusedWhereAReaderCouldBeKeptWaiting) {
  Options options;
  options.listener = true;
  EXPECT_TRUE(check_reading(policy_of(options), "files cannot be recorded", "--record-files"));
  options.compat32 = options.nested_userns = options.ptrace = true;
  EXPECT_TRUE(check_reading(policy_of(options), "files cannot be recorded", "--record-files"));
  for (const char* rule : {"userfaultfd", "mount", "fsmount", "@mount", "ioctl"}) {
    Options open;
    open.listener = true;
    open.rules = {{rule, true}};
    EXPECT_FALSE(check_reading(policy_of(open), "files cannot be recorded", "--record-files")) << rule;
  }
}

}  // namespace
}  // namespace immure::filter

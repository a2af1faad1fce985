// What a user may be asked about, and what never.
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <vector>

#include "filter/filter.h"

namespace immure::filter {
namespace {

constexpr uint64_t kNothing[6] = {};

TEST(Asking, RowsAreCallsOrSetsAndSayWhatTheyGive) {
  for (const Askable& row : askable_calls()) {
    const bool known = row.call.starts_with('@') ? named_set(row.call).has_value()
                                                 : syscall_number(Arch::X86_64, row.call).has_value();
    EXPECT_TRUE(known) << row.call;
    EXPECT_GT(std::string_view(row.gives).size(), 20U) << row.call;
    Options options;
    options.rules.emplace_back(row.call, true);
    EXPECT_TRUE(default_policy(options)) << row.call;
  }
}

// What would change the jail or the host, or keep a reader of memory waiting, has only the filter before it.
TEST(Asking, NobodyIsAskedAboutWhatOnlyTheFilterHolds) {
  for (std::string_view set : {"@mount", "@namespaces", "@module", "@kexec", "@bpf", "@keyring", "@perf", "@raw-io", "@clock",
                               "@reboot", "@swap", "@host", "@fanotify", "@io-uring", "@aio", "@numa"}) {
    const auto calls = named_set(set);
    ASSERT_TRUE(calls) << set;
    for (std::string_view call : *calls) EXPECT_EQ(askable(call, kNothing), nullptr) << call;
  }
  for (std::string_view call : {"userfaultfd", "open_by_handle_at", "seccomp", "clone", "clone3", "mknod", "chmod", "openat", "bpf",
                                "acct", "socketcall", "fcntl", "vmsplice", "memfd_secret", "move_pages", "process_madvise", "process_mrelease", ""})
    EXPECT_EQ(askable(call, kNothing), nullptr) << call;
}

TEST(Asking, ArgumentsDecideOfSocketsAndRequests) {
  EXPECT_NE(askable("socket", {17, 3}), nullptr);
  EXPECT_EQ(askable("socket", {40, 1}), nullptr);  // AF_VSOCK: no namespace holds it
  EXPECT_EQ(askable("socket", {uint64_t{1} << 32 | 40, 1}), nullptr);
  EXPECT_EQ(askable("socket", {31, 1}), nullptr);
  EXPECT_NE(askable("prctl", {35, 1}), nullptr);
  EXPECT_EQ(askable("prctl", {59, 1}), nullptr);  // PR_SET_SYSCALL_USER_DISPATCH: nothing denies it
  EXPECT_EQ(askable("prctl", {62, 1}), nullptr);  // PR_SCHED_CORE: others' processors
  EXPECT_NE(askable("ioctl", {3, 0xae01}), nullptr);
  EXPECT_EQ(askable("ioctl", {3, 0xc018aa3f}), nullptr);  // UFFDIO_API
  EXPECT_EQ(askable("ioctl", {3, 0xdead00000000 | 0xc018aa3f}), nullptr) << "the kernel looks at the low half";
}

// What is answered as if the kernel did not have it comes to no supervisor, and a row of it would say nothing.
TEST(Asking, EachRowIsDeniedAsASupervisorIsTold) {
  Options options;
  options.listener = true;
  const auto policy = default_policy(options);
  ASSERT_TRUE(policy);
  for (const Askable& row : askable_calls()) {
    std::vector<std::string_view> calls{row.call};
    const auto set = named_set(row.call);
    if (set) calls.assign(set->begin(), set->end());
    for (std::string_view name : calls) {
      seccomp_data call{};
      call.arch = AUDIT_ARCH_X86_64;
      call.nr = static_cast<int>(*syscall_number(Arch::X86_64, name));
      if (name == "socket" || name == "socketpair") call.args[0] = 17;
      if (name == "prctl") call.args[0] = 35;
      if (name == "personality") call.args[0] = 0x40000;
      if (name == "ioctl") call.args[1] = 0xae01;
      EXPECT_EQ(decide(*policy, call), SECCOMP_RET_USER_NOTIF) << name;
    }
  }
}

TEST(Asking, WhatARuleDeniesIsDecided) {
  Options options;
  EXPECT_FALSE(is_denied_by_name(options, "ptrace"));
  options.rules = {{"@debug", false}};
  EXPECT_TRUE(is_denied_by_name(options, "ptrace"));
  EXPECT_FALSE(is_denied_by_name(options, "ioctl"));
  options.rules.emplace_back("ptrace", true);
  EXPECT_FALSE(is_denied_by_name(options, "ptrace"));
  EXPECT_TRUE(is_denied_by_name(options, "kcmp"));
}

}  // namespace
}  // namespace immure::filter

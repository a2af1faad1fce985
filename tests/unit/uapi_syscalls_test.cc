#include <gtest/gtest.h>
#include <seccomp.h>

#include <cstdlib>
#include <set>
#include <string>

#include "uapi/syscalls.h"

namespace immure::uapi {
namespace {

// libseccomp's name for a number; empty when it has none.
std::string name_elsewhere(uint32_t arch, uint32_t nr) {
  char* name = seccomp_syscall_resolve_num_arch(arch, static_cast<int>(nr));
  std::string text = name != nullptr ? name : "";
  std::free(name);
  return text;
}

std::string name_here(std::span<const SyscallName> table, uint32_t nr) {
  for (const SyscallName& call : table)
    if (call.number == nr) return call.name;
  return {};
}

// Every number that libseccomp knows must be here by the same name. It ends before Linux 6.18, so the tables may
// know more, but only of what came later.
void compare(std::span<const SyscallName> table, uint32_t arch, const std::set<std::string>& newer) {
  for (uint32_t nr = 0; nr < 1024; nr++) {
    std::string other = name_elsewhere(arch, nr);
    std::string own = name_here(table, nr);
    if (other.empty() && !own.empty()) {
      EXPECT_TRUE(newer.contains(own)) << own << " at " << nr;
    } else {
      EXPECT_EQ(own, other) << nr;
    }
  }
}

const std::set<std::string> kNewer = {
    "uretprobe",         "uprobe",    "map_shadow_stack", "futex_wake", "futex_wait",       "futex_requeue",
    "statmount",         "listmount", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules", "mseal",
    "setxattrat",        "getxattrat", "listxattrat",     "removexattrat", "open_tree_attr",  "file_getattr",
    "file_setattr",      "listns",    "cachestat",        "fchmodat2"};

TEST(Syscalls, AreLibseccompsOnX86_64) { compare(syscalls_x86_64(), SCMP_ARCH_X86_64, kNewer); }

TEST(Syscalls, AreLibseccompsOnI386) { compare(syscalls_i386(), SCMP_ARCH_X86, kNewer); }

TEST(Syscalls, AreLibseccompsOnX32) {
  for (const SyscallName& call : syscalls_x32())
    EXPECT_EQ(name_elsewhere(SCMP_ARCH_X32, call.number | kX32Bit), call.name);
  EXPECT_EQ(syscalls_x32().size(), 36U);
}

TEST(Syscalls, ReachLinux6_18) {
  for (auto table : {syscalls_x86_64(), syscalls_i386()}) {
    EXPECT_EQ(table.back().number, 470);
    EXPECT_STREQ(table.back().name, "listns");
    EXPECT_EQ(name_here(table, 457), "statmount");
    EXPECT_EQ(name_here(table, 462), "mseal");
    EXPECT_EQ(name_here(table, 467), "open_tree_attr");
  }
  EXPECT_EQ(name_here(syscalls_x86_64(), 335), "uretprobe");
  EXPECT_EQ(name_here(syscalls_x86_64(), 336), "uprobe");
}

TEST(Syscalls, HaveEachNameOnce) {
  for (auto table : {syscalls_x86_64(), syscalls_i386(), syscalls_x32()}) {
    std::set<std::string> names;
    for (const SyscallName& call : table) EXPECT_TRUE(names.insert(call.name).second) << call.name;
  }
}

}  // namespace
}  // namespace immure::uapi

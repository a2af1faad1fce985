#include <gtest/gtest.h>
#include <unistd.h>

#include "kernel/capabilities.h"
#include "kernel/ids.h"
#include "kernel/proc.h"

namespace immure {
namespace {

constexpr const char* kPasswd =
    "# a comment\n"
    "root:x:0:0:root:/root:/bin/bash\n"
    "broken:x:zero:0::/:/bin/sh\n"
    "short:x:5:5\n"
    "+nis::::::\n"
    ":x:7:7:::\n"
    "anna:x:1000:1001:Anna,,,:/home/anna:\n"
    "anna:x:2000:2000:another::\n"
    "twin:x:1000:1000::/home/twin:/bin/sh\n"
    "1234:x:77:77::/:/bin/sh";

TEST(IdsTest, UsersByNameAndNumber) {
  auto anna = find_user(kPasswd, "anna");
  ASSERT_TRUE(anna);
  EXPECT_EQ(anna->uid, 1000u) << "the first entry wins";
  EXPECT_EQ(anna->gid, 1001u);
  EXPECT_EQ(anna->home, "/home/anna");
  EXPECT_EQ(anna->shell, "");
  EXPECT_EQ(find_user(kPasswd, 1000u)->name, "anna");
  EXPECT_EQ(find_user(kPasswd, "1234")->uid, 77u) << "the last line needs no newline";
  for (const char* none : {"", "broken", "short", "+nis", "Anna", "ann"})
    EXPECT_FALSE(find_user(kPasswd, none)) << none;
  EXPECT_FALSE(find_user(kPasswd, 7u)) << "a user needs a name";
}

TEST(IdsTest, Groups) {
  const char* text = "root:x:0:\nadm:x:4:syslog,anna\nbad:x:x:\nlong:x:9:a:b\n";
  EXPECT_EQ(find_group(text, "adm")->gid, 4u);
  EXPECT_EQ(find_group(text, 0u)->name, "root");
  EXPECT_FALSE(find_group(text, "bad"));
  EXPECT_FALSE(find_group(text, "long"));
}

TEST(IdsTest, SubordinateRanges) {
  const char* text =
      "anna:100000:65536\n"
      "bert:165536:65536\n"
      "1000:300000:10\n"
      "anna:x:5\nanna:5\nanna:5:0\nanna:4294967290:10\nanna:4294967290:5";
  auto ranges = find_subids(text, "anna", 1000);
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].outside, 100000u);
  EXPECT_EQ(ranges[0].count, 65536u);
  EXPECT_EQ(ranges[1].outside, 300000u) << "a range may be given by number";
  EXPECT_EQ(ranges[2].outside, 4294967290u);
  EXPECT_EQ(find_subids(text, "", 1000).size(), 1u);
  EXPECT_TRUE(find_subids(text, "carl", 1001).empty());
}

TEST(IdsTest, ThisHostKnowsRoot) {
  auto root = user_by_name("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(user_by_name("0")->name, "root");
  EXPECT_EQ(group_by_name("0")->gid, 0u);
  EXPECT_FALSE(user_by_name("no such user"));
}

TEST(CapabilitiesTest, NamesAndNumbers) {
  EXPECT_EQ(capability_number("CAP_SYS_ADMIN"), 21u);
  EXPECT_EQ(capability_number("cap_chown"), 0u);
  EXPECT_EQ(capability_number("Net_Raw"), 13u);
  EXPECT_EQ(capability_number("checkpoint_restore"), 40u);
  EXPECT_EQ(capability_number("63"), 63u);
  for (const char* bad : {"", "cap_", "64", "cap", "sys_admin ", "-1", "cap_nothing"})
    EXPECT_FALSE(capability_number(bad)) << bad;
  EXPECT_EQ(capability_name(12), "cap_net_admin");
  EXPECT_EQ(capability_name(50), "cap_50");
  for (unsigned n = 0; n < kKnownCapabilities; n++) EXPECT_EQ(capability_number(capability_name(n)), n);
}

TEST(CapabilitiesTest, SetsInWords) {
  constexpr uint64_t kAll = (uint64_t{1} << 41) - 1;
  EXPECT_EQ(capability_set(0, 40), "none");
  EXPECT_EQ(capability_set(kAll, 40), "all");
  EXPECT_EQ(capability_set(1 | 1 << 5, 40), "cap_chown cap_kill");
  EXPECT_EQ(capability_set(kAll & ~(uint64_t{1} << 21), 40), "all but cap_sys_admin");
  EXPECT_EQ(capability_set(~uint64_t{0}, 63), "all");
  EXPECT_EQ(capability_set(uint64_t{1} << 63, 40), "cap_63");
}

TEST(CapabilitiesTest, OwnSetsAreThoseOfProc) {
  char buffer[4096];
  ProcStatus status = parse_status(read_view("/proc/self/status", buffer));
  CapabilitySets own = own_capabilities().value();
  EXPECT_EQ(own.effective, status.cap_effective);
  EXPECT_EQ(own.permitted, status.cap_permitted);
  EXPECT_EQ(own.inheritable, status.cap_inheritable);
  std::string_view last = read_view("/proc/sys/kernel/cap_last_cap", buffer);
  EXPECT_EQ(std::to_string(highest_capability()) + "\n", last);
}

TEST(HostTest, ObservesTheCaller) {
  Host host = Host::observe();
  EXPECT_EQ(host.uid, geteuid());
  EXPECT_EQ(host.gid, getegid());
  EXPECT_EQ(host.pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(host.pid_ns, ns_inode(0, "pid"));
  EXPECT_FALSE(host.uid_ranges.empty());
  EXPECT_FALSE(host.gid_ranges.empty());
  EXPECT_GT(host.memory_bytes, 16u << 20);
  EXPECT_GE(host.processors, 1u);
  EXPECT_GE(host.monotonic_ns, 1u);
  EXPECT_GE(host.boot_ns, 1u);
  for (int fd = 0; fd < 3; fd++) EXPECT_EQ(host.tty[fd], isatty(fd) == 1) << fd;
  char cwd[4096];
  ASSERT_NE(getcwd(cwd, sizeof cwd), nullptr);
  EXPECT_EQ(host.cwd, cwd);
  int next = dup(0);
  ASSERT_GE(next, 0);
  EXPECT_EQ(host.oldest_free_fd, next);
  Host second = Host::observe();
  EXPECT_GT(second.oldest_free_fd, next);
  close(next);
}

}  // namespace
}  // namespace immure

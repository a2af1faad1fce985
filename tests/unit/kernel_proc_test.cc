#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "kernel/proc.h"

namespace immure {
namespace {

constexpr const char* kStatus =
    "Name:\tevil: name\\nUid:\t9 9\n"
    "Umask:\t0077\n"
    "State:\tS (sleeping)\n"
    "Tgid:\t4711\nNgid:\t0\nPid:\t4712\nPPid:\t1\nTracerPid:\t99\n"
    "Uid:\t1000\t1001\t1002\t1003\n"
    "Gid:\t2000\t2001\t2002\t2003\n"
    "FDSize:\t64\nGroups:\t4 24 1000 \n"
    "NStgid:\t4711\t7\nNSpid:\t4712\t8\n"
    "VmPeak:\t    9000 kB\nVmHWM:\t    5120 kB\nVmRSS:\t    4096 kB\n"
    "Threads:\t3\nSigQ:\t0/95000\nSigBlk:\t0000000000010000\nSigIgn:\t0000000000001000\n"
    "CapInh:\t0000000000000001\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000400\n"
    "CapBnd:\t000001fffffffffe\nCapAmb:\t0000000000000002\n"
    "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t4\n";

TEST(ProcTest, StatusOfARealProcess) {
  ProcStatus status = parse_status(kStatus);
  EXPECT_EQ(status.name, "evil: name\\nUid:\t9 9");
  EXPECT_EQ(status.state, 'S');
  EXPECT_EQ(status.tgid, 4711);
  EXPECT_EQ(status.pid, 4712);
  EXPECT_EQ(status.ppid, 1);
  EXPECT_EQ(status.tracer, 99);
  EXPECT_EQ(status.uid[0], 1000u);
  EXPECT_EQ(status.uid[3], 1003u);
  EXPECT_EQ(status.gid[1], 2001u);
  EXPECT_EQ(status.groups, "4 24 1000");
  EXPECT_EQ(status.ns_pid, "4712\t8");
  EXPECT_EQ(status.memory_peak, 5120u * 1024);
  EXPECT_EQ(status.resident, 4096u * 1024);
  EXPECT_EQ(status.threads, 3u);
  EXPECT_TRUE(status.has_caps);
  EXPECT_EQ(status.cap_inheritable, 1u);
  EXPECT_EQ(status.cap_permitted, 0x1ffffffffffu);
  EXPECT_EQ(status.cap_effective, 0x400u);
  EXPECT_EQ(status.cap_bounding, 0x1fffffffffeu);
  EXPECT_EQ(status.cap_ambient, 2u);
  EXPECT_EQ(status.no_new_privs, 1);
  EXPECT_EQ(status.seccomp, 2);
  EXPECT_EQ(status.seccomp_filters, 4);
  EXPECT_EQ(status.umask, 077);
  EXPECT_EQ(status.signals_blocked, 0x10000u);
  EXPECT_EQ(status.signals_ignored, 0x1000u);
}

// What is not shown must not look like "none": a kernel without a field is told from one with a nought.
TEST(ProcTest, AMissingFieldIsNotANought) {
  ProcStatus status = parse_status("Name:\tx\nState:\tZ (zombie)\nPid:\t5\n");
  EXPECT_EQ(status.seccomp, -1);
  EXPECT_EQ(status.seccomp_filters, -1);
  EXPECT_EQ(status.no_new_privs, -1);
  EXPECT_FALSE(status.has_caps);
  EXPECT_EQ(status.umask, -1);
}

TEST(ProcTest, StatusTakesBrokenText) {
  EXPECT_EQ(parse_status("").pid, -1);
  EXPECT_EQ(parse_status("Pid:").pid, -1);
  EXPECT_EQ(parse_status("Pid:\t12x\nState:\n\n:::\nCapEff:\tzz").pid, -1);
  EXPECT_FALSE(parse_status("CapEff:\tzz").has_caps);
  EXPECT_EQ(parse_status("VmHWM:\t99999999999999999999 kB").memory_peak, 0u);
  EXPECT_EQ(parse_status("VmHWM:\t18446744073709551615 kB").memory_peak, 0u) << "no wrap around";
  // Cut in the middle of a field, as a small buffer would.
  std::string text = kStatus;
  for (size_t n = 0; n <= text.size(); n++) (void)parse_status(std::string_view(text).substr(0, n));
}

TEST(ProcTest, OwnStatusAgreesWithTheCalls) {
  char buffer[4096];
  ProcStatus status = parse_status(read_view("/proc/self/status", buffer));
  EXPECT_EQ(status.pid, getpid());
  EXPECT_EQ(status.ppid, getppid());
  EXPECT_EQ(status.uid[1], geteuid());
  EXPECT_EQ(status.gid[1], getegid());
  EXPECT_TRUE(status.has_caps);
  EXPECT_GE(status.seccomp, 0);
}

TEST(ProcTest, IdMaps) {
  auto range = parse_id_map_line("         0     100000      65536");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->inside, 0u);
  EXPECT_EQ(range->outside, 100000u);
  EXPECT_EQ(range->count, 65536u);
  EXPECT_EQ(parse_id_map_line("0 0 4294967295")->count, 4294967295u);
  for (const char* bad : {"", "0", "0 0", "0 0 4294967296", "0 0 1 1", "a 0 1", "-1 0 1", "0,0,1"})
    EXPECT_FALSE(parse_id_map_line(bad)) << bad;
}

TEST(ProcTest, StatCountsFromTheLastParenthesis) {
  auto stat = parse_stat(
      "77 (a) R 1 (b)) S 5 6 7 34816 77 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200 184467440737\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 77);
  EXPECT_EQ(stat->name, "a) R 1 (b)");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->ppid, 5);
  EXPECT_EQ(stat->pgrp, 6);
  EXPECT_EQ(stat->session, 7);
  EXPECT_EQ(stat->start_ticks, 987654u);
  for (const char* bad : {"", "77", "77 (x", "77 )x(", "x (y) S 1 2 3", "77 (x) S", "77 (x) S 1 2 3 4 5 6",
                          "77 (x) SS 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"})
    EXPECT_FALSE(parse_stat(bad)) << bad;
}

TEST(ProcTest, OwnStartTimeIsStable) {
  char buffer[1024];
  auto first = parse_stat(read_view("/proc/self/stat", buffer));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->pid, getpid());
  EXPECT_GT(first->start_ticks, 0u);
}

TEST(ProcTest, CgroupLines) {
  auto line = parse_cgroup_line("4:cpu,cpuacct:/a:b/c d");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->hierarchy, 4u);
  EXPECT_EQ(line->controllers, "cpu,cpuacct");
  EXPECT_EQ(line->path, "/a:b/c d");
  line = parse_cgroup_line("0::/user.slice/user-1000.slice/session-2.scope");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->controllers, "");
  EXPECT_EQ(line->path, "/user.slice/user-1000.slice/session-2.scope");
  line = parse_cgroup_line("1:name=systemd:/");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->controllers, "name=systemd");
  EXPECT_EQ(line->path, "/");
  EXPECT_EQ(parse_cgroup_line("0::/../../other")->path, "/../../other");
  for (const char* bad :
       {"", ":", "::", "0:", "0::", "x::/a", "0:memory", "0:memory:relative", "4294967296::/"})
    EXPECT_FALSE(parse_cgroup_line(bad)) << bad;
}

TEST(ProcTest, Limits) {
  auto limit =
      parse_limit_line("Max open files            1024                 524288               files     ");
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->resource, RLIMIT_NOFILE);
  EXPECT_EQ(limit->soft, 1024u);
  EXPECT_EQ(limit->hard, 524288u);
  limit = parse_limit_line("Max cpu time              unlimited            unlimited            seconds   ");
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->resource, RLIMIT_CPU);
  EXPECT_EQ(limit->hard, kUnlimited);
  limit = parse_limit_line("Max brand new thing       1                    2                    things    ");
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->resource, -1);
  EXPECT_FALSE(
      parse_limit_line("Limit                     Soft Limit           Hard Limit           Units     "));
  for (const char* bad : {"", "  ", "Max open files", "Max open files  x y"})
    EXPECT_FALSE(parse_limit_line(bad));
  EXPECT_EQ(limit_name(RLIMIT_CORE), "core");
  EXPECT_EQ(limit_name(4711), "");
}

TEST(ProcTest, OwnLimitsAgreeWithTheCall) {
  char buffer[4096];
  std::string_view text = read_view("/proc/self/limits", buffer), line;
  int known = 0;
  while (next_line(text, line)) {
    auto limit = parse_limit_line(line);
    if (!limit) continue;
    ASSERT_NE(limit->resource, -1) << line;
    rlimit own{};
    ASSERT_EQ(getrlimit(static_cast<__rlimit_resource>(limit->resource), &own), 0);
    EXPECT_EQ(limit->soft, own.rlim_cur) << line;
    EXPECT_EQ(limit->hard, own.rlim_max) << line;
    known++;
  }
  EXPECT_EQ(known, 16);
}

TEST(ProcTest, Fdinfo) {
  FdInfo info = parse_fdinfo("pos:\t42\nflags:\t02100002\nmnt_id:\t15\nino:\t4113\neventfd-count: 3\n");
  EXPECT_EQ(info.position, 42u);
  EXPECT_EQ(info.flags, 02100002u);
  EXPECT_EQ(info.mount_id, 15);
  EXPECT_EQ(info.inode, 4113u);
  EXPECT_EQ(info.first_extra, "eventfd-count: 3");
  EXPECT_EQ(parse_fdinfo("Pid:\t77\nNSpid:\t77\n").pid, 77);
  EXPECT_EQ(parse_fdinfo("").mount_id, -1);
  EXPECT_EQ(parse_fdinfo("mnt_id:\tx\nlock:\t1: FLOCK").first_extra, "");
}

TEST(ProcTest, NamespaceLinks) {
  EXPECT_EQ(parse_ns_link("pid:[4026531836]"), 4026531836u);
  for (const char* bad : {"", "pid", "pid:[", "pid:[]", "pid:[1", "pid:[x]", "]", ":[]"})
    EXPECT_EQ(parse_ns_link(bad), 0u) << bad;
  struct stat st {};
  ASSERT_EQ(stat("/proc/self/ns/mnt", &st), 0);
  EXPECT_EQ(ns_inode(0, "mnt"), st.st_ino);
  EXPECT_EQ(ns_inode(getpid(), "mnt"), st.st_ino);
  EXPECT_EQ(ns_inode(0, "no_such"), 0u);
  EXPECT_EQ(ns_inode(0, std::string(300, 'x').c_str()), 0u);
}

TEST(ProcTest, LinesAndWords) {
  std::string_view rest = "a\n\nb", line;
  ASSERT_TRUE(next_line(rest, line));
  EXPECT_EQ(line, "a");
  ASSERT_TRUE(next_line(rest, line));
  EXPECT_EQ(line, "");
  ASSERT_TRUE(next_line(rest, line));
  EXPECT_EQ(line, "b");
  EXPECT_FALSE(next_line(rest, line));
  std::string_view words = " \tone  two\t";
  EXPECT_EQ(next_word(words), "one");
  EXPECT_EQ(next_word(words), "two");
  EXPECT_EQ(next_word(words), "");
  EXPECT_EQ(next_word(words), "");
}

TEST(ProcTest, SmallReadsAreCutAndErrorsAreNegative) {
  char four[4];
  EXPECT_EQ(read_view("/proc/self/status", four), "Name");
  EXPECT_EQ(read_small(AT_FDCWD, "/proc/self/no-such-file", four), -ENOENT);
  EXPECT_EQ(read_small(AT_FDCWD, "/proc/self", four), -EISDIR);
}

TEST(ProcTest, NoParserMindsAnyBytes) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    (void)parse_status(text);
    (void)parse_stat(text);
    (void)parse_cgroup_line(text);
    (void)parse_limit_line(text);
    (void)parse_fdinfo(text);
    (void)parse_ns_link(text);
    (void)parse_id_map_line(text);
  }));
}

}  // namespace
}  // namespace immure

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernel/cgroup.h"

namespace immure {
namespace {

namespace fs = std::filesystem;

bool has(const std::vector<std::string>& all, std::string_view one) {
  for (const auto& x : all)
    if (x == one) return true;
  return false;
}
const CgroupFacts::Unusable* missing(const CgroupFacts& facts, std::string_view controller) {
  for (const auto& x : facts.unusable)
    if (x.controller == controller) return &x;
  return nullptr;
}

// A made-up /sys/fs/cgroup. Directories are the groups; the kernel's files in them are plain files.
class CgroupFactsTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/immure-cgroup-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    base_ = pattern;
    chmod(pattern, 0755);
    write("mountinfo", "");
  }
  void TearDown() override {
    if (root_) {
      EXPECT_EQ(seteuid(0), 0);
    }
    fs::remove_all(base_);
  }

  void write(const std::string& file, const std::string& text) {
    fs::create_directories((fs::path(base_) / file).parent_path());
    std::ofstream(base_ + "/" + file) << text;
    chmod((base_ + "/" + file).c_str(), 0644);
  }
  // A group of the unified tree. `procs` empty: no process in it. `type` false: the machine's root.
  void v2(const std::string& group, const std::string& controllers, const std::string& enabled,
          const std::string& procs, bool type = true) {
    std::string at = group.empty() ? "" : group + "/";
    write(at + "cgroup.controllers", controllers + "\n");
    write(at + "cgroup.subtree_control", enabled + "\n");
    write(at + "cgroup.procs", procs);
    if (type) write(at + "cgroup.type", "domain\n");
  }
  void give(const std::string& group, uid_t uid) {
    for (const auto& entry : fs::directory_iterator(base_ + "/" + group))
      ASSERT_EQ(chown(entry.path().c_str(), uid, uid), 0);
    ASSERT_EQ(chown((base_ + "/" + group).c_str(), uid, uid), 0);
  }
  // From here on the caller is an ordinary user. false: this test cannot become one.
  bool become_user() {
    if (geteuid() != 0) return false;
    root_ = true;
    return seteuid(65534) == 0;
  }
  CgroupFacts look(std::string_view self, bool for_plan = false) {
    std::string mounts = base_ + "/mountinfo";
    return cgroup_facts({self, base_, mounts.c_str(), for_plan});
  }

  std::string base_;
  bool root_ = false;
};

constexpr const char* kAll = "cpuset cpu io memory hugetlb pids rdma misc";

TEST_F(CgroupFactsTest, TheMachinesRootMayHoldProcesses) {
  v2("", kAll, "", "1\n2\n", false);
  CgroupFacts facts = look("0::/\n");
  EXPECT_EQ(facts.mode, CgroupMode::V2);
  EXPECT_EQ(facts.v2_path, base_);
  EXPECT_EQ(facts.v2_own_path, base_);
  EXPECT_TRUE(facts.v2_writable);
  EXPECT_FALSE(facts.v2_leaf_first);
  EXPECT_TRUE(has(facts.v2_controllers, "memory"));
  EXPECT_TRUE(facts.v2_enabled.empty());
  EXPECT_TRUE(facts.unusable.empty());
}

// (S87) The own group holds the shell, so its children could not be limited: the nearest group above can.
TEST_F(CgroupFactsTest, WalksUpPastGroupsThatHoldProcesses) {
  v2("", kAll, "cpu memory pids", "1\n", false);
  v2("user.slice", "cpu memory pids", "memory pids", "");
  v2("user.slice/user-0.slice", "memory pids", "", "");
  v2("user.slice/user-0.slice/session-1.scope", "memory pids", "", "100\n101\n");
  CgroupFacts facts = look("0::/user.slice/user-0.slice/session-1.scope\n");
  EXPECT_EQ(facts.v2_own_path, base_ + "/user.slice/user-0.slice/session-1.scope");
  EXPECT_EQ(facts.v2_path, base_ + "/user.slice/user-0.slice");
  EXPECT_TRUE(facts.v2_writable);
  EXPECT_TRUE(has(facts.v2_controllers, "memory"));
  EXPECT_TRUE(facts.v2_enabled.empty()) << "they have to be enabled first";
  const auto* cpu = missing(facts, "cpu");
  ASSERT_NE(cpu, nullptr);
  EXPECT_NE(cpu->reason.find("not handed down"), std::string::npos) << cpu->reason;
  EXPECT_NE(cpu->remedy.find("Delegate="), std::string::npos);
  EXPECT_EQ(missing(facts, "memory"), nullptr);
}

TEST_F(CgroupFactsTest, AloneInADelegatedScopeTheCallerStepsIntoALeaf) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files to another user";
  v2("", kAll, "cpu memory pids", "1\n", false);
  v2("run.scope", "cpu memory pids", "", "4711\n");
  give("run.scope", 65534);
  ASSERT_TRUE(become_user());
  CgroupFacts facts = look("0::/run.scope\n");
  EXPECT_TRUE(facts.v2_leaf_first);
  EXPECT_TRUE(facts.v2_writable);
  EXPECT_EQ(facts.v2_path, base_ + "/run.scope");
  EXPECT_TRUE(has(facts.v2_controllers, "cpu"));
  EXPECT_TRUE(facts.unusable.empty());
}

// A unit's own limit must go on holding, so the jail is not made beside the unit although it could be.
TEST_F(CgroupFactsTest, AloneTheCallerStaysBelowTheLimitsOfItsUnit) {
  v2("", kAll, "cpu memory pids", "1\n", false);
  v2("system.slice", "cpu memory pids", "cpu memory pids", "");
  v2("system.slice/judge.service", "cpu memory pids", "", "4711\n");
  CgroupFacts facts = look("0::/system.slice/judge.service\n");
  EXPECT_EQ(facts.v2_path, base_ + "/system.slice/judge.service");
  EXPECT_TRUE(facts.v2_leaf_first);
  EXPECT_TRUE(has(facts.v2_controllers, "memory"));
  EXPECT_TRUE(facts.v2_enabled.empty());
}

TEST_F(CgroupFactsTest, WithOthersInADelegatedScopeTheReasonIsToldThem) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files to another user";
  v2("", kAll, "cpu memory pids", "1\n", false);
  v2("run.scope", "cpu memory pids", "", "4711\n4712\n");
  give("run.scope", 65534);
  ASSERT_TRUE(become_user());
  CgroupFacts facts = look("0::/run.scope\n");
  EXPECT_FALSE(facts.v2_leaf_first);
  EXPECT_TRUE(facts.v2_writable) << "a group for killing and freezing can still be made";
  EXPECT_TRUE(facts.v2_controllers.empty());
  ASSERT_NE(missing(facts, "memory"), nullptr);
  EXPECT_NE(missing(facts, "memory")->reason.find("holds other processes"), std::string::npos);
}

// What systemd's user manager gives: everything below user@1000.service belongs to the user.
TEST_F(CgroupFactsTest, ADelegatedUserSlice) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files to another user";
  v2("", kAll, "cpu memory pids", "1\n", false);
  v2("user@1000.service", "memory pids", "memory pids", "");
  v2("user@1000.service/app.slice", "memory pids", "memory pids", "");
  v2("user@1000.service/app.slice/term.scope", "memory pids", "", "500\n501\n");
  for (const char* group :
       {"user@1000.service", "user@1000.service/app.slice", "user@1000.service/app.slice/term.scope"})
    give(group, 65534);
  ASSERT_TRUE(become_user());
  CgroupFacts facts = look("0::/user@1000.service/app.slice/term.scope\n");
  EXPECT_EQ(facts.v2_path, base_ + "/user@1000.service/app.slice");
  EXPECT_TRUE(facts.v2_writable);
  EXPECT_TRUE(has(facts.v2_enabled, "memory"));
}

TEST_F(CgroupFactsTest, WithoutDelegationTheReasonNamesTheGroup) {
  v2("", kAll, "cpu memory pids", "1\n", false);
  v2("session.scope", "cpu memory pids", "", "500\n501\n");
  if (!become_user()) GTEST_SKIP() << "needs root to become another user";
  CgroupFacts facts = look("0::/session.scope\n");
  EXPECT_FALSE(facts.v2_writable);
  ASSERT_NE(missing(facts, "pids"), nullptr);
  EXPECT_NE(missing(facts, "pids")->reason.find("session.scope is not delegated"), std::string::npos);
  EXPECT_NE(missing(facts, "pids")->remedy.find("Delegate=yes"), std::string::npos);
}

TEST_F(CgroupFactsTest, AControllerThatTheKernelLeftOut) {
  v2("", "cpu pids", "", "1\n", false);
  CgroupFacts facts = look("0::/\n");
  ASSERT_NE(missing(facts, "memory"), nullptr);
  EXPECT_NE(missing(facts, "memory")->remedy.find("cgroup_enable=memory"), std::string::npos);
  EXPECT_EQ(missing(facts, "cpu"), nullptr);
}

TEST_F(CgroupFactsTest, Version1WithCoMountedControllers) {
  for (const char* dir : {"cpu/jobs", "cpuacct/jobs", "memory/jobs/a b", "pids", "devices", "freezer"})
    fs::create_directories(base_ + "/" + dir);
  CgroupFacts facts = look(
      "6:cpu,cpuacct:/jobs\n5:memory:/jobs/a "
      "b\n4:pids:/\n3:devices:/\n2:freezer:/\n1:name=systemd:/x\ngarbage\n");
  EXPECT_EQ(facts.mode, CgroupMode::V1);
  EXPECT_TRUE(facts.v1_writable);
  ASSERT_EQ(facts.v1.size(), 6u);
  EXPECT_EQ(facts.v1[0].name, "cpu");
  EXPECT_EQ(facts.v1[0].own_path, base_ + "/cpu/jobs");
  EXPECT_EQ(facts.v1[1].name, "cpuacct");
  EXPECT_EQ(facts.v1[2].own_path, base_ + "/memory/jobs/a b");
  EXPECT_EQ(facts.v1[3].own_path, base_ + "/pids");
  EXPECT_TRUE(facts.unusable.empty());
}

TEST_F(CgroupFactsTest, HybridTakesLimitsFromV1AndKillFromV2) {
  for (const char* dir : {"cpu", "memory", "pids", "devices"}) fs::create_directories(base_ + "/" + dir);
  v2("unified", "hugetlb", "", "1\n", false);
  CgroupFacts facts = look("3:cpu:/\n2:memory:/\n1:pids:/\n4:devices:/\n0::/\n");
  EXPECT_EQ(facts.mode, CgroupMode::Hybrid);
  EXPECT_EQ(facts.v2_path, base_ + "/unified");
  EXPECT_TRUE(facts.v2_writable);
  EXPECT_TRUE(facts.v1_writable);
  EXPECT_TRUE(facts.unusable.empty());
}

TEST_F(CgroupFactsTest, HybridWithOneControllerMissing) {
  for (const char* dir : {"cpu", "pids"}) fs::create_directories(base_ + "/" + dir);
  v2("unified", "hugetlb", "", "1\n", false);
  CgroupFacts facts = look("3:cpu:/\n1:pids:/\n0::/\n");
  ASSERT_NE(missing(facts, "memory"), nullptr);
  EXPECT_EQ(missing(facts, "cpu"), nullptr);
  EXPECT_TRUE(facts.v2_writable);
}

// Nothing of the unified tree goes into a plan beside version 1, but what is said of a missing controller does.
TEST_F(CgroupFactsTest, APlanLeavesTheUnifiedTreeAloneBesideV1) {
  for (const char* dir : {"cpu", "memory", "pids"}) fs::create_directories(base_ + "/" + dir);
  v2("unified", "hugetlb", "", "1\n", false);
  CgroupFacts facts = look("3:cpu:/\n2:memory:/\n1:pids:/\n0::/\n", true);
  EXPECT_EQ(facts.mode, CgroupMode::Hybrid);
  EXPECT_TRUE(facts.v1_writable);
  EXPECT_TRUE(facts.v2_own_path.empty());
  EXPECT_TRUE(facts.unusable.empty());
  CgroupFacts without_memory = look("3:cpu:/\n1:pids:/\n0::/\n", true);
  EXPECT_EQ(without_memory.v2_path, base_ + "/unified");
  const auto* memory = missing(without_memory, "memory");
  ASSERT_NE(memory, nullptr);
  EXPECT_NE(memory->reason.find("does not offer it"), std::string::npos) << memory->reason;
}

TEST_F(CgroupFactsTest, APlanIsToldWhyVersionOneCannotBeHad) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to look as another user";
  for (const char* dir : {"cpu", "memory", "pids"}) fs::create_directories(base_ + "/" + dir);
  v2("unified", "hugetlb", "", "1\n", false);
  ASSERT_TRUE(become_user());
  const std::string_view self = "3:cpu:/\n2:memory:/\n1:pids:/\n0::/\n";
  CgroupFacts facts = look(self, true), whole = look(self);
  EXPECT_FALSE(facts.v1_writable);
  EXPECT_EQ(facts.mode, whole.mode);
  ASSERT_EQ(facts.unusable.size(), whole.unusable.size());
  for (size_t i = 0; i < facts.unusable.size(); i++) EXPECT_EQ(facts.unusable[i].reason, whole.unusable[i].reason);
}

// A container without a cgroup namespace: the path is the host's, the mount shows a part of the tree.
TEST_F(CgroupFactsTest, APathThatOnlyTheMountTableExplains) {
  fs::create_directories(base_ + "/elsewhere/mem dir/sub");
  // Decoys: a root that is only a beginning of the name, one of the same length, another controller's.
  for (const char* decoy : {"short3/sub", "other/sub", "pids/sub"})
    fs::create_directories(base_ + "/" + decoy);
  write("mountinfo", "41 30 0:31 /docker/12 " + base_ + "/short rw - cgroup cgroup rw,memory\n" +
                         "42 30 0:31 /dockes/123 " + base_ + "/other rw - cgroup cgroup rw,memory\n" +
                         "43 30 0:31 /docker/123 " + base_ + "/pids rw - cgroup cgroup rw,pids\n" +
                         "40 30 0:30 /docker/123 " + base_ +
                         "/elsewhere/mem\\040dir rw,nosuid - cgroup cgroup rw,memory\n");
  CgroupFacts facts = look("2:memory:/docker/123/sub\n");
  ASSERT_EQ(facts.v1.size(), 1u);
  EXPECT_EQ(facts.v1[0].own_path, base_ + "/elsewhere/mem dir/sub");
  EXPECT_TRUE(facts.v1_writable);
}

// Kernels before 4.14 have no cgroup.type anywhere: only the top of the tree can be the machine's root.
TEST_F(CgroupFactsTest, WithoutATypeAGroupIsNotTakenForTheRoot) {
  v2("", "memory pids", "memory pids", "1\n", false);
  v2("shell", "memory pids", "", "7\n8\n", false);
  CgroupFacts facts = look("0::/shell\n");
  EXPECT_EQ(facts.v2_path, base_);
}

// A directory of one's own is no use when processes may not be moved into it.
TEST_F(CgroupFactsTest, AGroupWhoseProcsFileIsNotOursIsNotWritable) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files to another user";
  v2("", kAll, "cpu memory pids", "1\n", false);
  v2("run.scope", "cpu memory pids", "", "4711\n");
  give("run.scope", 65534);
  ASSERT_EQ(chown((base_ + "/run.scope/cgroup.procs").c_str(), 0, 0), 0);
  ASSERT_TRUE(become_user());
  CgroupFacts facts = look("0::/run.scope\n");
  EXPECT_FALSE(facts.v2_writable);
  EXPECT_NE(missing(facts, "memory"), nullptr);
}

TEST_F(CgroupFactsTest, AUnifiedTreeElsewhere) {
  v2("other/place", kAll, "memory", "1\n", false);
  write("mountinfo", "40 30 0:30 / " + base_ + "/other/place rw - cgroup2 cgroup2 rw\n");
  CgroupFacts facts = look("0::/\n");
  EXPECT_EQ(facts.mode, CgroupMode::V2);
  EXPECT_EQ(facts.v2_path, base_ + "/other/place");
}

TEST_F(CgroupFactsTest, NoTreeAtAll) {
  for (const char* self : {"", "0::/\n", "::\n:memory:\n"}) {
    CgroupFacts facts = look(self);
    EXPECT_EQ(facts.mode, CgroupMode::None) << self;
    EXPECT_FALSE(facts.v2_writable);
    EXPECT_FALSE(facts.v1_writable);
    EXPECT_EQ(facts.unusable.size(), 3u);
    EXPECT_NE(missing(facts, "memory")->remedy.find("mount -t cgroup2"), std::string::npos);
  }
}

TEST_F(CgroupFactsTest, DirectoriesOfAnyProcess) {
  for (const char* dir : {"cpu/jobs", "systemd/x"}) write(std::string(dir) + "/cgroup.procs", "");
  v2("unified/a b", "hugetlb", "", "1\n");
  std::string mounts = base_ + "/mountinfo";
  auto all = cgroup_directories(
      {"4:cpu,cpuacct:/jobs\n3:memory:/gone\n1:name=systemd:/x\n0::/a b\n", base_, mounts.c_str()});
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].controllers, "cpu,cpuacct");
  EXPECT_EQ(all[0].directory, base_ + "/cpu/jobs");
  EXPECT_EQ(all[1].directory, "") << "a group that is not visible has no directory";
  EXPECT_EQ(all[1].path, "/gone");
  EXPECT_EQ(all[2].directory, base_ + "/systemd/x");
  EXPECT_EQ(all[3].controllers, "unified");
  EXPECT_EQ(all[3].directory, base_ + "/unified/a b");
}

TEST_F(CgroupFactsTest, AnyBytesAsTheOwnGroup) {
  EXPECT_TRUE(rc::check([this](const std::string& text) { (void)look(text); }));
}

TEST(CgroupParseTest, Values) {
  EXPECT_EQ(single_value("42\n"), 42u);
  EXPECT_EQ(single_value("max\n"), kNoLimit);
  EXPECT_FALSE(single_value(""));
  EXPECT_FALSE(single_value("-1\n"));
  EXPECT_EQ(flat_value("low 0\nhigh 3\nmax 17\noom 1\noom_kill 2\n", "oom_kill"), 2u);
  EXPECT_EQ(flat_value("max 17\n", "max"), 17u);
  EXPECT_FALSE(flat_value("max_usage 17\n", "max"));
  EXPECT_FALSE(flat_value("max\n", "max"));
  EXPECT_EQ(cpu_max_milli("50000 100000\n"), 500u);
  EXPECT_EQ(cpu_max_milli("max 100000\n"), kNoLimit);
  for (const char* bad : {"", "50000", "50000 0", "x 1", "18446744073709551615 1"})
    EXPECT_FALSE(cpu_max_milli(bad));
}

TEST(CgroupParseTest, InputAndOutput) {
  uint64_t read = 0, written = 0;
  sum_io_stat("254:0 rbytes=100 wbytes=7 rios=1 wios=1 dbytes=0 dios=0\n8:0 rbytes=1 wbytes=2\nodd\n", read,
              written);
  EXPECT_EQ(read, 101u);
  EXPECT_EQ(written, 9u);
  read = written = 0;
  sum_blkio("254:0 Read 10\n254:0 Write 20\n254:0 Sync 30\n254:0 Total 30\n8:0 Read 1\nTotal 31\n", read,
            written);
  EXPECT_EQ(read, 11u);
  EXPECT_EQ(written, 20u);
}

TEST_F(CgroupFactsTest, UsageAndLimitsOfBothVersions) {
  write("u/cpu.stat", "usage_usec 1500\nuser_usec 1\nnr_periods 3\nnr_throttled 2\nthrottled_usec 40\n");
  write("u/memory.peak", "4096\n");
  write("u/memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\noom_group_kill 0\n");
  write("u/pids.events", "max 3\n");
  write("u/io.stat", "8:0 rbytes=5 wbytes=6\n");
  write("u/memory.max", "1048576\n");
  write("u/pids.max", "max\n");
  write("u/cpu.max", "150000 100000\n");
  write("u/cpuset.cpus.effective", "0-1\n");
  std::string u = base_ + "/u", m = base_ + "/m", p = base_ + "/p", c = base_ + "/c";
  CgroupRef unified[] = {{u, "unified"}};
  CgroupUsage usage = read_usage(unified);
  EXPECT_EQ(usage.cpu_ns, 1500000u);
  EXPECT_EQ(usage.throttled_ns, 40000u);
  EXPECT_EQ(usage.throttled_periods, 2u);
  EXPECT_EQ(usage.memory_peak, 4096u);
  EXPECT_EQ(usage.memory_limit_hits, 5u);
  EXPECT_EQ(usage.oom_kills, 1u);
  EXPECT_EQ(usage.pids_limit_hits, 3u);
  EXPECT_EQ(usage.io_read, 5u);
  EXPECT_EQ(usage.io_written, 6u);
  EXPECT_FALSE(usage.pids_peak) << "a file that is not there is no nought";
  CgroupLimits limits = read_limits(unified);
  EXPECT_EQ(limits.memory, 1048576u);
  EXPECT_EQ(limits.pids, kNoLimit);
  EXPECT_EQ(limits.cpu_milli, 1500u);
  EXPECT_EQ(limits.cpus, "0-1");

  write("m/memory.max_usage_in_bytes", "8192\n");
  write("m/memory.failcnt", "9\n");
  write("m/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
  write("m/memory.limit_in_bytes", "9223372036854771712\n");
  write("p/pids.events", "max 1\n");
  write("p/pids.max", "64\n");
  write("c/cpu.stat", "nr_periods 0\nnr_throttled 6\nthrottled_time 77\n");
  write("c/cpuacct.usage", "123456\n");
  write("c/cpu.cfs_quota_us", "-1\n");
  write("c/cpu.cfs_period_us", "100000\n");
  write("hyb/cpu.stat", "usage_usec 9\n");
  std::string hyb = base_ + "/hyb";
  CgroupRef v1[] = {{m, "memory"}, {p, "pids"}, {c, "cpu,cpuacct"}};
  usage = read_usage(v1);
  EXPECT_EQ(usage.memory_peak, 8192u);
  EXPECT_EQ(usage.memory_limit_hits, 9u);
  EXPECT_EQ(usage.oom_kills, 4u);
  EXPECT_EQ(usage.pids_limit_hits, 1u);
  EXPECT_EQ(usage.throttled_ns, 77u);
  EXPECT_EQ(usage.cpu_ns, 123456u);
  limits = read_limits(v1);
  EXPECT_EQ(limits.memory, kNoLimit) << "v1's largest number means none";
  EXPECT_EQ(limits.pids, 64u);
  EXPECT_EQ(limits.cpu_milli, kNoLimit);
  CgroupRef both[] = {{m, "memory"}, {hyb, "unified"}};
  usage = read_usage(both);
  EXPECT_EQ(usage.memory_peak, 8192u) << "what v1 told stays";
  EXPECT_EQ(usage.cpu_ns, 9000u);
}

// ---- on this machine
// -------------------------------------------------------------------------------------------

// The first group that this caller can make here, of either version.
struct RealGroup {
  std::string path, controller;
  CgroupRef ref() const { return {path, controller}; }
};
std::vector<RealGroup> real_groups() {
  CgroupFacts facts = observe_cgroups();
  std::string name = "/immure-test-" + std::to_string(getpid());
  std::vector<RealGroup> out;
  if (facts.v2_writable) out.push_back({facts.v2_path + name, "unified"});
  if (facts.v1_writable)
    for (const auto& controller : facts.v1)
      if (controller.name == "pids" || controller.name == "freezer")
        out.push_back({controller.own_path + name, controller.name});
  return out;
}

pid_t sleeper_in(const RealGroup& group) {
  pid_t pid = fork();
  if (pid == 0) {
    if (!write_group(group.path, "cgroup.procs", "0")) _exit(9);
    if (fork() == 0) pause();
    for (;;) pause();
  }
  for (int i = 0; i < 500 && !populated(group.ref()).value_or(false); i++) usleep(1000);
  return pid;
}

TEST(CgroupRealTest, MakeFillKillRemove) {
  auto groups = real_groups();
  if (groups.empty()) GTEST_SKIP() << "this caller can make no control group here";
  for (const RealGroup& group : groups) {
    SCOPED_TRACE(group.path);
    Status made = make_group(group.path);
    ASSERT_TRUE(made) << format(made.error());
    EXPECT_EQ(make_group(group.path).error().sys_errno, EEXIST);
    EXPECT_EQ(populated(group.ref()), false);
    pid_t pid = sleeper_in(group);
    EXPECT_EQ(populated(group.ref()), true);
    Status busy = remove_group(group.ref(), false, 1'000'000);
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().sys_errno, EBUSY);
    Status killed = kill_group(group.ref());
    EXPECT_TRUE(killed) << format(killed.error());
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    Status removed = remove_group(group.ref(), true);
    EXPECT_TRUE(removed) << format(removed.error());
    EXPECT_FALSE(fs::exists(group.path));
    EXPECT_TRUE(remove_group(group.ref(), true)) << "twice is fine";
    EXPECT_FALSE(populated(group.ref()));
  }
}

TEST(CgroupRealTest, FreezeStopsAndThawLetsGo) {
  bool tried = false;
  for (const RealGroup& group : real_groups()) {
    if (group.controller == "pids") continue;
    SCOPED_TRACE(group.path);
    ASSERT_TRUE(make_group(group.path));
    pid_t pid = sleeper_in(group);
    Status frozen = freeze(group.ref(), true, 2'000'000'000);
    EXPECT_TRUE(frozen) << format(frozen.error());
    Status thawed = freeze(group.ref(), false, 2'000'000'000);
    EXPECT_TRUE(thawed) << format(thawed.error());
    EXPECT_TRUE(kill_group(group.ref()));
    waitpid(pid, nullptr, 0);
    EXPECT_TRUE(remove_group(group.ref(), true));
    tried = true;
  }
  if (!tried) GTEST_SKIP() << "no group that can freeze can be made here";
}

TEST(CgroupRealTest, NestedGroupsGoToo) {
  auto groups = real_groups();
  if (groups.empty()) GTEST_SKIP() << "this caller can make no control group here";
  const RealGroup& group = groups[0];
  ASSERT_TRUE(make_group(group.path));
  ASSERT_TRUE(make_group(group.path + "/a"));
  ASSERT_TRUE(make_group(group.path + "/a/b"));
  EXPECT_TRUE(remove_group(group.ref(), false));
  EXPECT_FALSE(fs::exists(group.path));
}

}  // namespace
}  // namespace immure

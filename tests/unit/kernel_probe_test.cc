#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "kernel/probe.h"
#include "kernel/proc.h"

namespace immure {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Fact create(int error, const Surroundings& around) {
  return user_ns_fact(UserNsStage::Create, error, around);
}

TEST(ProbeReasonTest, NothingFailed) {
  EXPECT_TRUE(create(0, {}).ok);
  EXPECT_TRUE(ns_fact("net", 0, {}, {}).ok);
  EXPECT_TRUE(proc_mount_fact(0, {}, {}).ok);
}

// (S6) Each gate that stops an ordinary user is told from the others.
TEST(ProbeReasonTest, EachGateHasItsOwnWords) {
  Surroundings debian;
  debian.userns_clone = 0;
  Fact fact = create(EPERM, debian);
  EXPECT_FALSE(fact.ok);
  EXPECT_EQ(fact.error, EPERM);
  EXPECT_TRUE(contains(fact.reason, "kernel.unprivileged_userns_clone is 0"));
  EXPECT_TRUE(contains(fact.remedy, "sysctl -w kernel.unprivileged_userns_clone=1"));

  Surroundings none_left;
  none_left.max_user_ns = 0;
  EXPECT_TRUE(contains(create(ENOSPC, none_left).reason, "user.max_user_namespaces is 0"));
  none_left.max_user_ns = 5;
  EXPECT_TRUE(contains(create(ENOSPC, none_left).reason, "limit of user namespaces is reached"));

  Surroundings chrooted;
  chrooted.chrooted = true;
  EXPECT_TRUE(contains(create(EPERM, chrooted).reason, "chroot"));

  Surroundings docker;
  docker.seccomp_filter = true;
  EXPECT_TRUE(contains(create(EPERM, docker).reason, "seccomp filter"));
  EXPECT_TRUE(contains(create(ENOSYS, docker).reason, "seccomp filter"));
  EXPECT_TRUE(contains(create(ENOSYS, docker).remedy, "--security-opt seccomp"));

  EXPECT_TRUE(contains(create(EINVAL, {}).remedy, "CONFIG_USER_NS"));
}

// Ubuntu: the namespace is made, but everything that its privilege would allow is refused.
TEST(ProbeReasonTest, AppArmorTakesThePrivilegeLater) {
  Surroundings ubuntu;
  ubuntu.apparmor_restricts = 1;
  for (UserNsStage stage : {UserNsStage::WriteMap, UserNsStage::UsePrivilege}) {
    for (int error : {EPERM, EACCES}) {
      Fact fact = user_ns_fact(stage, error, ubuntu);
      EXPECT_TRUE(contains(fact.reason, "AppArmor"));
      EXPECT_TRUE(contains(fact.remedy, "apparmor_restrict_unprivileged_userns=0"));
    }
  }
  ubuntu.privileged = true;
  EXPECT_FALSE(contains(user_ns_fact(UserNsStage::WriteMap, EPERM, ubuntu).reason, "AppArmor"))
      << "root is not restricted";
}

TEST(ProbeReasonTest, OtherNamespacesBlameTheUserNamespaceFirst) {
  Fact user{false, EPERM, "sysctl kernel.unprivileged_userns_clone is 0", "sysctl …"};
  Fact net = ns_fact("net", EPERM, user, {});
  EXPECT_TRUE(contains(net.reason, "needs a user namespace: sysctl kernel"));
  EXPECT_EQ(net.remedy, user.remedy);
  Surroundings root;
  root.privileged = true;
  EXPECT_FALSE(contains(ns_fact("net", EPERM, user, root).reason, "needs a user namespace"));
  EXPECT_TRUE(contains(ns_fact("time", EINVAL, {}, root).reason, "no time namespaces"));
  EXPECT_TRUE(contains(ns_fact("time", EINVAL, {}, root).remedy, "CONFIG_TIME_NS"));
  EXPECT_TRUE(contains(ns_fact("mount", ENOSPC, {}, root).remedy, "user.max_mnt_namespaces"));
  EXPECT_TRUE(contains(ns_fact("net", ENOSPC, {}, root).remedy, "user.max_net_namespaces"));
}

TEST(ProbeReasonTest, AMaskedProcIsNamed) {
  Surroundings nested;
  nested.proc_masked = true;
  nested.container = true;
  EXPECT_TRUE(contains(proc_mount_fact(EPERM, {}, nested).reason, "covered"));
  EXPECT_TRUE(contains(proc_mount_fact(EPERM, {}, nested).remedy, "unmask=ALL"));
}

// Every refusal, whatever the errno, says why and what to do: no row is left without words.
TEST(ProbeReasonTest, NoRefusalIsSilent) {
  for (int bits = 0; bits < 128; bits++) {
    Surroundings around;
    around.privileged = (bits & 1) != 0;
    around.seccomp_filter = (bits & 2) != 0;
    around.chrooted = (bits & 4) != 0;
    around.container = (bits & 8) != 0;
    around.proc_masked = (bits & 16) != 0;
    if ((bits & 32) != 0) around.userns_clone = 0;
    if ((bits & 64) != 0) around.apparmor_restricts = 1;
    for (int error : {EPERM, EACCES, ENOSYS, EINVAL, ENOSPC, EUSERS, ENOMEM}) {
      for (UserNsStage stage : {UserNsStage::Create, UserNsStage::WriteMap, UserNsStage::UsePrivilege}) {
        Fact user = user_ns_fact(stage, error, around);
        EXPECT_FALSE(user.ok);
        EXPECT_FALSE(user.reason.empty());
        EXPECT_FALSE(user.remedy.empty());
        for (const Fact& fact : {ns_fact("net", error, user, around), proc_mount_fact(error, user, around)}) {
          EXPECT_FALSE(fact.ok);
          EXPECT_FALSE(fact.reason.empty());
          EXPECT_FALSE(fact.remedy.empty());
          EXPECT_EQ(fact.reason.find('\n'), std::string::npos);
        }
      }
    }
  }
}

// ---- on this machine
// -------------------------------------------------------------------------------------------

TEST(ProbeTest, ATrialLeavesTheCallerAsItWas) {
  const char* kinds[] = {
      "user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time_for_children", "pid_for_children"};
  uint64_t before[9];
  for (int i = 0; i < 9; i++) before[i] = ns_inode(0, kinds[i]);
  char status_text[4096];
  int filter_before = parse_status(read_view("/proc/self/status", status_text)).seccomp;
  Features features = Features::probe();
  for (int i = 0; i < 9; i++) EXPECT_EQ(ns_inode(0, kinds[i]), before[i]) << kinds[i];
  EXPECT_EQ(parse_status(read_view("/proc/self/status", status_text)).seccomp, filter_before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
  EXPECT_EQ(errno, ECHILD);
  if (features.cgroup.v2_writable) {
    for (const auto& entry : std::filesystem::directory_iterator(features.cgroup.v2_path))
      EXPECT_FALSE(entry.path().filename().string().starts_with("immure-probe-" + std::to_string(getpid())));
  }
  for (const Fact* fact : {&features.user_ns, &features.mount_ns, &features.net_ns, &features.proc_mount})
    EXPECT_TRUE(fact->ok || (!fact->reason.empty() && !fact->remedy.empty()));
}

// What is assumed must be what is found, or every start would fall back.
TEST(ProbeTest, AssumptionsHoldHere) {
  Features assumed = Features::assume(), found = Features::probe();
  EXPECT_EQ(assumed.clone3, found.clone3);
  EXPECT_EQ(assumed.openat2, found.openat2);
  EXPECT_EQ(assumed.close_range, found.close_range);
  EXPECT_EQ(assumed.landlock_abi, found.landlock_abi);
  EXPECT_EQ(assumed.seccomp_listener, found.seccomp_listener);
  EXPECT_EQ(assumed.lsm, found.lsm);
  if (found.user_ns.ok) {
    EXPECT_EQ(assumed.mount_api, found.mount_api);
    EXPECT_EQ(assumed.mount_setattr, found.mount_setattr);
    EXPECT_EQ(assumed.overlay_layer_fds, found.overlay_layer_fds);
    EXPECT_EQ(assumed.time_ns_on_exec, found.time_ns_on_exec);
  }
}

// (S6) In a chroot the kernel gives no user namespace; the reason must be that and no other.
TEST(ProbeTest, AChrootIsRecognised) {
  if (geteuid() != 0) GTEST_SKIP() << "chroot(2) needs root";
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) {
    if (chroot("/usr") != 0 || chdir("/") != 0) _exit(10);
    _exit(observe_surroundings().chrooted ? 0 : 1);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 10) GTEST_SKIP() << "chroot(2) is refused here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(observe_surroundings().chrooted);
}

}  // namespace
}  // namespace immure

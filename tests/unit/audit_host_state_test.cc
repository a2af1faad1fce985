// The host's settings are read below a prefix: a host in a folder.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "audit/facts/host_files.h"
#include "audit/facts/host_modules.h"
#include "audit/facts/host_state.h"

namespace immure::audit {
namespace {

namespace fs = std::filesystem;

class HostFolder : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-audit-host-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    top_ = name;
  }
  void TearDown() override { fs::remove_all(top_); }
  void put(const std::string& path, const std::string& text, mode_t mode = 0644) {
    fs::create_directories(fs::path(top_ + path).parent_path());
    std::ofstream(top_ + path) << text;
    chmod((top_ + path).c_str(), mode);
  }
  std::string top_;
};

TEST_F(HostFolder, ReadsWhatIsThere) {
  put("/proc/sys/kernel/osrelease", "6.1.7\n");
  put("/proc/sys/kernel/yama/ptrace_scope", "2\n");
  put("/proc/sys/net/core/bpf_jit_harden", "1\n");
  put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  put("/sys/kernel/security/lsm", "lockdown,capability,apparmor");
  put("/boot/config-6.1.7", "CONFIG_MODULES=y\n# CONFIG_STRICT_DEVMEM is not set\n");
  put("/proc/self/mounts",
      "proc /proc proc rw,nosuid,hidepid=2 0 0\ncgroup /sys/fs/cgroup/cpu\\040a cgroup rw,cpu 0 0\n");
  put("/sys/fs/cgroup/cpu a/release_agent", "/sbin/agent\n");
  put("/sbin/agent", "", 0755);
  put("/sys/devices/system/cpu/vulnerabilities/mds", "Vulnerable\n");
  put("/sys/devices/system/cpu/smt/active", "1\n");
  put("/dev/kvm", "", 0666);
  put("/lib/modules/6.1.7/modules.dep",
      "kernel/net/sctp/sctp.ko.xz: kernel/lib/libcrc32c.ko\nkernel/net/tipc/tipc.ko:\nkernel/net/rds/rds.ko:\n");
  put("/lib/modules/6.1.7/modules.builtin", "kernel/net/vmw_vsock/vsock.ko\n");
  put("/proc/modules", "rds 16384 0 - Live 0x0\n");
  put("/etc/modprobe.d/none.conf", "install tipc /bin/false\n");
  put("/etc/modprobe.d/ignored.txt", "install sctp /bin/false\n");
  put("/proc/sys/fs/binfmt_misc/qemu", "enabled\ninterpreter /usr/bin/qemu\nflags: OCF\noffset 0\n");
  put("/proc/sys/fs/binfmt_misc/off", "disabled\ninterpreter /usr/bin/off\nflags: C\n");
  put("/proc/sys/fs/binfmt_misc/status", "enabled\n");
  const HostState host = look_at_host(top_);
  EXPECT_EQ(host.kernel, "6.1.7");
  EXPECT_EQ(host.setting("kernel.yama.ptrace_scope").number(), 2);
  EXPECT_EQ(host.setting("net.core.bpf_jit_harden").number(), 1);
  EXPECT_EQ(host.setting("kernel.kptr_restrict").state, Seen::State::Absent);
  EXPECT_EQ(host.lockdown.text, "integrity");
  EXPECT_STREQ(host.modules_lsm_by, "/sys/kernel/security/lsm");
  EXPECT_EQ(host.config_words.at("CONFIG_STRICT_DEVMEM"), "n");
  EXPECT_EQ(host.proc_options.text, "rw,nosuid,hidepid=2");
  ASSERT_EQ(host.v1_hierarchies.size(), 1U);
  EXPECT_EQ(host.v1_hierarchies[0].target, "/sys/fs/cgroup/cpu a");
  EXPECT_EQ(host.v1_hierarchies[0].release_agent.text, "/sbin/agent");
  ASSERT_EQ(host.helpers.size(), 1U);
  EXPECT_TRUE(host.helpers[0].there);
  ASSERT_EQ(host.weaknesses.size(), 1U);
  ASSERT_EQ(host.devices.size(), 1U);
  EXPECT_EQ(host.devices[0].mode, 0666U);
  ASSERT_EQ(host.formats.size(), 1U);
  EXPECT_EQ(host.formats[0].flags, "OCF");
  EXPECT_FALSE(host.audit_enabled.has_value());
  std::string states;
  for (const RareModule& one : host.rare_modules)
    if (one.state != RareModule::State::Absent)
      states += one.name + std::to_string(static_cast<int>(one.state)) + " ";
  EXPECT_EQ(states, "rds3 sctp2 tipc1 vsock4 ");
}

TEST_F(HostFolder, NothingThere) {
  const HostState host = look_at_host(top_);
  EXPECT_EQ(host.setting("kernel.kptr_restrict").state, Seen::State::Unread);
  EXPECT_EQ(host.modules_folder.state, Seen::State::Unread);
  EXPECT_EQ(host.proc_options.read(), false);
}

TEST_F(HostFolder, ConfigurationOfTheRunningKernel) {
  put("/proc/sys/kernel/osrelease", "6.18.0\n");
  put("/proc/x", "");
  gzFile packed = gzopen((top_ + "/proc/config.gz").c_str(), "wb");
  gzputs(packed, "# CONFIG_MODULES is not set\nCONFIG_LSM=\"a,b\"\n");
  gzclose(packed);
  const HostState host = look_at_host(top_);
  EXPECT_EQ(host.config_words.at("CONFIG_MODULES"), "n");
  EXPECT_EQ(host.config_words.at("CONFIG_LSM"), "\"a,b\"");
  EXPECT_TRUE(host.modules_folder.read()) << "a kernel without modules has none to load";
  EXPECT_TRUE(host.rare_modules.empty());
}

TEST_F(HostFolder, NeverWaitsAndNeverReadsOn) {
  put("/x", std::string(100, 'a'));
  ASSERT_EQ(mkfifo((top_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_seen(top_ + "/fifo", 10).state, Seen::State::Unread);
  EXPECT_EQ(read_seen(top_ + "/x", 10).state, Seen::State::Unread);
  EXPECT_EQ(read_seen(top_ + "/x/y", 10).state, Seen::State::Absent);
  EXPECT_EQ(read_seen(top_, 10).state, Seen::State::Unread);
  EXPECT_EQ(read_packed(top_ + "/x", 10).state, Seen::State::Unread);
}

TEST_F(HostFolder, WhoMayChangeAProgram) {
  if (geteuid() != 0) GTEST_SKIP() << "files of root are made by root";
  put("/usr/lib/helper", "", 0755);
  std::string where, why;
  EXPECT_TRUE(look_at_chain(top_, "/usr/lib/helper", where, why));
  EXPECT_EQ(where, "");
  EXPECT_FALSE(look_at_chain(top_, "/usr/lib/other", where, why));
  chmod((top_ + "/usr").c_str(), 0777);
  EXPECT_TRUE(look_at_chain(top_, "/usr/lib/helper", where, why));
  EXPECT_EQ(where, "/usr");
  where.clear();
  chmod((top_ + "/usr").c_str(), 01777);
  EXPECT_TRUE(look_at_chain(top_, "/usr/lib/helper", where, why));
  EXPECT_EQ(where, "") << "the sticky bit keeps the names";
  ASSERT_EQ(chown((top_ + "/usr/lib/helper").c_str(), 1234, 0), 0);
  EXPECT_TRUE(look_at_chain(top_, "/usr/lib/helper", where, why));
  EXPECT_EQ(where, "/usr/lib/helper");
  // A link leads on within the prefix, and one in a circle nowhere.
  fs::create_symlink("/usr/lib", top_ + "/lib");
  fs::create_symlink("round", top_ + "/round");
  where.clear();
  EXPECT_TRUE(look_at_chain(top_, "/lib/helper", where, why));
  EXPECT_EQ(where, "/usr/lib/helper");
  EXPECT_FALSE(look_at_chain(top_, "/round", where, why));
}

TEST(HostTexts, ModprobeRefusals) {
  EXPECT_THAT(
      blocked_modules("blacklist a-b # no\n# blacklist c\n install d /bin/true\ninstall e /sbin/modprobe f\n"
                      "install g\toops; /bin/false\nalias x y\n"),
      testing::ElementsAre("a_b", "d"));
}

TEST(HostTexts, Numbers) {
  EXPECT_EQ(Seen::of("4\t4\t1\t7").number(), 4);
  EXPECT_EQ(Seen::of("-1").number(), -1);
  EXPECT_EQ(Seen::of("").number(), std::nullopt);
  EXPECT_EQ(Seen::of("1x").number(), std::nullopt);
  EXPECT_EQ(Seen::of("99999999999999999999").number(), std::nullopt);
  EXPECT_EQ(Seen().number(), std::nullopt);
  EXPECT_EQ(chosen_word("a ]b["), "a ]b[");
}

// The machine that the test runs on: whatever it is like, it is read, and no rule fails.
TEST(HostState, ThisMachine) {
  const HostState host = look_at_host();
  EXPECT_NE(host.kernel, "");
  EXPECT_TRUE(host.setting("kernel.randomize_va_space").read());
  EXPECT_TRUE(host.mounts.read());
}

}  // namespace
}  // namespace immure::audit

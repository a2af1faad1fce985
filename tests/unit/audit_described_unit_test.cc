// What the settings of a service come to, with what they imply.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "audit/facts/described_readers.h"
#include "audit/facts/described_unit_parts.h"
#include "base/unit_text.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

namespace fs = std::filesystem;

Described read(const std::string& settings) {
  return describe_unit_texts({{"a.service", "[Service]\n" + settings}});
}
uint64_t bit(std::string_view name) { return uint64_t{1} << *capability_number(name); }
constexpr uint64_t kAll = (uint64_t{1} << kKnownCapabilities) - 1;

TEST(UnitLines, Syntax) {
  const auto lines = unit_lines("[A]\nx = 1 \\\n# between\n  2\n\n;c\nno equals\n[B\ny=\n[C]\nz==a\\\n");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].section, "A");
  EXPECT_EQ(lines[0].key, "x");
  EXPECT_EQ(lines[0].value, "1  2");
  EXPECT_EQ(lines[0].number, 2U);
  EXPECT_EQ(lines[1].section, "[B") << "a section that does not end is none that anybody asks for";
}

TEST(Unit, NothingSaid) {
  const Described jail = read("ExecStart=/usr/bin/a\n");
  EXPECT_TRUE(jail.root.is(WhoseRoot::Host));
  for (const Value<Share>& space : jail.spaces) EXPECT_TRUE(space.is(Share::Host));
  EXPECT_TRUE(jail.root_outside.is(true));
  EXPECT_TRUE(jail.capabilities.is(kAll));
  EXPECT_TRUE(jail.no_new_privs.is(false));
  EXPECT_TRUE(jail.process_limit.is(true)) << "DefaultTasksMax=";
  EXPECT_TRUE(jail.memory_limit.is(false));
  EXPECT_TRUE(jail.all_devices.is(true));
}

// What an older systemd does not have is named with the release that has it.
TEST(Unit, SettingsOfLaterReleases) {
  const Described jail = read("ExecStart=/usr/bin/a\n");
  for (Space which : {Space::Pid, Space::Cgroup})
    EXPECT_THAT(jail.space(which).origin, testing::HasSubstr("from systemd 257 on")) << name(which);
  EXPECT_THAT(jail.space(Space::Net).origin, testing::Not(testing::HasSubstr("257")));
  EXPECT_TRUE(read("PrivatePIDs=yes\n").space(Space::Pid).is(Share::Own));
}

TEST(Unit, DynamicUserImplies) {
  const Described jail = read("DynamicUser=yes\n");
  EXPECT_TRUE(jail.root_outside.is(false));
  EXPECT_TRUE(jail.no_new_privs.is(true));
  EXPECT_TRUE(jail.root_writable.is(false));
  EXPECT_TRUE(jail.homes_visible.is(false));
  EXPECT_TRUE(jail.space(Space::Mount).is(Share::Own));
  EXPECT_TRUE(jail.capabilities.is(0));
}

TEST(Unit, CapabilityLinesMerge) {
  EXPECT_TRUE(read("CapabilityBoundingSet=CAP_KILL\nCapabilityBoundingSet=CAP_CHOWN\n")
                  .capabilities.is(bit("kill") | bit("chown")));
  EXPECT_TRUE(read("CapabilityBoundingSet=~CAP_KILL CAP_CHOWN\n")
                  .capabilities.is(kAll & ~(bit("kill") | bit("chown"))));
  EXPECT_TRUE(read("CapabilityBoundingSet=CAP_KILL CAP_CHOWN\nCapabilityBoundingSet=~CAP_CHOWN\n")
                  .capabilities.is(bit("kill")));
  EXPECT_TRUE(read("CapabilityBoundingSet=\n").capabilities.is(0));
  EXPECT_TRUE(read("CapabilityBoundingSet=CAP_KILL\nCapabilityBoundingSet=~\n").capabilities.is(bit("kill")));
  EXPECT_TRUE(read("ProtectKernelModules=yes\nPrivateDevices=1\n")
                  .capabilities.is(kAll & ~(bit("sys_module") | bit("mknod") | bit("sys_rawio"))));
  // Another user has what is ambient.
  EXPECT_TRUE(read("User=www\n").capabilities.is(0));
  EXPECT_TRUE(
      read("User=www\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n").capabilities.is(bit("net_bind_service")));
  EXPECT_EQ(read("CapabilityBoundingSet=CAP_FUTURE\n").notes.size(), 1U);
}

TEST(Unit, NoNewPrivileges) {
  EXPECT_TRUE(read("NoNewPrivileges=true\n").no_new_privs.is(true));
  EXPECT_TRUE(read("PrivateDevices=yes\n").no_new_privs.is(false)) << "root has CAP_SYS_ADMIN";
  EXPECT_EQ(read("User=a\nPrivateDevices=yes\n").no_new_privs.word, Word::Unclear);
  EXPECT_TRUE(read("User=a\nNoNewPrivileges=no\n").no_new_privs.is(false));
}

TEST(Unit, WhatTheManagerHandsOn) {
  EXPECT_TRUE(read("").callers_descriptors.is(false));
  EXPECT_TRUE(read("").callers_keyring.is(false));
  EXPECT_TRUE(read("KeyringMode=shared\n").callers_keyring.is(false));
  EXPECT_TRUE(read("KeyringMode=inherit\n").callers_keyring.is(true));
}

TEST(Unit, FilterLinesMerge) {
  const auto open = [](const std::string& settings) { return read(settings).open_calls.value; };
  EXPECT_TRUE(read("").filter.is(false));
  EXPECT_THAT(open("SystemCallFilter=@system-service\n"),
              testing::AllOf(testing::Contains("keyctl"), testing::Not(testing::Contains("mount"))));
  EXPECT_THAT(open("SystemCallFilter=@system-service\nSystemCallFilter=~@keyring\n"),
              testing::Not(testing::Contains("keyctl")));
  EXPECT_THAT(open("SystemCallFilter=@system-service\nSystemCallFilter=@mount\n"),
              testing::Contains("mount"));
  EXPECT_THAT(open("SystemCallFilter=~@mount ptrace:EPERM\n"),
              testing::AllOf(testing::Not(testing::Contains("mount")),
                             testing::Not(testing::Contains("ptrace")), testing::Contains("bpf")));
  EXPECT_THAT(open("SystemCallFilter=~@mount\nSystemCallFilter=mount\n"), testing::Contains("mount"));
  EXPECT_TRUE(read("SystemCallFilter=@system-service\nSystemCallFilter=\n").filter.is(false)) << "taken back";
  EXPECT_THAT(
      open("SystemCallFilter=@system-service\nRestrictNamespaces=yes\n"),
      testing::AllOf(testing::Not(testing::Contains("unshare")), testing::Not(testing::Contains("setns"))));
  EXPECT_THAT(open("SystemCallFilter=@system-service\nRestrictNamespaces=user\n"),
              testing::Contains("unshare"))
      << "user namespaces are allowed";
  EXPECT_THAT(open("SystemCallFilter=@system-service\nRestrictNamespaces=~user\n"),
              testing::Not(testing::Contains("unshare")));
  EXPECT_EQ(read("SystemCallFilter=@future\n").notes.size(), 1U);
}

TEST(Unit, FilesAndSpaces) {
  EXPECT_TRUE(read("ProtectSystem=full\n").root_writable.is(true));
  EXPECT_TRUE(read("ProtectSystem=strict\n").root_writable.is(false));
  EXPECT_TRUE(read("ProtectSystem=strict\n").space(Space::Mount).is(Share::Own));
  EXPECT_TRUE(read("ProtectHome=tmpfs\n").homes_visible.is(false));
  EXPECT_TRUE(read("RootDirectory=/srv/a\n").root.is(WhoseRoot::Own));
  EXPECT_TRUE(read("RootDirectory=/\n").root.is(WhoseRoot::Host));
  EXPECT_TRUE(read("PrivateNetwork=yes\n").space(Space::Net).is(Share::Own));
  EXPECT_TRUE(read("PrivateNetwork=no\n").space(Space::Net).is(Share::Host));
  EXPECT_TRUE(read("NetworkNamespacePath=/run/netns/a\n").space(Space::Net).is(Share::Joined));
  EXPECT_TRUE(read("MountFlags=shared\n").propagation.is(true));
  EXPECT_TRUE(read("DevicePolicy=closed\n").all_devices.is(false));
  EXPECT_TRUE(read("DeviceAllow=/dev/sda rw\n").all_devices.is(false));
  const Described bound = read("BindPaths=/a:/b -/c\nBindReadOnlyPaths=/d\nBindPaths=%h\n");
  ASSERT_EQ(bound.mounts.size(), 4U);
  EXPECT_EQ(bound.mounts[0].target, "/b");
  EXPECT_EQ(bound.mounts[1].source, "/c");
  EXPECT_TRUE(bound.mounts[2].unclear);
  EXPECT_FALSE(bound.mounts[3].writable);
  EXPECT_EQ(read("User=%i\n").root_outside.word, Word::Unclear);
}

TEST(Unit, ProgramsAndVariables) {
  const Described jail = read(
      "User=a\nExecStart=/usr/bin/a -x\nExecStartPre=+-/usr/bin/b c\nEnvironment=\"DB_PASSWORD=a b\" C=\nExecStop=!+/x\n");
  ASSERT_EQ(jail.programs.size(), 2U) << "what runs as the service's user is no way for others";
  EXPECT_EQ(jail.programs[0].path, "/usr/bin/b");
  EXPECT_TRUE(jail.programs[0].unbounded);
  EXPECT_FALSE(jail.programs[0].main);
  ASSERT_EQ(jail.variables.size(), 2U);
  EXPECT_EQ(jail.variables[0].name, "DB_PASSWORD");
  EXPECT_TRUE(jail.variables[1].empty);
  EXPECT_THAT(unit_words("a\\ b 'c \"d' \"e f"), testing::ElementsAre("a b", "c \"d", "e f"));
}

TEST(Unit, LaterFilesWin) {
  const Described jail = describe_unit_texts({{"a.service", "[Service]\nMemoryMax=1G\nUser=a\n"},
                                              {"b.conf", "[Service]\nMemoryMax=infinity\nUser=\n"}});
  EXPECT_TRUE(jail.memory_limit.is(false));
  EXPECT_EQ(jail.memory_limit.origin, "b.conf:2 (MemoryMax=)");
  EXPECT_TRUE(jail.root_outside.is(true)) << "an empty User= takes it back";
}

TEST(Unit, FilesOfAHost) {
  char name[] = "/tmp/immure-audit-unit-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string top = name;
  const auto put = [&](const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(top + path).parent_path());
    std::ofstream(top + path) << text;
  };
  put("/usr/lib/systemd/system/a@.service", "[Service]\nUser=a\nMemoryMax=1G\n");
  put("/etc/systemd/system/a@x.service.d/10.conf", "[Service]\nTasksMax=infinity\n");
  put("/usr/lib/systemd/system/a@.service.d/10.conf", "[Service]\nMemoryMax=infinity\n");
  put("/usr/lib/systemd/system/a@.service.d/20.conf", "[Service]\nCPUQuota=5%\n");
  auto jail = describe_unit("a@x", top);
  ASSERT_TRUE(jail.has_value()) << format(jail.error());
  EXPECT_TRUE(jail->root_outside.is(false));
  EXPECT_TRUE(jail->process_limit.is(false));
  EXPECT_TRUE(jail->memory_limit.is(true)) << "a drop-in of the same name takes the other's place";
  fs::create_directories(top + "/etc/systemd/system");
  fs::create_symlink("/dev/null", top + "/etc/systemd/system/m.service");
  EXPECT_FALSE(describe_unit("m", top).has_value()) << "masked";
  EXPECT_FALSE(describe_unit("n", top).has_value());
  put("/c.service", "[Service]\nDynamicUser=yes\n");
  put("/c.service.d/a.conf", "[Service]\nDynamicUser=no\n");
  auto file = describe_unit(top + "/c.service");
  ASSERT_TRUE(file.has_value());
  EXPECT_TRUE(file->root_outside.is(true));
  fs::remove_all(top);
}

}  // namespace
}  // namespace immure::audit

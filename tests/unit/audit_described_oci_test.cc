// What a bundle's config.json says.
#include <gmock/gmock.h>

#include "audit/facts/described_readers.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

Described read(const std::string& json) {
  auto jail = describe_oci_text(json, "c.json");
  EXPECT_TRUE(jail.has_value()) << (jail ? "" : format(jail.error()));
  return jail ? std::move(*jail) : Described();
}
std::string bundle(const std::string& more) { return R"({"ociVersion": "1.0.2", )" + more + "}"; }

TEST(Oci, NothingSaid) {
  const Described jail = read(R"({"ociVersion": "1.0.2"})");
  EXPECT_TRUE(jail.root.is(WhoseRoot::Own));
  for (const Value<Share>& space : jail.spaces) EXPECT_TRUE(space.is(Share::Host));
  EXPECT_TRUE(jail.root_outside.is(true));
  EXPECT_TRUE(jail.capabilities.is(0));
  EXPECT_TRUE(jail.no_new_privs.is(false));
  EXPECT_EQ(jail.no_new_privs.word, Word::Default);
  EXPECT_TRUE(jail.filter.is(false));
  EXPECT_TRUE(jail.root_writable.is(true));
  EXPECT_TRUE(jail.memory_limit.is(false));
  EXPECT_EQ(jail.unmasked.word, Word::Silent) << "without a /proc nothing has to be masked";
  EXPECT_EQ(jail.all_devices.word, Word::Unclear);
}

TEST(Oci, IdsAreMapped) {
  const std::string spaces =
      R"("namespaces": [{"type": "user"}, {"type": "network", "path": "/proc/1/ns/net"}])";
  const Described mapped =
      read(bundle(R"("process": {"user": {"uid": 0, "additionalGids": [6]}}, "linux": {)" + spaces +
                  R"(, "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]})"));
  EXPECT_TRUE(mapped.root_outside.is(false));
  EXPECT_TRUE(mapped.groups.empty()) << "groups of the map are no groups of the host";
  EXPECT_TRUE(mapped.space(Space::Net).is(Share::Joined));
  EXPECT_EQ(mapped.joined[static_cast<size_t>(Space::Net)], "/proc/1/ns/net");
  const Described same = read(
      bundle(R"("linux": {)" + spaces + R"(, "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]})"));
  EXPECT_TRUE(same.root_outside.is(true));
  EXPECT_EQ(read(bundle(R"("linux": {)" + spaces + "}")).root_outside.word, Word::Unclear);
  EXPECT_TRUE(read(bundle(R"("process": {"user": {"uid": 5}})")).root_outside.is(false));
}

TEST(Oci, Privileges) {
  const Described jail = read(bundle(
      R"("process": {"noNewPrivileges": true, "apparmorProfile": "p", "env": ["A=1", "B="], "capabilities":
      {"bounding": ["CAP_KILL"], "ambient": ["CAP_NET_RAW"]}})"));
  EXPECT_TRUE(jail.no_new_privs.is(true));
  EXPECT_TRUE(jail.label.is("p"));
  EXPECT_TRUE(jail.capabilities.is(uint64_t{1} << *capability_number("kill") |
                                   uint64_t{1} << *capability_number("net_raw")));
  EXPECT_TRUE(jail.ambient.is(uint64_t{1} << *capability_number("net_raw")));
  ASSERT_EQ(jail.variables.size(), 2U);
  EXPECT_FALSE(jail.variables[0].empty);
  EXPECT_TRUE(jail.variables[1].empty);
}

TEST(Oci, MountsAndPaths) {
  const Described jail = read(bundle(R"("root": {"path": "r", "readonly": true}, "mounts": [
      {"destination": "/proc", "type": "proc", "source": "proc"},
      {"destination": "/d", "type": "none", "source": "/srv//d/", "options": ["rbind", "ro", "nosuid", "rshared"]},
      {"destination": "/e", "type": "bind", "source": "rel"}],
      "linux": {"maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"], "readonlyPaths": ["/proc/sys"]})"));
  EXPECT_TRUE(jail.root_writable.is(false));
  ASSERT_EQ(jail.mounts.size(), 3U);
  EXPECT_EQ(jail.mounts[1].source, "/srv/d");
  EXPECT_FALSE(jail.mounts[1].writable);
  EXPECT_FALSE(jail.mounts[1].set_ids);
  EXPECT_TRUE(jail.mounts[2].unclear);
  EXPECT_TRUE(jail.propagation.is(true));
  EXPECT_TRUE(jail.unmasked.is({"/proc/timer_list"}));
  EXPECT_TRUE(jail.settings_writable.is(true)) << "sysrq-trigger";
  EXPECT_EQ(jail.mounts[1].origin, "c.json#/mounts/1");
}

TEST(Oci, DevicesAndLimits) {
  const Described jail =
      read(bundle(R"("linux": {"devices": [{"path": "/dev/x", "type": "b", "major": 8, "minor": 0}],
      "resources": {"memory": {"limit": 1}, "pids": {"limit": -1}, "cpu": {"quota": 5},
      "devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 1, "access": "r"}]}})"));
  EXPECT_TRUE(jail.all_devices.is(false));
  ASSERT_EQ(jail.devices.size(), 2U);
  EXPECT_EQ(jail.devices[0].kind, 'b');
  EXPECT_EQ(jail.devices[1].major, 1);
  EXPECT_FALSE(jail.devices[1].writable);
  EXPECT_TRUE(jail.memory_limit.is(true));
  EXPECT_TRUE(jail.process_limit.is(false));
  EXPECT_TRUE(jail.processor_limit.is(true));
  EXPECT_TRUE(read(bundle(R"("linux": {"resources": {"devices": [{"allow": true}]}})")).all_devices.is(true));
}

TEST(Oci, FilterIsEvaluated) {
  const Described allow = read(bundle(R"("linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
      "syscalls": [{"names": ["mount", "bpf"], "action": "SCMP_ACT_ERRNO"}]}})"));
  EXPECT_TRUE(allow.filter.is(true));
  ASSERT_TRUE(allow.open_calls.known()) << allow.open_calls.origin;
  EXPECT_THAT(allow.open_calls.value, testing::Not(testing::Contains("mount")));
  EXPECT_THAT(allow.open_calls.value, testing::Contains("init_module"));
  const Described deny = read(bundle(R"("linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
      {"names": ["read", "write", "execve", "execveat", "exit_group", "keyctl"], "action": "SCMP_ACT_ALLOW"}]}})"));
  ASSERT_TRUE(deny.filter.is(true));
  if (deny.open_calls.known()) {
    EXPECT_TRUE(deny.open_calls.is({"keyctl"}));
  }
  const Described notify = read(bundle(R"("linux": {"seccomp": {"defaultAction": "SCMP_ACT_NOTIFY"}})"));
  EXPECT_EQ(notify.open_calls.word, Word::Unclear);
}

TEST(Oci, Hooks) {
  const Described jail = read(
      bundle(R"("hooks": {"createRuntime": [{"path": "/usr/bin/a"}], "startContainer": [{"path": "/b"}]})"));
  ASSERT_EQ(jail.programs.size(), 1U) << "what startContainer names runs inside";
  EXPECT_EQ(jail.programs[0].path, "/usr/bin/a");
}

TEST(Oci, RefusalsHaveAPlace) {
  for (const char* wrong :
       {"", "[]", "{}", "7", R"({"ociVersion": null})", R"({"ociVersion": "1"}})",
        R"({"ociVersion": "1", "process": {"capabilities": {"bounding": ["CAP_NOPE"]}}})"}) {
    auto jail = describe_oci_text(wrong, "c.json");
    ASSERT_FALSE(jail.has_value()) << wrong;
    EXPECT_EQ(jail.error().code, Code::kBadProfile) << wrong;
  }
  EXPECT_FALSE(describe_oci_text(R"({"ociVersion": )" + std::string(5000, '['), "c.json").has_value());
  EXPECT_FALSE(describe_oci_text(std::string(2U << 20, ' '), "c.json").has_value());
  EXPECT_FALSE(describe_oci("/nowhere/at/all").has_value());
  EXPECT_FALSE(describe_oci("/dev/zero").has_value()) << "never waits, never reads on";
}

TEST(Oci, UnknownKeysAreNotes) {
  EXPECT_EQ(read(bundle(R"("linux": {"futureThing": 1}, "zos": {})")).notes.size(), 2U);
  // Wrong kinds of values are as if they were not there.
  const Described jail =
      read(bundle(R"("process": [], "linux": 7, "mounts": {"a": 1}, "root": "x", "hooks": [1])"));
  EXPECT_TRUE(jail.filter.is(false));
}

}  // namespace
}  // namespace immure::audit

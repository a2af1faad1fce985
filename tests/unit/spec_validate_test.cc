#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "spec/jail_spec.h"
#include "spec/limits.h"
#include "spec/validate.h"

namespace immure {
namespace {

JailSpec good() {
  JailSpec spec;
  spec.argv = {"true"};
  return spec;
}

Grant grant(Grant::Kind kind, std::string source, std::string target) {
  Grant out;
  out.kind = kind;
  out.source.value = std::move(source);
  out.target.value = std::move(target);
  return out;
}

TEST(Layers, HaveKeysThatReadBack) {
  for (int i = 0; i < kLayerCount; ++i) {
    auto layer = static_cast<Layer>(i);
    EXPECT_EQ(layer_from_key(key(layer)), layer) << key(layer);
    EXPECT_STRNE(name(layer), "");
  }
  EXPECT_FALSE(layer_from_key("landlok"));
  for (int i = 0; i < kWeakenCount; ++i) {
    auto weaken = static_cast<Weaken>(i);
    EXPECT_EQ(weaken_from_key(key(weaken)), weaken) << key(weaken);
    EXPECT_GT(std::string(sentence(weaken)).size(), 20u);
  }
  EXPECT_STREQ(key(Layer::Keyring), "keyring");
  EXPECT_STREQ(key(Weaken::SharedIdentity), "shared-identity");
  EXPECT_STREQ(name(State::Failed), "failed");
}

TEST(JailSpec, IsTheTightestWhenNobodySaysAnything) {
  JailSpec spec;
  for (int i = 0; i < kLayerCount; ++i) {
    auto layer = static_cast<Layer>(i);
    bool few = layer == Layer::Lsm || layer == Layer::Cgroup || layer == Layer::TimeNs;
    EXPECT_EQ(spec.need_of(layer), few ? Need::Prefer : Need::Require) << key(layer);
    EXPECT_EQ(spec.need_by[static_cast<size_t>(i)], kOriginDefault);
  }
  for (int i = 0; i < kWeakenCount; ++i) EXPECT_FALSE(spec.has(static_cast<Weaken>(i)));
  EXPECT_EQ(spec.net, Net::None);
  EXPECT_EQ(spec.caps_add, 0u);
  EXPECT_FALSE(spec.as_root);
  EXPECT_TRUE(validate(good()));
}

TEST(JailSpec, GivesAnOriginOneId) {
  JailSpec spec;
  OriginId a = spec.add_origin("a:1"), b = spec.add_origin("b:1");
  EXPECT_NE(a, b);
  EXPECT_EQ(spec.add_origin("a:1"), a);
  EXPECT_EQ(spec.origin_text(b), "b:1");
  EXPECT_EQ(spec.origin_text(kOriginDefault), "");
}

TEST(JailPath, IsAbsoluteAndPlain) {
  EXPECT_EQ(jail_path("/a//b/./c/").value().value, "/a/b/c");
  EXPECT_EQ(jail_path("/").value().value, "/");
  EXPECT_EQ(jail_path("///").value().value, "/");
  for (const std::string& bad :
       {std::string(), std::string("a"), std::string("./a"), std::string("/a/../b"), std::string("/.."),
        std::string("/a\0b", 4), "/" + std::string(256, 'x'), std::string("/") + std::string(5000, '/')}) {
    EXPECT_FALSE(jail_path(bad)) << bad;
  }
  EXPECT_TRUE(jail_path("/..a/b..")) << "two dots inside a name are no way up";
}

TEST(Validate, NamesOfThings) {
  EXPECT_TRUE(valid_name("a"));
  EXPECT_TRUE(valid_name("0.a_b-c"));
  for (const char* bad : {"", ".a", "-a", "a/b", "a b", "ä"}) EXPECT_FALSE(valid_name(bad)) << bad;
  EXPECT_FALSE(valid_name(std::string(65, 'a')));
  EXPECT_TRUE(valid_hostname("a.b-c.1"));
  for (const char* bad : {"", "a..b", "-a", "a-", ".a", "a.", "a_b", "a b"})
    EXPECT_FALSE(valid_hostname(bad)) << bad;
  EXPECT_FALSE(valid_hostname(std::string(65, 'a')));
  EXPECT_TRUE(valid_env_name("BASH_FUNC_x%%"));
  for (const char* bad : {"", "A=B", "A B", "A\n"}) EXPECT_FALSE(valid_env_name(bad)) << bad;
}

struct Case {
  const char* name;
  Code code;
  const char* says;  // part of what or why
  std::function<void(JailSpec&)> change;
};

class Refuses : public testing::TestWithParam<Case> {};

TEST_P(Refuses, WithItsCodeAndWords) {
  JailSpec spec = good();
  GetParam().change(spec);
  Status status = validate(spec);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, GetParam().code) << format(status.error());
  std::string text = status.error().what + "|" + status.error().why;
  EXPECT_NE(text.find(GetParam().says), std::string::npos) << format(status.error());
}

using K = Grant::Kind;
const Case kCases[] = {
    {"NoCommand", Code::kUsage, "no command", [](JailSpec& s) { s.argv.clear(); }},
    {"EmptyCommand", Code::kUsage, "empty", [](JailSpec& s) { s.argv = {""}; }},
    {"Name", Code::kBadValue, "a/b", [](JailSpec& s) { s.name = "a/b"; }},
    {"Hostname", Code::kBadValue, "host name", [](JailSpec& s) { s.hostname = "a b"; }},
    {"EnvName", Code::kBadValue, "environment",
     [](JailSpec& s) {
       s.env.push_back({"A=B", "x", 0});
     }},
    {"RelativeCwd", Code::kBadTarget, "relative", [](JailSpec& s) { s.cwd = "x"; }},
    {"OverProc", Code::kBadTarget, "/proc", [](JailSpec& s) { s.grants = {grant(K::Bind, "/a", "/proc")}; }},
    {"BelowProc", Code::kBadTarget, "/proc",
     [](JailSpec& s) { s.grants = {grant(K::Tmpfs, "", "/proc/sys")}; }},
    {"OverDev", Code::kBadTarget, "/dev", [](JailSpec& s) { s.grants = {grant(K::Bind, "/dev", "/dev")}; }},
    {"BelowDev", Code::kBadTarget, "/dev",
     [](JailSpec& s) { s.grants = {grant(K::RoBind, "/x", "/dev/x")}; }},
    {"OverTerminals", Code::kBadTarget, "terminals",
     [](JailSpec& s) { s.grants = {grant(K::DevNode, "/dev/pts/0", "/dev/pts/0")}; }},
    {"NodeElsewhere", Code::kBadTarget, "below /dev",
     [](JailSpec& s) { s.grants = {grant(K::DevNode, "/srv/null", "/srv/null")}; }},
    {"TargetRoot", Code::kBadTarget, "whole root",
     [](JailSpec& s) { s.grants = {grant(K::Bind, "/a", "/")}; }},
    {"TargetNotPlain", Code::kBadTarget, "plain",
     [](JailSpec& s) { s.grants = {grant(K::Bind, "/a", "/x/")}; }},
    {"HostProc", Code::kBadValue, "host's /proc",
     [](JailSpec& s) { s.grants = {grant(K::RoBind, "/x/../proc/1", "/p")}; }},
    {"WritableSys", Code::kBadValue, "/sys",
     [](JailSpec& s) { s.grants = {grant(K::Bind, "/sys/fs", "/sys/fs")}; }},
    {"TwoKinds", Code::kUsage, "contradict",
     [](JailSpec& s) {
       s.grants = {grant(K::Bind, "/a", "/x"), grant(K::Tmpfs, "", "/x")};
     }},
    {"TwoSources", Code::kUsage, "contradict",
     [](JailSpec& s) {
       s.grants = {grant(K::Bind, "/a", "/x"), grant(K::Bind, "/b", "/x")};
     }},
    {"BelowAFile", Code::kBadTarget, "no directory",
     [](JailSpec& s) {
       s.grants = {grant(K::Bind, "/a", "/x/y"), grant(K::File, "/b", "/x")};
     }},
    {"TinyTmpfs", Code::kBadValue, "4096",
     [](JailSpec& s) {
       s.grants = {grant(K::Tmpfs, "", "/x")};
       s.grants[0].size = 100;
     }},
    {"RootWithUser", Code::kUsage, "--as-root",
     [](JailSpec& s) {
       s.as_root = true;
       s.uid = 5;
     }},
    {"UserOutsideRange", Code::kIds, "outside",
     [](JailSpec& s) {
       s.id_range = 10;
       s.gid = 10;
     }},
    {"NobodysId", Code::kBadValue, "nobody", [](JailSpec& s) { s.uid = 0xffffffff; }},
    {"LittleMemory", Code::kBadValue, "--memory", [](JailSpec& s) { s.limits.memory = 4096; }},
    {"OneProcess", Code::kBadValue, "--pids", [](JailSpec& s) { s.limits.pids = 1; }},
    {"NoFiles", Code::kBadValue, "--open-files", [](JailSpec& s) { s.limits.open_files = 3; }},
    {"HugeCpus", Code::kBadValue, "--cpus", [](JailSpec& s) { s.limits.cpus_milli = 2'000'000; }},
    {"NoFilterButDeny", Code::kUsage, "--deny-syscall",
     [](JailSpec& s) {
       s.seccomp = "none";
       s.syscalls = {{"mount", false, kOriginDefault}};
     }},
    {"NoFilterButARecord", Code::kUsage, "--record-files",
     [](JailSpec& s) {
       s.seccomp = "none";
       s.record_files.value = "/r";
     }},
    {"StrangersFilterAndARecord", Code::kUsage, "taken as it is",
     [](JailSpec& s) {
       s.seccomp = "/docker.json";
       s.record_files.value = "/r";
     }},
    {"StrictFilterAndARecord", Code::kUsage, "--seccomp strict",
     [](JailSpec& s) {
       s.seccomp = "strict";
       s.record_files.value = "/r";
     }},
    {"FilterOffAndARecord", Code::kUsage, "seccomp=off",
     [](JailSpec& s) {
       s.need[static_cast<size_t>(Layer::Seccomp)] = Need::Off;
       s.record_files.value = "/r";
     }},
    {"NoMountNamespace", Code::kBadValue, "mount-ns",
     [](JailSpec& s) { s.need[static_cast<size_t>(Layer::MountNs)] = Need::Off; }},
    {"RealRoot", Code::kUsage, "user namespace",
     [](JailSpec& s) {
       s.as_root = true;
       s.need[static_cast<size_t>(Layer::UserNs)] = Need::Off;
     }},
    {"RootWithoutUserNamespace", Code::kUsage, "--user 0",
     [](JailSpec& s) {
       s.uid = 0;
       s.need[static_cast<size_t>(Layer::UserNs)] = Need::Off;
     }},
    {"RootsGroupWithoutUserNamespace", Code::kUsage, "--group 0",
     [](JailSpec& s) {
       s.uid = 1000;
       s.gid = 0;
       s.need[static_cast<size_t>(Layer::UserNs)] = Need::Off;
     }},
    {"GroupAloneWithoutUserNamespace", Code::kUsage, "--group",
     [](JailSpec& s) {
       s.gid = 5;
       s.need[static_cast<size_t>(Layer::UserNs)] = Need::Off;
     }},
    {"RangeWithoutUserNamespace", Code::kUsage, "--uid-range",
     [](JailSpec& s) {
       s.id_range = 10;
       s.need[static_cast<size_t>(Layer::UserNs)] = Need::Off;
     }},
    {"FilterWithoutNoNewPrivs", Code::kUsage, "landlock=off",
     [](JailSpec& s) { s.need[static_cast<size_t>(Layer::NoNewPrivs)] = Need::Off; }},
    {"NoDevices", Code::kBadValue, "devices",
     [](JailSpec& s) { s.need[static_cast<size_t>(Layer::Devices)] = Need::Off; }},
    {"HostNetRequired", Code::kUsage, "--net host",
     [](JailSpec& s) {
       s.net = Net::Host;
       s.need_by[static_cast<size_t>(Layer::NetNs)] = s.add_origin("argument 1");
     }},
    {"OffsetWithoutTime", Code::kUsage, "--clock-offset",
     [](JailSpec& s) {
       s.clock_offset_s = 5;
       s.need[static_cast<size_t>(Layer::TimeNs)] = Need::Off;
     }},
    {"StandardFd", Code::kBadValue, "always passed",
     [](JailSpec& s) {
       s.fds = {{2, {}, true, 0}};
     }},
    {"HighFd", Code::kBadValue, "1023",
     [](JailSpec& s) {
       s.fds = {{1024, {}, true, 0}};
     }},
    {"FdTwice", Code::kUsage, "twice",
     [](JailSpec& s) {
       s.fds = {{5, {}, true, 0}, {5, {"/x"}, false, 0}};
     }},
};
INSTANTIATE_TEST_SUITE_P(Validate, Refuses, testing::ValuesIn(kCases),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Validate, CitesBothOrigins) {
  JailSpec spec = good();
  spec.grants = {grant(K::Bind, "/a", "/x"), grant(K::Tmpfs, "", "/x")};
  spec.grants[0].origin = spec.add_origin("argument 2 (--bind)");
  spec.grants[1].origin = spec.add_origin("argument 4 (--tmpfs)");
  EXPECT_EQ(validate(spec).error().origin, "argument 2 (--bind) and argument 4 (--tmpfs)");
}

TEST(Validate, LetsThroughWhatIsFine) {
  JailSpec spec = good();
  spec.grants = {grant(K::Bind, "/a", "/x"),
                 grant(K::RoBind, "/a/b", "/x/b"),
                 grant(K::Proc, "", "/proc"),
                 grant(K::DevNode, "/dev/fuse", "/dev/fuse"),
                 grant(K::Tmpfs, "", "/dev/shm"),
                 grant(K::RoBind, "/sys/class", "/sys/class"),
                 grant(K::RoBind, "/proceed", "/device"),
                 grant(K::File, "/f", "/f"),
                 grant(K::File, "/f", "/f")};
  spec.limits.memory = 0;  // "none"
  spec.fds = {{3, {}, true, 0}, {1023, {"/x"}, false, 0}};
  spec.id_range = 65536;
  spec.uid = 1000;
  Status status = validate(spec);
  EXPECT_TRUE(status) << format(status.error());
}

TEST(DefaultLimits, AreSoundOnAnyHost) {
  for (uint64_t memory : {uint64_t{0}, uint64_t{256} << 20, uint64_t{8} << 30, uint64_t{1} << 42}) {
    JailSpec spec = good();
    spec.limits = default_limits(memory, 0);
    EXPECT_TRUE(validate(spec)) << memory;
    EXPECT_GT(*spec.limits.memory, 0u);
    EXPECT_GT(*spec.limits.pids, 0u);
    EXPECT_GT(*spec.limits.file_size, 0u);
    EXPECT_GT(*spec.limits.tmp_size, 0u);
  }
}

}  // namespace
}  // namespace immure

// Where a grant's source leads: over links, or not at all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

namespace fs = std::filesystem;

class Sources : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-sources-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = fs::canonical(name);
    fs::create_directories(top_ + "/real/hooks");
    fs::create_directory_symlink("real", top_ + "/link");
    fs::create_directory_symlink("/etc", top_ + "/real/outside");
    std::ofstream(top_ + "/file") << "x";
  }
  void TearDown() override { fs::remove_all(top_); }

  Result<Plan> plan(const std::string& source, bool nofollow, bool skip_missing = false) {
    JailSpec spec;
    spec.argv = {"/bin/true"};
    Grant grant;
    grant.kind = Grant::Kind::RoBind;
    grant.source.value = source;
    grant.target.value = "/srv/x";
    grant.nofollow = nofollow;
    grant.skip_missing = skip_missing;
    grant.origin = spec.add_origin("argument 2 (--ro-bind)");
    spec.grants.push_back(grant);
    char* environment[] = {nullptr};
    return compile(spec, test::linux_6_18(), test::root_host(), RealHostFiles{}, environment);
  }
  std::string top_;
};

TEST_F(Sources, WithNofollowLeadOverNoLink) {
  EXPECT_TRUE(plan(top_ + "/real/hooks", true));
  EXPECT_TRUE(plan(top_ + "/link/hooks", false));
  for (const char* path : {"/link", "/link/hooks", "/real/outside", "/real/outside/ssl"}) {
    for (bool skip_missing : {false, true}) {
      Result<Plan> refused = plan(top_ + path, true, skip_missing);
      ASSERT_FALSE(refused) << path;
      EXPECT_EQ(refused.error().sys_errno, ELOOP) << path;
      EXPECT_EQ(refused.error().code, Code::kMissingSource);
      EXPECT_EQ(refused.error().origin, "argument 2 (--ro-bind)");
    }
  }
}

TEST_F(Sources, ThatAreMissingCanBeSkipped) {
  for (bool nofollow : {false, true}) {
    EXPECT_TRUE(plan(top_ + "/none", nofollow, true));
    EXPECT_TRUE(plan(top_ + "/file/below", nofollow, true)) << "ENOTDIR is missing too";
    EXPECT_EQ(plan(top_ + "/none", nofollow).error().sys_errno, ENOENT);
  }
}

// A mask that cannot be looked at must not vanish because of ":try".
TEST_F(Sources, ThatCannotBeLookedAtAreNotMissing) {
  class Closed final : public HostFiles {
   public:
    PathFacts look(const std::string& path, bool follow) const override {
      if (path != "/closed/x") return HostFiles::look(path, follow);
      PathFacts facts;
      facts.error = EACCES;
      return facts;
    }
  };
  JailSpec spec;
  spec.argv = {"/bin/true"};
  Grant grant;
  grant.source.value = "/closed/x";
  grant.target.value = "/srv/x";
  grant.skip_missing = true;
  spec.grants.push_back(grant);
  char* environment[] = {nullptr};
  Result<Plan> refused = compile(spec, test::linux_6_18(), test::root_host(), Closed{}, environment);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sys_errno, EACCES);
}

// What a descriptor gives already, and only where it stays what it is: a terminal of the jail's takes the
// place of one.
TEST_F(Sources, ThatAreStandardDescriptorsGiveWhatTheyGive) {
  class Files final : public HostFiles {
   public:
    FdFacts descriptor(int fd) const override { return {fd != 2, fd != 1}; }
  };
  JailSpec spec;
  spec.argv = {"/bin/true"};
  char* environment[] = {nullptr};
  auto rules = [&] {
    Result<Plan> made = compile(spec, test::linux_6_18(), test::root_host(), Files{}, environment);
    EXPECT_TRUE(made) << (made ? "" : format(made.error()));
    std::vector<std::pair<uint64_t, uint64_t>> out;
    if (!made) return out;
    for (const Step& step : made->steps)
      if (step.op == Op::LandlockFd) out.push_back({step.y, step.x});
    return out;
  };
  constexpr uint64_t kRead = 1 << 2, kWrite = 1 << 1 | 1 << 14;
  EXPECT_EQ(rules(),
            (std::vector<std::pair<uint64_t, uint64_t>>{{0, kRead | kWrite}, {1, kRead}, {2, kWrite}}));
  spec.tty = Tty::Always;
  EXPECT_TRUE(rules().empty());
}

// What the system root takes from the host may be missing there; it may not be out of sight.
TEST(SystemRoot, IsNotMadeOfWhatCannotBeLookedAt) {
  class Blind final : public HostFiles {
   public:
    explicit Blind(const char* path, int error) : path_(path), error_(error) {}
    PathFacts look(const std::string& path, bool follow) const override {
      if (path != path_) return HostFiles::look(path, follow);
      PathFacts facts;
      facts.error = error_;
      return facts;
    }

   private:
    std::string path_;
    int error_;
  };
  JailSpec spec;
  spec.argv = {"/bin/true"};
  char* environment[] = {nullptr};
  for (const char* path : {"/usr", "/bin", "/lib", "/lib64", "/etc/ssl", "/etc/localtime", "/etc/ld.so.cache"}) {
    auto refused = compile(spec, test::linux_6_18(), test::root_host(), Blind(path, EPERM), environment);
    EXPECT_TRUE(!refused && refused.error().sys_errno == EPERM) << path;
    if (std::string_view(path) != "/usr") {
      EXPECT_TRUE(compile(spec, test::linux_6_18(), test::root_host(), Blind(path, ENOENT), environment)) << path;
    }
  }
}

// A caller that does not know its capabilities would be taken for one that has none, and get another jail.
TEST(Caller, ThatCannotAskForItsCapabilitiesIsRefused) {
  JailSpec spec;
  spec.argv = {"/bin/true"};
  char* environment[] = {nullptr};
  Host host = test::root_host();
  host.capabilities_known = false;
  auto refused = compile(spec, test::linux_6_18(), host, RealHostFiles{}, environment);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().why.find("capget"), std::string::npos);
}

}  // namespace
}  // namespace immure

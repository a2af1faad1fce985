// What mmdebstrap is asked for, and what it is not asked for.
#include <gtest/gtest.h>

#include "base/text.h"
#include "rootfs/distribution.h"

namespace immure::rootfs {
namespace {

DistributionHost host(const std::string& today = "2026-01-01", const std::string& missing = "") {
  return {[missing](const std::string& path) {
            return missing.empty() || path.find(missing) == std::string::npos;
          },
          today};
}

Result<DistributionPlan> plan(std::string_view source, const DistributionOptions& options = {},
                              const DistributionHost& on = host()) {
  return plan_distribution(source, options, on);
}

TEST(Distribution, KnowsItsWords) {
  EXPECT_TRUE(is_distribution("debian:bookworm"));
  EXPECT_TRUE(is_distribution("ubuntu:noble"));
  EXPECT_FALSE(is_distribution("debian"));
  EXPECT_FALSE(is_distribution("debian.tar"));
  EXPECT_FALSE(is_distribution("fedora:40"));
}

TEST(Distribution, EverySourceIsSignedAndCurrent) {
  for (const char* source : {"debian:trixie", "debian:13", "debian:bookworm", "debian:sid", "ubuntu:noble"}) {
    auto found = plan(source);
    ASSERT_TRUE(found) << source << format(found.error());
    size_t sources = 0;
    for (const std::string& word : found->words) {
      if (!word.starts_with("deb ")) continue;
      ++sources;
      EXPECT_TRUE(word.starts_with("deb [signed-by=/usr/share/keyrings/")) << word;
      EXPECT_EQ(word.find("trusted"), std::string::npos);
    }
    EXPECT_EQ(sources, std::string_view(source) == "debian:sid" ? 1U : 3U);
    EXPECT_NE(std::find(found->words.begin(), found->words.end(), "--mode=unshare"), found->words.end());
  }
  EXPECT_EQ(plan("debian:13")->source, "debian:trixie");
}

TEST(Distribution, RefusesWhatHasEnded) {
  auto ended = plan("ubuntu:focal");
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().why.find("2025-05-29"), std::string::npos);
  EXPECT_NE(ended.error().how.find("--allow-eol"), std::string::npos);
  EXPECT_TRUE(plan("debian:bookworm", {}, host("2028-06-30")));
  EXPECT_FALSE(plan("debian:bookworm", {}, host("2028-07-01")));
  DistributionOptions all_the_same;
  all_the_same.allow_ended = true;
  auto taken = plan("ubuntu:focal", all_the_same);
  ASSERT_TRUE(taken);
  EXPECT_NE(taken->note.find("no more updates"), std::string::npos);
  EXPECT_EQ(plan("debian:bookworm")->note, "");
  EXPECT_NE(plan("debian:bookworm", {}, host("2026-08-01"))->note.find("long-term"), std::string::npos);
  EXPECT_FALSE(plan("debian:bokworm"));
  EXPECT_NE(plan("debian:bokworm").error().how.find("bookworm"), std::string::npos);
  EXPECT_TRUE(plan("debian:from-the-future", all_the_same));
  EXPECT_FALSE(plan("debian:--setup-hook=sh", all_the_same).has_value() &&
               plan("debian:--setup-hook=sh", all_the_same)->words.back() == "--setup-hook=sh");
}

TEST(Distribution, RefusesWithoutKeysOrProgram) {
  auto no_keys = plan("debian:trixie", {}, host("2026-01-01", "keyring"));
  ASSERT_FALSE(no_keys);
  EXPECT_NE(no_keys.error().how.find("debian-archive-keyring"), std::string::npos);
  auto no_program = plan("debian:trixie", {}, host("2026-01-01", "mmdebstrap"));
  ASSERT_FALSE(no_program);
  EXPECT_NE(no_program.error().how.find("mmdebstrap"), std::string::npos);
}

TEST(Distribution, TakesMirrorsAndPackagesThatAreSome) {
  for (const char* bad : {"file:///etc", "ftp://x/y", "https://a b", "https://", "http://x]y", "copy:/x",
                          "[trusted=yes] http://x", "https://x\ndeb http://y"}) {
    DistributionOptions options;
    options.mirror = bad;
    EXPECT_FALSE(plan("debian:trixie", options)) << bad;
  }
  DistributionOptions options;
  options.mirror = "http://127.0.0.1:3142/deb.debian.org/debian";
  options.packages = {"nginx-light", "g++"};
  auto found = plan("debian:trixie", options);
  ASSERT_TRUE(found);
  EXPECT_NE(std::find(found->words.begin(), found->words.end(), "--include=nginx-light,g++"),
            found->words.end());
  for (const char* bad : {"-x", "a", "a,b", "?essential", "A", "a b", "", "./x.deb", "/x.deb"}) {
    options.packages = {bad};
    EXPECT_FALSE(plan("debian:trixie", options)) << bad;
  }
}

}  // namespace
}  // namespace immure::rootfs

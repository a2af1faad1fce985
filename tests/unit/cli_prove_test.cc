// How `immure prove` reads its arguments, and where its reports go.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "cli/prove_words.h"

namespace immure::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Wish> wish_of(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  return read_wish(pointers);
}

TEST(ProveWords, ReadsItsOwnAndLeavesTheRunsOptions) {
  auto wish =
      wish_of({"--only", "root, devices", "--bind", ".", "--html=a.html", "--only=x", "--sarif", "-",
               "--ro-bind=/x", "--junit", "j.xml", "--baseline", "b.json", "--ablate", "--", "--json"});
  ASSERT_TRUE(wish);
  EXPECT_THAT(wish->only, ElementsAre("root", "devices", "x"));
  EXPECT_THAT(wish->run_options, ElementsAre("--bind", ".", "--ro-bind=/x"));
  EXPECT_EQ(wish->html, "a.html");
  EXPECT_EQ(wish->sarif, "-");
  EXPECT_EQ(wish->junit, "j.xml");
  EXPECT_EQ(wish->baseline, "b.json");
  EXPECT_TRUE(wish->ablate);
  EXPECT_TRUE(wish->has_document());
  EXPECT_FALSE(wish->json) << "what is behind -- belongs to the command";
}

TEST(ProveWords, RefusesWhatDoesNotGoTogether) {
  struct Case {
    std::vector<std::string> words;
    const char* part;
  };
  for (const Case& one : {
           Case{{"--html"}, "--html needs a value"},
           Case{{"--html="}, "--html needs a value"},
           Case{{"--baseline", ""}, "--baseline needs a value"},
           Case{{"--html", "a", "--html", "b"}, "--html is said twice"},
           Case{{"--json", "--html", "-"}, "standard output is asked for twice"},
           Case{{"--sarif", "-", "--junit", "-"}, "standard output is asked for twice"},
           Case{{"--json", "--jsonl"}, "standard output is asked for twice"},
           Case{{"--sarif", "a", "--html", "a"}, "--sarif and --html name the same file"},
           Case{{"--against", "bwrap", "--ablate"}, "--ablate does not go with --against"},
       }) {
    auto wish = wish_of(one.words);
    ASSERT_FALSE(wish) << one.part;
    EXPECT_EQ(wish.error().code, Code::kUsage);
    EXPECT_THAT(wish.error().what, HasSubstr(one.part));
  }
  EXPECT_TRUE(wish_of({"--html", "a", "--html", "a", "--sarif", "b"}));
}

TEST(ProveWords, AKindTakesTheNextWord) {
  for (const char* kind : {"pid", "unit", "systemd-unit"}) {
    auto wish = wish_of({"--against", kind, "4711", "--json"});
    ASSERT_TRUE(wish) << kind;
    EXPECT_EQ(wish->against, std::string(kind) + " 4711");
    EXPECT_TRUE(wish->json);
    EXPECT_FALSE(wish_of({"--against", kind})) << kind;
    EXPECT_EQ(wish_of({"--against", std::string(kind) + " 4711"})->against, std::string(kind) + " 4711");
  }
}

TEST(ProveWords, ChoosesByIdAndCategory) {
  Wish wish;
  wish.only = {"root"};
  wish.skip = {"chroot-walk"};
  auto chosen = choose(wish);
  ASSERT_TRUE(chosen);
  for (const probes::Probe* probe : *chosen) {
    EXPECT_EQ(probe->category, probes::Category::Root);
    EXPECT_STRNE(probe->id, "chroot-walk");
  }
  wish.only = {"chroot-walk"};
  EXPECT_FALSE(choose(wish)) << "nothing is left";
  wish.only = {"chroot-wlak"};
  auto wrong = choose(wish);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().how, HasSubstr("chroot-walk"));
}

class ReportFiles : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(folder_), nullptr); }
  void TearDown() override {
    for (const char* name : {"a", "link", "pipe", "folder"}) {
      unlink(at(name).c_str());
      rmdir(at(name).c_str());
    }
    EXPECT_EQ(rmdir(folder_), 0) << "something was left behind";
  }
  std::string at(const std::string& name) const { return std::string(folder_) + "/" + name; }
  static mode_t mode(const std::string& path) {
    struct stat there {};
    return stat(path.c_str(), &there) == 0 ? there.st_mode & 07777 : 0;
  }
  char folder_[32] = "/tmp/immure-reports-XXXXXX";
};

TEST_F(ReportFiles, AreMadeAndReplaced) {
  ASSERT_TRUE(write_named(at("a"), "one"));
  EXPECT_EQ(read_file(at("a")).value_or(""), "one");
  EXPECT_EQ(mode(at("a")) & 0111, 0u);
  ASSERT_EQ(chmod(at("a").c_str(), 0640), 0);
  ASSERT_TRUE(write_named(at("a"), "two"));
  EXPECT_EQ(read_file(at("a")).value_or(""), "two");
  EXPECT_EQ(mode(at("a")), 0640u) << "a file that was there keeps its mode";
}

TEST_F(ReportFiles, FollowALink) {
  ASSERT_TRUE(write_named(at("a"), "one"));
  ASSERT_EQ(symlink("a", at("link").c_str()), 0);
  ASSERT_TRUE(write_named(at("link"), "two"));
  EXPECT_EQ(read_file(at("a")).value_or(""), "two");
  struct stat link {};
  EXPECT_EQ(lstat(at("link").c_str(), &link), 0);
  EXPECT_TRUE(S_ISLNK(link.st_mode)) << "the link is still one";
}

// Whatever fs.protected_symlinks says here.
TEST_F(ReportFiles, DoNotFollowALinkOfSomebodyElseWhereAllMayWrite) {
  ASSERT_TRUE(write_named(at("a"), "one"));
  ASSERT_EQ(symlink("a", at("link").c_str()), 0);
  if (geteuid() != 0 || lchown(at("link").c_str(), 65534, 65534) != 0) GTEST_SKIP() << "needs root: it gives a link to somebody else";
  ASSERT_TRUE(write_named(at("link"), "two")) << "where only root may write, it is root's";
  ASSERT_EQ(chmod(folder_, 01777), 0);
  EXPECT_FALSE(write_named(at("link"), "three"));
  EXPECT_EQ(read_file(at("a")).value_or(""), "two");
  ASSERT_EQ(lchown(at("link").c_str(), 0, 0), 0);
  EXPECT_TRUE(write_named(at("link"), "four"));
  EXPECT_EQ(read_file(at("a")).value_or(""), "four");
}

TEST_F(ReportFiles, DoNotReplaceWhatIsNoFile) {
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  UniqueFd reader(open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(write_named(at("pipe"), "words"));
  EXPECT_EQ(read_fd(reader.get(), 100, "pipe").value_or(""), "words");
  struct stat there {};
  ASSERT_EQ(stat(at("pipe").c_str(), &there), 0);
  EXPECT_TRUE(S_ISFIFO(there.st_mode));
}

TEST_F(ReportFiles, AreLookedAtBeforeTheBatteryRuns) {
  Wish wish;
  EXPECT_TRUE(check_report_files(wish));
  wish.html = at("a");
  wish.sarif = "-";
  EXPECT_TRUE(check_report_files(wish));
  EXPECT_EQ(access(at("a").c_str(), F_OK), -1) << "looking makes nothing";
  wish.junit = at("no/such");
  auto missing = check_report_files(wish);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().origin, "--junit");
  ASSERT_EQ(mkdir(at("folder").c_str(), 0700), 0);
  wish.junit = at("folder");
  auto folder = check_report_files(wish);
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().why, HasSubstr("folder"));
}

}  // namespace
}  // namespace immure::cli

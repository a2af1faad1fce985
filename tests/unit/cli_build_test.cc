// The words of `immure build`, what a manifest's words may be, and that what fails leaves nothing behind.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/build.h"
#include "cli/build_profile.h"
#include "cli/build_report.h"
#include "cli/cached_root.h"
#include "cli/private_folder.h"
#include "cli/root.h"
#include "rootfs/manifest.h"
#include "support/files.h"

namespace immure::cli {
namespace {

using Words = std::vector<std::string>;

Result<BuildWords> read(const Words& words) {
  return read_build_words(std::span<const std::string>(words), 1);
}

std::string here() {
  char folder[4096];
  EXPECT_NE(getcwd(folder, sizeof folder), nullptr);
  return folder;
}

TEST(BuildWords, AProgramsPathIsOneFromEverywhere) {
  auto words = read({"dir", "./tool", "a/b", "sh"});
  ASSERT_TRUE(words) << format(words.error());
  EXPECT_EQ(words->recipe, (Words{here() + "/tool", here() + "/a/b", "sh"}));
  EXPECT_EQ(words->wish.programs[0].word, here() + "/tool");
  words = read({"dir", "--for", "./tool", "./x"});
  ASSERT_TRUE(words);
  EXPECT_EQ(words->command, (Words{here() + "/tool", "./x"}));
  EXPECT_EQ(words->recipe, (Words{"--for", here() + "/tool", "./x"}));
}

TEST(BuildWords, ASourceIsOneFromEverywhere) {
  for (const Words& form : {Words{"dir", "--source", "tree", "sh"}, Words{"dir", "--source=tree", "sh"}}) {
    auto words = read(form);
    ASSERT_TRUE(words);
    EXPECT_EQ(words->source, here() + "/tree");
    EXPECT_EQ(words->recipe.front(), "--source=" + here() + "/tree");
  }
}

TEST(BuildWords, WhatIsWrongIsToldWithItsPlace) {
  const std::pair<Words, const char*> cases[] = {{{"dir", "--fil=/x"}, "argument 2 (--fil)"},
                                                 {{"dir", "--file"}, "argument 2 (--file)"},
                                                 {{"dir", "--file", "x"}, "argument 2 (--file)"},
                                                 {{"dir", "sh", "--mode=hardlink"}, "argument 3 (--mode)"},
                                                 {{"dir", "sh", "--for"}, "argument 3 (--for)"},
                                                 {{"dir"}, ""},
                                                 {{"dir", "--trace", "sh"}, ""},
                                                 {{"dir", "--from=x", "sh"}, ""},
                                                 {{"dir", "sh", "--max-size=1G"}, ""},
                                                 {{}, ""},
                                                 {{"dir", "--user="}, "argument 2 (--user)"}};
  for (const auto& [form, place] : cases) {
    auto words = read(form);
    ASSERT_FALSE(words) << join(form, " ");
    EXPECT_EQ(words.error().code, Code::kUsage) << join(form, " ");
    EXPECT_EQ(words.error().origin, place) << join(form, " ");
  }
}

// What a build writes into a manifest is what a refresh reads from there.
TEST(BuildWords, RecipesAreReadAsTheyWereWritten) {
  for (const Words& form :
       {Words{"dir", "sh", "--no-smoke", "--user", "root", "--json"},
        Words{"dir", "--file=/etc/passwd", "--mode", "copy", "--write-profile=p", "./x"},
        Words{"dir", "--package", "bash", "--no-dev", "--with=nss", "--trace", "--for", "ls", "-l"},
        Words{"dir", "--from", "debian:bookworm", "--package=bash", "--allow-eol"}}) {
    auto words = read(form);
    ASSERT_TRUE(words) << format(words.error());
    auto again = read_recipe("dir", words->recipe);
    ASSERT_TRUE(again) << format(again.error());
    EXPECT_EQ(again->recipe, words->recipe);
    EXPECT_TRUE(again->profile_file.empty());
  }
}

TEST(BuildWords, AManifestAsksForNothingButARoot) {
  for (const char* word :
       {"--write-profile=/etc/cron.d/x", "--why=/", "--diff=/x", "--json", "--discard-changes", "--replace",
        "--help", "--list", "--no-smoke", "--dry-run", "--", "./tool"}) {
    auto words = read_recipe("dir", {word, "sh"});
    ASSERT_FALSE(words) << word;
    EXPECT_EQ(words.error().code, Code::kBadProfile) << word;
  }
  EXPECT_FALSE(read_recipe("dir", {}));
}

// Builds for real, from a tree made up.
struct BuildTest : testing::Test {
  void SetUp() override {
    folder.file("from/usr/bin/tool", "#!/usr/bin/sh\n", 0755);
    folder.file("from/usr/bin/sh", "a shell", 0755);
    folder.dir("at");
  }
  std::string root() const { return folder / "at/root"; }
  // The exit status; 0 and 1 are what the verb returned.
  int build(Words words) const {
    words.insert(words.begin(), {root(), "--source=" + (folder / "from"), "--no-smoke"});
    auto read = read_build_words(std::span<const std::string>(words), 1);
    if (!read) return exit_status(read.error().code);
    testing::internal::CaptureStdout();
    auto made = make_root(*read);
    testing::internal::GetCapturedStdout();
    return made ? *made : exit_status(made.error().code);
  }
  int on_root(const char* action) const {
    Words words = {action, root(), "--no-smoke"};
    std::vector<char*> args;
    for (std::string& word : words) args.push_back(word.data());
    Invocation call;
    call.args = args;
    testing::internal::CaptureStdout();
    auto done = immure::cli::root(call);
    testing::internal::GetCapturedStdout();
    return done ? *done : exit_status(done.error().code);
  }
  Words left() const { return test::list_dir(folder / "at"); }

  test::TempDir folder;
};

TEST_F(BuildTest, MakesARootAndRemovesIt) {
  EXPECT_EQ(build({"tool"}), 0);
  EXPECT_EQ(left(), (Words{"root", "root.immure.json"}));
  EXPECT_EQ(on_root("verify"), 0);
  EXPECT_EQ(on_root("status"), 0);
  EXPECT_EQ(on_root("refresh"), 0);
  EXPECT_EQ(build({"tool"}), 125) << "it is there";
  EXPECT_EQ(on_root("remove"), 0);
  EXPECT_EQ(left(), Words{});
}

TEST_F(BuildTest, BadInputHasItsStatusAndLeavesNothing) {
  folder.file("from/usr/bin/orphan", "#!/usr/bin/nothing\n", 0755);
  folder.file("from/usr/bin/cut", "\177ELF\2\1\1", 0755);
  folder.file("from/usr/bin/data", "x");
  ASSERT_EQ(symlink("loop", (folder / "from/usr/bin/loop").c_str()), 0);
  const std::pair<Words, int> cases[] = {{{"nothing"}, 127},
                                         {{"/usr/bin/nothing"}, 127},
                                         {{"/usr/bin/sh/nothing"}, 127},
                                         {{"orphan"}, 126},
                                         {{"cut"}, 126},
                                         {{"/usr/bin/data"}, 126},
                                         {{"/usr/bin"}, 126},
                                         {{"/usr/bin/loop"}, 125},
                                         {{"--file=/nothing"}, 125},
                                         {{"--package=nothing"}, 125},
                                         {{"--preset=nothing"}, 125},
                                         {{"tool", "--with=nothing"}, 125},
                                         {{"tool", "--user=nobody-at-all"}, 125},
                                         {{"tool", "--write-profile=" + (folder / "no/folder")}, 125},
                                         {{"tool", "--mode=bind"}, 125}};
  for (const auto& [words, status] : cases) {
    EXPECT_EQ(build(words), status) << join(words, " ");
    EXPECT_EQ(left(), Words{}) << join(words, " ");
  }
}

TEST_F(BuildTest, WhatOneCannotReadIsAnError) {
  constexpr uid_t kNobody = 65534;
  folder.file("from/etc/secret", "x", 0000);
  const bool as_root = geteuid() == 0;
  if (as_root) {  // who reads everything: so somebody else asks
    ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
    ASSERT_EQ(chown((folder / "at").c_str(), kNobody, kNobody), 0);
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const int secret = build({"--file=/etc/secret"});
  const Words nothing = left();
  const int plain = build({"tool"});
  if (as_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_EQ(secret, 125);
  EXPECT_EQ(nothing, Words{});
  EXPECT_EQ(plain, 0);
}

// The sources are as they were; the root is not.
TEST_F(BuildTest, ARefreshSeesWhatWasChangedInside) {
  ASSERT_EQ(build({"tool"}), 0);
  EXPECT_EQ(on_root("refresh"), 0);
  folder.file("at/root/usr/bin/tool", "mine", 0755);
  EXPECT_EQ(on_root("refresh"), 125);
  EXPECT_EQ(test::read_file(root() + "/usr/bin/tool"), "mine");
  EXPECT_EQ(build({"tool", "--replace", "--discard-changes"}), 0);
  EXPECT_EQ(test::read_file(root() + "/usr/bin/tool"), "#!/usr/bin/sh\n");
}

// A profile is written where nothing was, or where one of ours was.
TEST_F(BuildTest, AProfileTakesTheNameOfNoOtherFile) {
  const std::string file = folder / "at/p.toml", word = "--write-profile=" + file;
  ASSERT_EQ(build({"tool"}), 0);
  ASSERT_EQ(build({"tool", "--replace", word}), 0);
  EXPECT_TRUE(is_made_profile(file));
  EXPECT_EQ(build({"tool", "--replace", word}), 0);
  ASSERT_TRUE(test::write_file(file, "mine"));
  EXPECT_EQ(build({"tool", "--replace", word}), 125);
  EXPECT_EQ(test::read_file(file), "mine");
}

TEST_F(BuildTest, WhatIsThereAlreadyStays) {
  folder.file("at/root/mine", "x");
  EXPECT_EQ(build({"tool"}), 125);
  EXPECT_EQ(build({"tool", "--replace", "--discard-changes"}), 125);
  EXPECT_EQ(left(), Words{"root"});
  EXPECT_EQ(test::read_file(folder / "at/root/mine"), "x");
}

TEST_F(BuildTest, AFullDiskLeavesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can mount a small file system";
  folder.file("from/usr/bin/sh", std::string(4 << 20, 'x'), 0755);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string at = folder / "at";
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("immure-test", at.c_str(), "tmpfs", 0, "size=1m") != 0)
      _exit(77);
    _exit(build({"tool"}) == 125 && left().empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no file system can be mounted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(BuildTest, AManifestWithOtherWordsIsNotFollowed) {
  ASSERT_EQ(build({"tool"}), 0);
  const std::string file = rootfs::manifest_path(root()), bait = folder / "at/bait";
  std::string text = test::read_file(file);
  const std::string words = "\"words\":[";
  ASSERT_NE(text.find(words), std::string::npos);
  text.insert(text.find(words) + words.size(), "\"--write-profile=" + bait + "\",");
  ASSERT_TRUE(test::write_file(file, text));
  EXPECT_EQ(on_root("refresh"), 125);
  EXPECT_FALSE(test::exists(bait));
}

// A jail that may write there decides what other commands are run with.
// What a run opened is told apart from what reading found, and so is what came with it.
TEST(BuildReport, TellsReadFromSeen) {
  using rootfs::Because;
  rootfs::Manifest manifest;
  const auto add = [&](const char* path, std::vector<rootfs::Reason> reasons) {
    rootfs::ManifestEntry entry;
    entry.path = path;
    entry.reasons = std::move(reasons);
    manifest.entries.push_back(std::move(entry));
  };
  add("/a", {{Because::Named, rootfs::kNobody, "a"}});
  add("/a.so", {{Because::Needed, 0, "a.so"}});
  add("/both", {{Because::Seen, rootfs::kNobody, ""}, {Because::Needed, 1, "both"}});
  add("/data", {{Because::Seen, rootfs::kNobody, ""}});
  add("/data.so", {{Because::Needed, 3, "data.so"}});
  BuildReport report;
  report.manifest = &manifest;
  const std::string text = report_text(report, false);
  EXPECT_NE(text.find("3 files and links"), std::string::npos) << text;
  EXPECT_NE(text.find("2 more, which the run opened: /data, /data.so"), std::string::npos) << text;
  const std::string json = report_json(report);
  EXPECT_NE(json.find(R"({"path":"/both","kind":"file","found":"read")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"({"path":"/data.so","kind":"file","found":"seen")"), std::string::npos) << json;
  manifest.entries.resize(2);
  EXPECT_EQ(report_text(report, false).find("seen"), std::string::npos) << "nothing was watched";
}

TEST(CachedRoot, NoCommandMayWriteWhereRootsAreKept) {
  const std::string kept = cached_roots();
  const std::string above_it = kept.substr(0, kept.rfind('/'));
  const bool above_was_there = access(above_it.c_str(), F_OK) == 0,
             was_there = access(kept.c_str(), F_OK) == 0;
  ASSERT_TRUE(open_private_folder(kept));
  test::TempDir folder;
  ASSERT_EQ(symlink("/", (folder / "link").c_str()), 0);
  const auto allowed = [](Grant::Kind kind, const std::string& path) {
    JailSpec spec;
    Grant& grant = spec.grants.emplace_back();
    grant.kind = kind;
    grant.source.value = path;
    return keeps_cached_roots(spec).has_value();
  };
  const std::string above = cached_roots().substr(0, cached_roots().rfind('/'));
  for (const std::string& path : {std::string("/"), above, cached_roots(), folder / "link"}) {
    EXPECT_FALSE(allowed(Grant::Kind::Bind, path)) << path;
    EXPECT_TRUE(allowed(Grant::Kind::RoBind, path)) << path;
  }
  EXPECT_TRUE(allowed(Grant::Kind::Bind, folder.path()));
  EXPECT_TRUE(allowed(Grant::Kind::Bind, "/usr"));
  if (!was_there) rmdir(kept.c_str());
  if (!above_was_there) rmdir(above_it.c_str());
}

TEST(BuildProfile, OnlyAProfileOfABuildIsRemoved) {
  test::TempDir folder;
  auto text = profile_for(folder / "root", {}, {}, "here");
  ASSERT_TRUE(text) << format(text.error());
  const std::string made = folder.file("made", *text), own = folder.file("own", "[jail]\n");
  ASSERT_EQ(symlink("made", (folder / "link").c_str()), 0);
  for (const std::string& path : {folder / "link", own, folder / "nothing"}) remove_made_profile(path);
  EXPECT_EQ(test::list_dir(folder.path()), (Words{"link", "made", "own"}));
  remove_made_profile(made);
  EXPECT_EQ(test::list_dir(folder.path()), (Words{"link", "own"}));
}

}  // namespace
}  // namespace immure::cli

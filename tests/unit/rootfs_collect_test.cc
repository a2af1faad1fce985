// From words to what a root is to hold, over trees made up for it: what programs need, and what a tree of
// somebody else's must not bring about.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "rootfs/collect.h"
#include "rootfs_made_elf.h"
#include "rootfs_tree.h"

namespace immure::rootfs {
namespace {

constexpr uid_t kSomebody = 4711;

struct CollectTest : testing::Test {
  void SetUp() override {
    for (const char* path : {"/usr/bin", "/usr/lib", "/etc", "/home/guest", "/root"}) folder(path);
    program("/usr/bin/sh");
    put("/usr/bin/script", "#!/usr/bin/sh -e\n", 0755);
  }

  std::string at(const std::string& path) const { return tree.path() + path; }
  void folder(const std::string& path, mode_t mode = 0755) const {
    std::filesystem::create_directories(at(path));
    chmod(at(path).c_str(), mode);
  }
  void put(const std::string& path, const std::string& text, mode_t mode = 0644) const {
    std::filesystem::create_directories(std::filesystem::path(at(path)).parent_path());
    put_text(at(path), text);
    chmod(at(path).c_str(), mode);
  }
  void program(const std::string& path, const Made& made = {}, mode_t mode = 0755) const {
    put(path, made_elf(made), mode);
  }
  void link(const std::string& path, const std::string& target) const {
    ASSERT_EQ(symlink(target.c_str(), at(path).c_str()), 0);
  }
  void give(const std::string& path, uid_t uid = kSomebody) const {
    ASSERT_EQ(lchown(at(path).c_str(), uid, uid), 0);
  }

  static Wish::Item item(const std::string& word, Because because = Because::Named) {
    return {word, {because, kNobody, word}, "argument 4"};
  }
  Result<Collected> programs(const std::string& word) const {
    Wish wish;
    wish.programs.push_back(item(word));
    return all_of(wish);
  }
  Result<Collected> files(const std::string& word) const {
    Wish wish;
    wish.files.push_back(item(word));
    return all_of(wish);
  }
  Result<Collected> all_of(const Wish& wish) const {
    auto source = Source::open(tree.path());
    EXPECT_TRUE(source);
    return collect(wish, *source, {});
  }

  TempFolder tree;
};

uint32_t mode_of(const Result<Collected>& made, const std::string& path) {
  const Entry* entry = made ? made->files.find(path) : nullptr;
  EXPECT_NE(entry, nullptr) << path << (made ? "" : format(made.error()));
  return entry == nullptr ? 07777 : entry->mode;
}

bool notes(const Result<Collected>& made, const std::string& text) {
  for (const std::string& note : made->notes)
    if (note.find(text) != std::string::npos) return true;
  return false;
}

#define NEEDS_ROOT() \
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files to others"

TEST_F(CollectTest, ScriptsComeWithTheirInterpreters) {
  auto made = programs("script");
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_EQ(mode_of(made, "/usr/bin/sh"), 0755U);
  EXPECT_EQ(made->files.find("/usr/bin/sh")->reasons.front().because, Because::Interpreter);
}

TEST_F(CollectTest, WhatOnlySomeMayReadStaysItsOwners) {
  put("/etc/open", "x", 0644);
  put("/etc/closed", "x", 0600);
  put("/etc/group", "x", 0640);
  put("/etc/tool", "x", 0750);
  put("/etc/hidden", "x", 0711);
  folder("/etc/private", 0700);
  put("/etc/private/key", "x", 0644);
  auto made = files("/etc");
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_EQ(mode_of(made, "/etc/open"), 0644U);
  EXPECT_EQ(mode_of(made, "/etc/closed"), 0600U);
  EXPECT_EQ(mode_of(made, "/etc/group"), 0600U);
  EXPECT_EQ(mode_of(made, "/etc/tool"), 0700U);
  EXPECT_EQ(mode_of(made, "/etc/hidden"), 0711U);
  EXPECT_EQ(mode_of(made, "/etc/private"), 0700U);
  EXPECT_TRUE(notes(made, "and 3 more are for their owners alone"));
}

TEST_F(CollectTest, ANamedFileOfAClosedFolderIsToldOf) {
  folder("/root", 0700);
  put("/root/tool", "x", 0644);
  auto made = files("/root/tool");
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_TRUE(notes(made, "'/root/tool' lies in a folder that is not open to all"));
  EXPECT_FALSE(notes(files("/etc"), "not open to all"));
}

// A script or a program names what it is started with, and may be anybody's.
TEST_F(CollectTest, NoFolderAndNoDataIsAnInterpreter) {
  put("/etc/secret", "x", 0600);
  for (const char* bait : {"/etc", "/etc/secret", "/usr/bin/env /etc", "/"}) {
    put("/usr/bin/bait", "#!" + std::string(bait) + "\n", 0755);
    program("/usr/bin/env");
    auto made = programs("bait");
    ASSERT_FALSE(made) << bait;
    EXPECT_EQ(made.error().code, Code::kNotExecutable) << bait;
  }
  for (const char* bait : {"/etc", "/etc/secret"}) {
    Made elf;
    elf.interpreter = bait;
    program("/usr/bin/bait", elf);
    auto made = programs("bait");
    ASSERT_FALSE(made) << bait;
    EXPECT_EQ(made.error().code, Code::kNotExecutable) << bait;
  }
}

TEST_F(CollectTest, LinksOfOthersLeadToWhatTheyMayRead) {
  NEEDS_ROOT();
  folder("/root", 0700);
  put("/root/key", "x", 0644);
  put("/etc/shadow", "x", 0600);
  folder("/etc/ssl/private", 0700);
  put("/home/guest/own", "x", 0600);
  give("/home/guest/own");
  const std::pair<const char*, const char*> links[] = {{"key", "/root/key"},
                                                       {"shadow", "/etc/shadow"},
                                                       {"tree", "/etc/ssl"},
                                                       {"mine", "own"},
                                                       {"sh", "/usr/bin/sh"}};
  for (const auto& [name, target] : links) {
    link(std::string("/home/guest/") + name, target);
    give(std::string("/home/guest/") + name);
  }
  auto made = files("/home/guest");
  ASSERT_TRUE(made) << format(made.error());
  for (const char* path : {"/home/guest/own", "/home/guest/shadow", "/usr/bin/sh"})
    EXPECT_NE(made->files.find(path), nullptr) << path;
  for (const char* path : {"/root", "/root/key", "/etc/shadow", "/etc/ssl", "/etc/ssl/private"})
    EXPECT_EQ(made->files.find(path), nullptr) << path;
  EXPECT_TRUE(notes(made, "'/home/guest/shadow' leads to '/etc/shadow', by a link of somebody else"));
  for (const char* path : {"/home/guest/key", "/home/guest/shadow", "/home/guest/tree"}) {
    auto named = files(path);
    ASSERT_FALSE(named) << path;
    EXPECT_EQ(named.error().code, Code::kBadValue);
  }
  EXPECT_TRUE(files("/home/guest/sh"));
}

TEST_F(CollectTest, OwnLinksLeadAnywhere) {
  put("/etc/shadow", "x", 0600);
  link("/home/guest/shadow", "/etc/shadow");
  auto made = files("/home/guest");
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_EQ(mode_of(made, "/etc/shadow"), 0600U);
}

// A program that is watched may ask for any path.
TEST_F(CollectTest, WhatWasSeenIsNoReasonToShowSecrets) {
  put("/etc/keys", "x", 0600);
  put("/etc/mime.types", "x");
  Wish wish;
  wish.programs.push_back(item("sh"));
  wish.seen = {item("/etc/keys", Because::Seen), item("/etc/mime.types", Because::Seen),
               item("/gone", Because::Seen)};
  auto made = all_of(wish);
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_EQ(made->files.find("/etc/keys"), nullptr);
  EXPECT_NE(made->files.find("/etc/mime.types"), nullptr);
  EXPECT_TRUE(notes(made, "'/etc/keys' was opened and is left out"));
}

TEST_F(CollectTest, SpecialFilesAreLeftOutAndNeverOpened) {
  ASSERT_EQ(mkfifo(at("/etc/fifo").c_str(), 0644), 0);
  auto made = files("/etc");
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_EQ(made->files.find("/etc/fifo"), nullptr);
  auto named = files("/etc/fifo");
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().code, Code::kBadValue);
}

// Each of them is worth a line, and a folder may hold any number.
TEST_F(CollectTest, AnyNumberOfFifosCostsLittle) {
  constexpr int kMany = 2'000;
  folder("/etc/many");
  for (int i = 0; i < kMany; ++i)
    ASSERT_EQ(mkfifo(at("/etc/many/fifo" + std::to_string(i)).c_str(), 0644), 0);
  auto made = files("/etc/many");
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_LT(made->notes.size(), 300U);
  EXPECT_TRUE(notes(made, "more notes are left out"));
}

TEST_F(CollectTest, WhatTheKernelMakesIsNotCopied) {
  auto source = Source::open("/");
  ASSERT_TRUE(source);
  Wish wish;
  wish.files.push_back(item("/proc/version"));
  auto made = collect(wish, *source, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kBadValue);
  // A link to such a one stays a link, as /etc/mtab is.
  TempFolder folder;
  ASSERT_EQ(symlink("/proc/self/mounts", (folder.path() + "/mtab").c_str()), 0);
  wish.files = {item(folder.path())};
  made = collect(wish, *source, {});
  ASSERT_TRUE(made) << format(made.error());
  ASSERT_NE(made->files.find(folder.path() + "/mtab"), nullptr);
  EXPECT_EQ(made->files.find("/proc/self"), nullptr);
}

TEST_F(CollectTest, BadInputIsOneErrorOfItsKind) {
  put("/usr/bin/broken", std::string("\177ELF\2\1\1", 7) + std::string(40, '\0'), 0755);
  put("/usr/bin/orphan", "#!/usr/bin/nothing\n", 0755);
  put("/usr/bin/env-orphan", "#!/usr/bin/env nothing\n", 0755);
  program("/usr/bin/env");
  put("/usr/bin/data", "x", 0644);
  link("/usr/bin/loop", "loop");
  Made loaded;
  loaded.interpreter = "/lib/no-loader.so";
  program("/usr/bin/unloaded", loaded);
  Made lacking;
  lacking.needed = {"libnothing.so.1"};
  program("/usr/bin/lacking", lacking);
  const std::pair<const char*, Code> cases[] = {
      {"nothing", Code::kNotFound},         {"/usr/bin/nothing", Code::kNotFound},
      {"broken", Code::kNotExecutable},     {"orphan", Code::kNotExecutable},
      {"env-orphan", Code::kNotExecutable}, {"/usr/bin/data", Code::kNotExecutable},
      {"/usr/bin", Code::kNotExecutable},   {"/usr/bin/loop", Code::kMissingSource},
      {"unloaded", Code::kNotExecutable},   {"lacking", Code::kMissingSource}};
  for (const auto& [word, code] : cases) {
    auto made = programs(word);
    ASSERT_FALSE(made) << word;
    EXPECT_EQ(made.error().code, code) << word << "\n" << format(made.error());
    EXPECT_EQ(made.error().origin, "argument 4") << word;
  }
}

TEST_F(CollectTest, ForeignProgramsAreRefusedOnTheHostAlone) {
  TempFolder folder;
  const std::string tool = folder.path() + "/tool";
  for (const char* loader : {"/lib/ld-linux-aarch64.so.1", ""}) {
    Made elf;
    elf.machine = EM_AARCH64;
    elf.type = *loader == '\0' ? ET_EXEC : ET_DYN;
    elf.interpreter = loader;
    put_text(tool, made_elf(elf));
    chmod(tool.c_str(), 0755);
    auto source = Source::open("/");
    ASSERT_TRUE(source);
    Wish wish;
    wish.programs.push_back(item(tool));
    auto made = collect(wish, *source, {});
    ASSERT_FALSE(made) << loader;
    EXPECT_EQ(made.error().code, Code::kNotExecutable);
    EXPECT_NE(made.error().why.find("it is for aarch64"), std::string::npos) << made.error().why;
    // As a file it may be anything, and in another root everybody's.
    wish.programs.clear();
    wish.files.push_back(item(tool));
    EXPECT_TRUE(collect(wish, *source, {})) << loader;
    if (*loader != '\0') continue;
    put("/usr/bin/foreign", made_elf(elf), 0755);
    EXPECT_TRUE(programs("foreign"));
  }
}

TEST_F(CollectTest, WhatBeginsAsNoProgramIsToldOf) {
  put("/usr/bin/empty", "", 0755);
  auto made = programs("empty");
  ASSERT_TRUE(made);
  EXPECT_TRUE(notes(made, "'/usr/bin/empty' begins as no program does"));
  EXPECT_FALSE(notes(files("/usr/bin/empty"), "begins as no program"));
}

TEST_F(CollectTest, AFileThatLooksLikeAProgramIsAFile) {
  put("/usr/lib/firmware", std::string("\177ELF\2\1\1", 7) + std::string(40, '\0'));
  auto made = files("/usr/lib");
  ASSERT_TRUE(made) << format(made.error());
  EXPECT_NE(made->files.find("/usr/lib/firmware"), nullptr);
}

}  // namespace
}  // namespace immure::rootfs

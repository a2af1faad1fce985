#include <fnmatch.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "input/options.h"
#include "rootfs/family.h"

namespace immure::rootfs {
namespace {

using Strings = std::vector<std::string>;

// What a reader says, in one line; "" when it says nothing.
template <class Thing>
std::string said(const Result<Thing>& result) {
  if (result) return {};
  const Error& error = result.error();
  return error.what + " | " + error.why + " | " + error.how + " | " + error.origin;
}

std::string family_said(const std::string& rule) {
  return said(parse_family("about = \"a\"\n[[rule]]\nbecause = \"b\"\n" + rule, "x", "x.toml"));
}
std::string preset_said(const std::string& more) {
  return said(parse_preset("about = \"a\"\nversion = 1\nsmoke = [\"true\"]\n" + more, "x", "x.toml"));
}

TEST(Family, IsReadAsItIsWritten) {
  auto family = parse_family(
      "about = \"names\"\n[[rule]]\nfiles = [\"/a/*\"]\nimports = [\"f\", \"g\"]\nnot_by = [\"*/bash\"]\n"
      "add = [\"$dir/$1\", \"$lib/x.so\", \"/etc/x\"]\nexcept = [\"*/test\"]\nmake = [\"passwd\"]\nbecause = \"why\"\n"
      "[[rule]]\nadd = [\"/b\"]\nbecause = \"asked\"\n",
      "n", "n.toml");
  ASSERT_TRUE(family) << said(family);
  EXPECT_EQ(family->name, "n");
  EXPECT_EQ(family->place, "n.toml");
  EXPECT_EQ(family->about, "names");
  ASSERT_EQ(family->rules.size(), 2u);
  const FamilyRule& rule = family->rules[0];
  EXPECT_EQ(rule.files, Strings({"/a/*"}));
  EXPECT_EQ(rule.imports, Strings({"f", "g"}));
  EXPECT_EQ(rule.not_by, Strings({"*/bash"}));
  EXPECT_EQ(rule.add, Strings({"$dir/$1", "$lib/x.so", "/etc/x"}));
  EXPECT_EQ(rule.except, Strings({"*/test"}));
  EXPECT_EQ(rule.make, Strings({"passwd"}));
  EXPECT_EQ(rule.because, "why");
  EXPECT_TRUE(family->rules[1].files.empty());
}

TEST(Family, WrongOnesAreRefusedWithTheirPlace) {
  auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(family_said("add = [\"/x\"]\nimport = [\"f\"]"), "did you mean imports? | x.toml:5:1"));
  EXPECT_TRUE(has(said(parse_family("abuot = \"a\"", "x", "x.toml")), "did you mean about? | x.toml:1:1"));
  EXPECT_TRUE(has(family_said("add = [\"x\"]"), "begin with / or $dir/ or $lib/ | x.toml:4:8"));
  EXPECT_TRUE(has(family_said("add = [\"/x\"]\nfiles = [\"*x\"]"), "begin with / |"));
  EXPECT_TRUE(has(family_said("add = [\"/x\"]\nnot_by = [\"x\"]"), "begin with / or * |"));
  EXPECT_TRUE(has(family_said("make = [\"paswd\"]"), "did you mean passwd?"));
  EXPECT_TRUE(has(family_said("add = \"/x\""), "must be a list of texts"));
  EXPECT_TRUE(has(family_said("add = [\"\"]"), "must be a list of texts"));
  EXPECT_TRUE(has(family_said("imports = [\"f g\"]\nadd = [\"/x\"]"), "is no name"));
  EXPECT_TRUE(has(family_said("files = [\"/x\"]"), "the key 'add' is missing"));
  EXPECT_TRUE(has(said(parse_family("about = \"a\"\n[[rule]]\nadd = [\"/x\"]", "x", "x.toml")), "'because'"));
  EXPECT_TRUE(has(said(parse_family("about = \"a\"", "x", "x.toml")), "'rule'"));
  EXPECT_TRUE(has(said(parse_family("about = \"a\"\nrule = 1", "x", "x.toml")), "write [[rule]]"));
  EXPECT_TRUE(has(said(parse_family("about = \"a", "x", "x.toml")), "cannot read the family 'x.toml'"));
}

TEST(Preset, IsReadAsItIsWritten) {
  auto preset = parse_preset(
      "about = \"a\"\nversion = 3\npackages = [\"p\"]\nprograms = [\"q\"]\nfiles = [\"/f\"]\nwith = [\"tls\"]\n"
      "users = [\"u\"]\nports = [53, 65535]\nsmoke = [\"q\", \"-v\"]\nexpect = \"ok\"\nrun = [\"--tmpfs=/run\"]\n"
      "[[folder]]\npath = \"/var/q\"\nowner = \"u\"\nmode = \"0750\"\nstate = true\n"
      "[[folder]]\npath = \"/run\"\nmode = \"1777\"\n"
      "[[text]]\npath = \"/etc/q\"\ncontent = \"\"\nowner = \"u\"\nmode = \"640\"\n",
      "q", "q.toml");
  ASSERT_TRUE(preset) << said(preset);
  EXPECT_EQ(preset->version, 3);
  EXPECT_EQ(preset->packages, Strings({"p"}));
  EXPECT_EQ(preset->programs, Strings({"q"}));
  EXPECT_EQ(preset->files, Strings({"/f"}));
  EXPECT_EQ(preset->with, Strings({"tls"}));
  EXPECT_EQ(preset->users, Strings({"u"}));
  EXPECT_EQ(preset->ports, std::vector<int>({53, 65535}));
  EXPECT_EQ(preset->smoke, Strings({"q", "-v"}));
  EXPECT_EQ(preset->expect, "ok");
  EXPECT_EQ(preset->run, Strings({"--tmpfs=/run"}));
  ASSERT_EQ(preset->folders.size(), 2u);
  EXPECT_EQ(preset->folders[0].path, "/var/q");
  EXPECT_EQ(preset->folders[0].owner, "u");
  EXPECT_EQ(preset->folders[0].mode, 0750u);
  EXPECT_TRUE(preset->folders[0].state);
  EXPECT_EQ(preset->folders[1].mode, 01777u);
  EXPECT_FALSE(preset->folders[1].state);
  ASSERT_EQ(preset->texts.size(), 1u);
  EXPECT_EQ(preset->texts[0].mode, 0640u);
  EXPECT_EQ(preset->texts[0].owner, "u");
}

TEST(Preset, WrongOnesAreRefusedWithTheirPlace) {
  auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  auto folder = [](const std::string& rest) { return preset_said("[[folder]]\npath = \"/x\"\n" + rest); };
  EXPECT_EQ(preset_said(""), "");
  EXPECT_TRUE(has(preset_said("program = [\"x\"]"), "did you mean programs? | x.toml:4:1"));
  EXPECT_TRUE(has(preset_said("ports = [0]"), "from 1 to 65535"));
  EXPECT_TRUE(has(preset_said("ports = [65536]"), "from 1 to 65535"));
  EXPECT_TRUE(has(preset_said("users = [\"-x\"]"), "is no name"));
  EXPECT_TRUE(has(preset_said("users = [\"a:b\"]"), "is no name"));
  EXPECT_TRUE(has(folder("mode = 755"), "write mode = \"0750\" | x.toml:6:"));
  EXPECT_TRUE(has(folder("mode = \"789\""), "octal mode"));
  EXPECT_TRUE(has(folder("mode = \"4755\""), "set-id bit"));
  EXPECT_TRUE(has(folder("mode = \"2755\""), "set-id bit"));
  EXPECT_TRUE(has(folder("mode = \"0777\""), "lets everybody write"));
  EXPECT_TRUE(has(folder("stat = true"), "did you mean state?"));
  EXPECT_TRUE(has(folder("state = 1"), "must be true or false"));
  for (const char* path : {"x", "/", "/a/../b", "/a/", "/a//b", "/a/./b"})
    EXPECT_TRUE(has(preset_said("[[folder]]\npath = \"" + std::string(path) + "\""), "no place")) << path;
  EXPECT_TRUE(has(preset_said("[[text]]\ncontent = \"x\""), "'path'"));
  EXPECT_TRUE(has(preset_said("[[text]]\npath = \"/x\"\ncontent = 1"), "must be a text"));
  EXPECT_TRUE(has(said(parse_preset("about = \"a\"\nsmoke = [\"x\"]", "x", "x")), "'version'"));
  EXPECT_TRUE(has(said(parse_preset("about = \"a\"\nversion = 1", "x", "x")), "'smoke'"));
}

// ---- what is shipped -------------------------------------------------------------------------------------

TEST(Shipped, EveryFileIsRead) {
  auto count = [](const char* folder) {
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(IMMURE_SOURCE_DIR) + folder))
      files += entry.path().extension() == ".toml";
    return files;
  };
  auto all = families({});
  ASSERT_TRUE(all) << said(all);
  EXPECT_EQ(all->size(), count("/families"));
  auto some = presets({});
  ASSERT_TRUE(some) << said(some);
  EXPECT_EQ(some->size(), count("/presets"));
  EXPECT_TRUE(std::is_sorted(all->begin(), all->end(), [](auto& a, auto& b) { return a.name < b.name; }));
}

TEST(Shipped, PresetsAreWhole) {
  auto all = families({});
  auto some = presets({});
  ASSERT_TRUE(all && some);
  for (const Preset& preset : *some) {
    SCOPED_TRACE(preset.place);
    EXPECT_FALSE(preset.packages.empty());
    EXPECT_FALSE(preset.programs.empty());
    // The smoke command is a program of the preset.
    EXPECT_NE(std::find(preset.programs.begin(), preset.programs.end(), preset.smoke[0]),
              preset.programs.end())
        << preset.smoke[0];
    for (const std::string& name : preset.with) {
      bool known = std::any_of(all->begin(), all->end(), [&](auto& family) { return family.name == name; }) ||
                   std::any_of(some->begin(), some->end(), [&](auto& other) { return other.name == name; });
      EXPECT_TRUE(known) << name;
    }
    for (const Preset::Folder& folder : preset.folders) {
      if (folder.owner.empty()) continue;
      EXPECT_NE(std::find(preset.users.begin(), preset.users.end(), folder.owner), preset.users.end())
          << folder.owner;
    }
    // What `immure run` is told exists, and a state folder can be written to there.
    Strings words = preset.run;
    for (const Preset::Folder& folder : preset.folders) {
      bool granted = std::find(words.begin(), words.end(), "--tmpfs=" + folder.path) != words.end();
      EXPECT_TRUE(granted || !folder.state) << folder.path;
    }
    words.insert(words.end(), {"--", "true"});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    auto parsed = parse_arguments(arguments, 1);
    EXPECT_TRUE(parsed) << said(parsed);
  }
}

// A rule that nothing can meet is a mistake: patterns over files name places, names of functions are names.
TEST(Shipped, RulesAreMetOnce) {
  auto all = families({});
  ASSERT_TRUE(all);
  for (const Family& family : *all) {
    SCOPED_TRACE(family.place);
    for (const FamilyRule& rule : family.rules) {
      std::set<std::string> once(rule.imports.begin(), rule.imports.end());
      EXPECT_EQ(once.size(), rule.imports.size());
      for (const std::string& pattern : rule.add) {
        size_t stars = 0;
        for (const std::string& file : rule.files)
          stars = std::max(stars, static_cast<size_t>(std::count(file.begin(), file.end(), '*')));
        for (char digit = '1'; digit <= '9'; ++digit)
          EXPECT_TRUE(pattern.find(std::string("$") + digit) == std::string::npos ||
                      static_cast<size_t>(digit - '0') <= stars)
              << pattern;
      }
    }
  }
}

// ---- where they are found --------------------------------------------------------------------------------

class Places : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-families-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    for (const char* folder : {"/etc/families", "/share/families", "/share/presets"})
      std::filesystem::create_directories(top_ + folder);
  }
  void TearDown() override { std::filesystem::remove_all(top_); }
  void put(const std::string& path, const std::string& about) {
    std::ofstream(top_ + path) << "about = \"" << about << "\"\n[[rule]]\nadd = [\"/x\"]\nbecause = \"b\"\n";
    ASSERT_EQ(::chmod((top_ + path).c_str(), 0644), 0);
  }
  Result<std::vector<Family>> all() { return families({top_ + "/etc", top_ + "/share"}); }
  std::string about(const std::string& name) {
    auto found = all();
    EXPECT_TRUE(found) << said(found);
    if (!found) return {};
    for (const Family& family : *found)
      if (family.name == name) return family.about;
    return "not there";
  }

  std::string top_;
};

TEST_F(Places, TheFirstFolderWinsAndTheShippedIsLast) {
  std::string shipped = about("nss");
  EXPECT_NE(shipped, "not there");
  put("/share/families/nss.toml", "share");
  EXPECT_EQ(about("nss"), "share");
  put("/etc/families/nss.toml", "etc");
  EXPECT_EQ(about("nss"), "etc");
  put("/etc/families/new.toml", "new");
  EXPECT_EQ(about("new"), "new");
  EXPECT_EQ(families({top_ + "/nowhere"})->size(), families({})->size());
}

TEST_F(Places, OtherNamesAreNoFamilies) {
  for (const char* name : {"README", "x.toml~", ".x.toml", "x.json", "a b.toml"})
    std::ofstream(top_ + "/etc/families/" + name) << "not TOML";
  auto found = all();
  ASSERT_TRUE(found) << said(found);
  EXPECT_EQ(found->size(), families({})->size());
}

TEST_F(Places, WhatCannotBeTrustedIsAnError) {
  put("/etc/families/nss.toml", "etc");
  ASSERT_EQ(::chmod((top_ + "/etc/families/nss.toml").c_str(), 0666), 0);
  auto found = all();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kBadProfile);
  EXPECT_NE(said(found).find("everybody may write"), std::string::npos) << said(found);
  EXPECT_NE(said(found).find("the family"), std::string::npos) << said(found);

  ASSERT_EQ(::unlink((top_ + "/etc/families/nss.toml").c_str()), 0);
  ASSERT_EQ(::mkfifo((top_ + "/etc/families/nss.toml").c_str(), 0600), 0);
  EXPECT_NE(said(all()).find("no regular file"), std::string::npos);  // and nobody waits for a writer

  ASSERT_EQ(::unlink((top_ + "/etc/families/nss.toml").c_str()), 0);
  ASSERT_EQ(::symlink("/nowhere", (top_ + "/etc/families/nss.toml").c_str()), 0);
  EXPECT_NE(said(all()).find("cannot be opened"), std::string::npos);
}

TEST_F(Places, AnotherUsersFileIsAnError) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a file away";
  put("/etc/families/nss.toml", "etc");
  ASSERT_EQ(::chown((top_ + "/etc/families/nss.toml").c_str(), 12345, 0), 0);
  EXPECT_NE(said(all()).find("neither to you nor to root"), std::string::npos);
}

TEST_F(Places, ABrokenFileIsAnErrorAndNotLeftOut) {
  std::ofstream(top_ + "/share/presets/x.toml") << "about = 1";
  auto found = presets({top_ + "/etc", top_ + "/share"});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().origin, top_ + "/share/presets/x.toml:1:1");
}

TEST_F(Places, AFolderThatCannotBeReadIsAnError) {
  constexpr uid_t kNobody = 65534;
  const bool as_root = ::geteuid() == 0;
  const std::string folder = top_ + "/etc/families";
  auto looks = [&] {  // root can read every folder, so somebody else looks
    EXPECT_TRUE(!as_root || ::seteuid(kNobody) == 0);
    const bool found = all().has_value();
    EXPECT_TRUE(!as_root || ::seteuid(0) == 0);
    return found;
  };
  for (const std::string& open : {top_, top_ + "/etc", top_ + "/share", folder}) ::chmod(open.c_str(), 0755);
  EXPECT_TRUE(looks());
  ASSERT_EQ(::chmod(folder.c_str(), 0), 0);
  EXPECT_FALSE(looks());
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
}

TEST_F(Places, PatternsOfAPresetAreSettled) {
  for (const char* folder : {"/root/bin", "/root/data"}) std::filesystem::create_directories(top_ + folder);
  for (const char* name : {"/root/bin/php8.2", "/root/bin/php8.10", "/root/data/a.x", "/root/data/b.x"})
    std::ofstream(top_ + name) << "";
  auto source = Source::open(top_ + "/root");
  ASSERT_TRUE(source);
  Preset preset;
  preset.name = "p";
  preset.packages = {"php", "more"};
  preset.programs = {"sh", "/bin/php*"};
  preset.files = {"/data/*.x", "/not/there"};
  preset.smoke = {"/bin/php*", "-v*"};
  auto real = settled(preset, *source);
  ASSERT_TRUE(real) << said(real);
  EXPECT_EQ(real->programs, Strings({"sh", "/bin/php8.10"}));
  EXPECT_EQ(real->files, Strings({"/data/a.x", "/data/b.x", "/not/there"}));
  EXPECT_EQ(real->smoke, Strings({"/bin/php8.10", "-v*"}));
  preset.programs = {"/bin/ruby*"};
  auto missing = settled(preset, *source);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(missing.error().how, "apt-get install php more");
}

// ---- patterns --------------------------------------------------------------------------------------------

struct Row {
  const char *pattern, *text;
  bool across, expected;
  Strings stars = {};
};

TEST(Pattern, Table) {
  const Row rows[] = {
      {"/usr/bin/python3.*", "/usr/bin/python3.11", false, true, {"11"}},
      {"/usr/bin/python3.*", "/usr/bin/python3", false, false},
      {"/usr/bin/*-gcc-*", "/usr/bin/x86_64-linux-gnu-gcc-12", false, true, {"x86_64-linux-gnu", "12"}},
      {"/usr/lib/*/libx.so.*", "/usr/lib/a/libx.so.1", false, true, {"a", "1"}},
      {"/usr/lib/*/libx.so", "/usr/lib/a/b/libx.so", false, false},
      {"/usr/lib/*/libx.so", "/usr/lib/libx.so", false, false},
      {"/a/*", "/a/.b", false, false},
      {"/a/.*", "/a/.b", false, true, {"b"}},
      {"/a/?b", "/a/.b", false, false},
      {"/a/[.]b", "/a/.b", false, false},
      {"/a/*", "/a/", false, true, {""}},
      {"/a", "/a/b", false, false},
      {"/a/b", "/a", false, false},
      {"/a*b*c", "/aXbYbZc", false, true, {"X", "YbZ"}},
      {"/**", "/ab", false, true, {"", "ab"}},
      {"*/test", "/usr/lib/python3.11/test", true, true, {"/usr/lib/python3.11"}},
      {"*/test", "/usr/lib/python3.11/test/a", true, false},
      {"*/lib*", "/a/lib/b/libc", true, true, {"/a", "/b/libc"}},
      {"*.so", "/a/.b.so", true, true, {"/a/.b"}},
      {"/a/[0-9]*", "/a/1x", false, true, {"x"}},
      {"/a/[!0-9]*", "/a/1x", false, false},
      {"/a/[^0-9]*", "/a/yx", false, true, {"x"}},
      {"/a/[]x]", "/a/]", false, true},
      {"/a/[a-c-]", "/a/-", false, true},
      {"/a/[x", "/a/[x", false, true},
      {"/a/\\*", "/a/*", false, true},
      {"/a/\\*", "/a/b", false, false},
      {"/a/x\\", "/a/x\\", false, true},
      {"", "", false, true},
      {"", "/", false, false},
      {"*", "", true, true, {""}},
      {"/a?", "/a", true, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.pattern) + " " + row.text);
    Strings stars = {"old"};
    EXPECT_EQ(matches(row.pattern, row.text, row.across, &stars), row.expected);
    EXPECT_EQ(stars, row.expected ? row.stars : Strings({"old"}));
    EXPECT_EQ(matches(row.pattern, row.text, row.across, nullptr), row.expected);
  }
}

// The C library's matcher says the same of everything that both know.
RC_GTEST_PROP(Pattern, AgreesWithFnmatch, ()) {
  auto word = [](const char* letters) {
    return *rc::gen::container<std::string>(rc::gen::elementOf(std::string(letters)));
  };
  std::string pattern = "/" + word("ab/*?."), text = "/" + word("ab/.");
  RC_ASSERT(matches(pattern, text, false, nullptr) ==
            (::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0));
  RC_ASSERT(matches(pattern, text, true, nullptr) == (::fnmatch(pattern.c_str(), text.c_str(), 0) == 0));
}

TEST(Pattern, ManyStarsCostNoMoreThanTheirLengths) {
  std::string pattern, text(20'000, 'a');
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", text, true, nullptr));
  EXPECT_TRUE(matches(pattern, text, true, nullptr));
  Strings stars;
  EXPECT_TRUE(matches("/" + pattern, "/" + text, false, &stars));
  EXPECT_EQ(stars.size(), 9u);
}

}  // namespace
}  // namespace immure::rootfs

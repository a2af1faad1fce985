#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/file.h"
#include "input/profile.h"
#include "input/shipped_profiles.h"
#include "input/toml.h"
#include "spec/limits.h"

namespace immure {
namespace {

Result<Profile> read(std::string text, std::string folder = {}, bool json = false) {
  return read_profile_text({std::move(text), json ? "p.json" : "p.toml", std::move(folder), "/home/u", json});
}

std::vector<std::string> lines(const std::vector<Word>& words) {
  std::vector<std::string> out;
  for (const Word& word : words) out.push_back(std::string(word.option->name) + " " + word.value);
  return out;
}

std::vector<Word> resolved(const std::vector<std::string>& texts) {
  std::vector<Word> words;
  for (const std::string& text : texts) {
    Result<Profile> profile = read(text);
    EXPECT_TRUE(profile) << format(profile.error());
    Status changed = apply_changes(words, *profile);
    EXPECT_TRUE(changed) << format(changed.error());
  }
  return words;
}

using Lines = std::vector<std::string>;

TEST(Toml, BecomesWordsInTheOrderOfTheFile) {
  auto words = resolved({R"(
description = "x"
ro-bind = ["/b", "/a:/c:try"]
memory = "1G"
bind = "/z"
pass-fd = [7]
keep-env = false
deny-syscall = ["@mount"]
allow-syscall = ["mount"]
[limits]
pids = 64
cpus = 1.5
[env]
A = "x y"
N = 3
B = true
[need]
cgroup = "require"
[weaken]
ptrace = true
tmp-exec = false
)"});
  EXPECT_EQ(lines(words),
            (Lines{"ro-bind /b", "ro-bind /a:/c:try", "memory 1G", "bind /z", "pass-fd 7", "keep-env false",
                   "deny-syscall @mount", "allow-syscall mount", "pids 64", "cpus 1.5", "env A=x y",
                   "env N=3", "pass-env B", "need cgroup=require", "weaken ptrace"}));
  EXPECT_EQ(words[1].origin, "p.toml:3:18");
  EXPECT_EQ(words[2].origin, "p.toml:4:1");
}

TEST(Toml, JsonSaysTheSame) {
  Result<Profile> json = read(
      R"({"$schema":"x","memory":"1G","ro-bind":["/a","/b"],"limits":{"pids":64,"cpus":1.5},"env":{"A":"b","C":true},
          "tty":true})",
      {}, true);
  ASSERT_TRUE(json) << format(json.error());
  std::vector<Word> words;
  ASSERT_TRUE(apply_changes(words, *json));
  EXPECT_EQ(lines(words), (Lines{"memory 1G", "ro-bind /a", "ro-bind /b", "pids 64", "cpus 1.5", "env A=b",
                                 "pass-env C", "tty true"}));
  EXPECT_EQ(words[2].origin, "p.json#/ro-bind/1");
  EXPECT_EQ(words[3].origin, "p.json#/limits/pids");
}

TEST(Toml, PathsAreBelowTheProfile) {
  std::vector<Word> words;
  ASSERT_TRUE(apply_changes(words, *read(R"(
root = "r"
ro-bind = ["./a:/x", "~/b:/y", "/c", "~"]
tmpfs = ["/t"]
symlink = ["x:/l"]
fd = ["3=./k:ro"]
seccomp = "f.json"
)",
                                         "/p:q")));
  EXPECT_EQ(lines(words), (Lines{"root /p:q/r", "ro-bind /p\\:q/./a:/x", "ro-bind /home/u/b:/y", "ro-bind /c",
                                 "ro-bind /home/u", "tmpfs /t", "symlink x:/l", "fd 3=/p\\:q/./k:ro",
                                 "seccomp /p:q/f.json"}));
  EXPECT_EQ(read("seccomp = \"strict\"", "/p")->changes[0].word.value, "strict");
  Result<Profile> homeless = read_profile_text({"ro-bind = \"~/x\"", "p.toml", "/p", {}, false});
  ASSERT_FALSE(homeless);
  EXPECT_EQ(homeless.error().origin, "p.toml:1:1");
}

TEST(Extends, PlainListsReplaceAndSignedOnesChange) {
  const std::string base = "ro-bind = [\"/a\", \"/b:/x:try\"]\nbind = [\"/w\"]\n";
  EXPECT_EQ(lines(resolved({base, "ro-bind = [\"/c\"]"})), (Lines{"bind /w", "ro-bind /c"}));
  EXPECT_EQ(lines(resolved({base, "ro-bind = []"})), (Lines{"bind /w"}));
  EXPECT_EQ(lines(resolved({base, "ro-bind = [\"+/c\", \"-/a\", \"-/b\"]"})),
            (Lines{"bind /w", "ro-bind /c"}));
  EXPECT_EQ(lines(resolved({base, "ro-bind = \"+/c\""})),
            (Lines{"ro-bind /a", "ro-bind /b:/x:try", "bind /w", "ro-bind /c"}));
  // Not a neighbour whose name begins the same.
  std::vector<Word> words = resolved({"ro-bind = [\"/srv2\"]"});
  Status changed = apply_changes(words, *read("ro-bind = [\"-/srv\"]"));
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().origin, "p.toml:1:12");
}

TEST(Extends, SingleValuesAndTableKeysOverrule) {
  const std::string base =
      "memory = \"1G\"\ntty = true\n[env]\nA = \"1\"\nAB = \"2\"\nC = true\n[need]\nlsm = "
      "\"off\"\n[weaken]\nptrace = true\n";
  EXPECT_EQ(lines(resolved(
                {base,
                 "memory = \"2G\"\nno-tty = true\n[env]\nA = true\nC = false\n[need]\nlsm = \"require\"\n"
                 "[weaken]\nptrace = false\n"})),
            (Lines{"env AB=2", "memory 2G", "no-tty true", "pass-env A", "need lsm=require"}));
}

TEST(Extends, IsReadAsNamesOrPaths) {
  EXPECT_EQ(read("extends = \"default\"")->extends[0].name, "default");
  Result<Profile> two = read("extends = [\"a\", \"./b.toml\"]");
  ASSERT_EQ(two->extends.size(), 2u);
  EXPECT_EQ(two->extends[1].place, "p.toml:1:17");
}

struct Bad {
  const char* text;
  const char* says;  // in what, why or how
  const char* origin;
};

TEST(Toml, RefusesWithThePlace) {
  const Bad cases[] = {
      {"\nmemry = \"1G\"", "memory", "p.toml:2:1"},
      {"[limits]\n memry = \"1G\"", "memory", "p.toml:2:2"},
      {"[limits]\nbind = \"1G\"", "limits.bind", "p.toml:2:1"},
      {"limits = 1", "table", "p.toml:1:1"},
      {"x = ", "read", "p.toml:1"},
      {"a = 1\na = 2", "read", "p.toml:2"},
      {"bind = [\"+/a\", \"/b\"]", "mixes", "p.toml:1:16"},
      {"bind = [[1]]", "text or a number", "p.toml:1:9"},
      {"bind = {a = 1}", "no table", "p.toml:1:1"},
      {"keep-env = \"x\"", "true or false", "p.toml:1:1"},
      {"memory = true", "text or a number", "p.toml:1:1"},
      {"cpus = 1979-05-27", "text or a number", "p.toml:1:1"},
      {"dry-run = true", "command line", "p.toml:1:1"},
      {"profile = \"x\"", "command line", "p.toml:1:1"},
      {"words-fd = 3", "unknown key", "p.toml:1:1"},
      {"extends = 3", "name profiles", "p.toml:1:1"},
      {"extends = [\"\"]", "name profiles", "p.toml:1:12"},
      {"description = 3", "text", "p.toml:1:1"},
      {"[env]\nA = [1]", "env.A", "p.toml:2:1"},
      {"[need]\nlsm = true", "need.lsm", "p.toml:2:1"},
      {"[weaken]\nptrace = \"x\"", "weaken.ptrace", "p.toml:2:1"},
      {"hostname = \"a\\u0000b\"", "NUL", "p.toml:1"},
      {"[env]\n\"A\\u0000B\" = \"x\"", "NUL", "p.toml:2"},
      {"\xff = 1", "ASCII", "p.toml:1"},
      {"n = 1\n\xef\xbb\xbb = 1", "ASCII", "p.toml:2"},
      {"[ = 1", "read", "p.toml:1"},
      {"n=2{\"z\xca\x91", "read", "p.toml:1"},
      {"a = \"\xff\"", "read", "p.toml:1"},
  };
  for (const Bad& bad : cases) {
    Result<Profile> profile = read(bad.text);
    ASSERT_FALSE(profile) << bad.text;
    const Error& error = profile.error();
    EXPECT_EQ(error.code, Code::kBadProfile) << bad.text;
    EXPECT_NE((error.what + error.why + error.how).find(bad.says), std::string::npos) << format(error);
    EXPECT_TRUE(error.origin.starts_with(bad.origin)) << error.origin << " for " << bad.text;
  }
}

TEST(Json, RefusesWithThePlace) {
  const Bad cases[] = {
      {"{\"memry\":1}", "memory", "p.json#/memry"},
      {"{\"a\":1,\"a\":2}", "twice", "p.json#"},
      {"{\"bind\":[\"/a\",null]}", "text or a number", "p.json#/bind/1"},
      {"{\"hostname\":\"a\\u0000b\"}", "NUL", "p.json#/hostname"},
      {"[1]", "no JSON object", "p.json"},
      {"{", "no JSON", "p.json"},
      {"{} x", "no JSON", "p.json"},
      {"", "no JSON", "p.json"},
  };
  for (const Bad& bad : cases) {
    Result<Profile> profile = read(bad.text, {}, true);
    ASSERT_FALSE(profile) << bad.text;
    EXPECT_NE((profile.error().what + profile.error().why + profile.error().how).find(bad.says),
              std::string::npos)
        << format(profile.error());
    EXPECT_TRUE(profile.error().origin.starts_with(bad.origin))
        << profile.error().origin << " for " << bad.text;
  }
}

// A hostile project must not bring the reader down: nesting of every sort has a bound, and so has the length.
TEST(Toml, OfEndlessDepthIsRefused) {
  std::string dotted = "a";
  for (int i = 0; i < 100'000; ++i) dotted += ".a";
  const std::string open(100'000, '[');
  for (const std::string& text :
       {dotted + " = 1", "[" + dotted + "]", "a = " + open, "\"x\"." + dotted + " = 1",
        "a = '''\n''''' #\n" + dotted + " = 1", "s = \"\\\"\"\n" + dotted + "=1"}) {
    EXPECT_FALSE(parse_toml(text, "p")) << text.substr(0, 20);
  }
  std::string tables = "a = ", json = "";
  for (int i = 0; i < 100'000; ++i) tables += "{a = ", json += "{\"a\":";
  EXPECT_FALSE(parse_toml(tables, "p"));
  EXPECT_FALSE(parse_json(json, "p"));
  EXPECT_FALSE(parse_json(open, "p"));
  EXPECT_FALSE(parse_toml(std::string(kLongestProfile + 1, '\n'), "p"));
  EXPECT_FALSE(parse_json(std::string(kLongestProfile + 1, ' '), "p"));
  // What only looks deep is read.
  EXPECT_TRUE(parse_toml("a = \"" + std::string(500, '.') + "\" # " + dotted + "\nb = '" + open + "'", "p"));
}

TEST(Schema, IsTheCommittedOne) {
  const std::string path = IMMURE_SOURCE_DIR "/schema/profile.schema.json";
  if (std::getenv("IMMURE_UPDATE") != nullptr) {
    ASSERT_TRUE(write_file_atomic(path, profile_schema(), 0644));
  }
  bool same = read_file(path).value_or("") == profile_schema();
  EXPECT_TRUE(same) << "the option table has changed: run unit_input once with IMMURE_UPDATE=1";
  auto schema = nlohmann::json::parse(profile_schema());
  for (std::string_view key : profile_keys())
    EXPECT_TRUE(schema["properties"].contains(std::string(key))) << key;
  EXPECT_FALSE(schema["additionalProperties"].get<bool>());
  EXPECT_EQ(schema["properties"].size(), profile_keys().size() + 1);  // and $schema
}

TEST(Shipped, EveryOneIsAValidJail) {
  std::set<std::string_view> names;
  for (const ShippedProfile& profile : shipped_profiles()) {
    names.insert(profile.name);
    EXPECT_FALSE(profile.description.empty()) << profile.name;
    Jail jail;
    std::vector<Word> words = decode(profile.words).value();
    for (const Word& word : words) {
      Status applied = apply(jail, word);
      ASSERT_TRUE(applied) << profile.name << ": " << format(applied.error());
    }
    jail.spec.argv = {"true"};
    Status valid = validate(jail.spec);
    EXPECT_TRUE(valid) << profile.name << ": " << format(valid.error());
    // Least privilege: what a shipped profile loosens stands here, and nothing else.
    EXPECT_EQ(jail.spec.caps_add, 0u);
    EXPECT_FALSE(jail.spec.as_root || jail.spec.keep_env) << profile.name;
    EXPECT_TRUE(jail.spec.seccomp.empty());
    EXPECT_EQ(jail.spec.net == Net::Host, profile.name == "server") << profile.name;
    for (int i = 0; i < kWeakenCount; ++i) {
      bool expected = profile.name == "build" && static_cast<Weaken>(i) == Weaken::TmpExec;
      EXPECT_EQ(jail.spec.weakened[static_cast<size_t>(i)], expected) << profile.name;
    }
  }
  for (const char* name : {"default", "minimal", "shell", "server", "build", "judge", "project"})
    EXPECT_EQ(names.count(name), 1u) << name;
  EXPECT_TRUE(shipped_profile("default")->empty()) << "the default jail needs no word";
  EXPECT_FALSE(shipped_profile("nope"));
}

TEST(Shipped, ProjectKeepsHooksReadOnly) {
  Jail jail;
  std::vector<Word> words = decode(*shipped_profile("project")).value();
  for (const Word& word : words) ASSERT_TRUE(apply(jail, word));
  std::map<std::string, Grant> grants;
  std::string here = std::filesystem::current_path();
  for (const Grant& grant : jail.spec.grants) grants[grant.target.value.substr(here.size())] = grant;
  EXPECT_EQ(grants[""].kind, Grant::Kind::Bind);
  for (const char* path : {"/.git", "/.envrc", "/.bashrc", "/.vscode"}) {
    EXPECT_EQ(grants[path].kind, Grant::Kind::RoBind) << path;
    EXPECT_TRUE(grants[path].skip_missing && grants[path].nofollow) << path;
  }
}

}  // namespace
}  // namespace immure

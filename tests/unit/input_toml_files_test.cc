#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "filter/filter.h"
#include "input/policy.h"
#include "input/profile.h"
#include "input/profile_files.h"
#include "input/shipped_profiles.h"
#include "spec/limits.h"
#include "spec/merge.h"

namespace immure {
namespace {

class ProfileFiles : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-profiles-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = name;
    for (const char* folder : {"user", "etc", "share", "project"})
      std::filesystem::create_directory(top_ + "/" + folder);
    places_.folders = {top_ + "/user", top_ + "/etc", top_ + "/share"};
    places_.project = top_ + "/project/immure.toml";
    places_.cwd = top_ + "/project";
    places_.home = "/home/u";
    places_.uid = ::geteuid();
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  std::string put(const std::string& path, const std::string& text) {
    std::string whole = top_ + "/" + path;
    std::ofstream(whole) << text;
    EXPECT_EQ(::chmod(whole.c_str(), 0644), 0);
    return whole;
  }
  std::vector<std::string> lines(const Result<std::vector<Word>>& words) {
    std::vector<std::string> out;
    EXPECT_TRUE(words) << format(words.error());
    if (!words) return out;
    for (const Word& word : *words) out.push_back(std::string(word.option->name) + " " + word.value);
    return out;
  }
  Result<std::vector<Word>> all(std::vector<std::string> profiles = {}, std::vector<Word> words = {}) {
    Parsed parsed;
    parsed.profiles = std::move(profiles);
    parsed.words = std::move(words);
    return words_of_files(parsed, places_);
  }
  Word word(const char* option, std::string value) {
    return {find_option(option), std::move(value), "argument 2"};
  }

  std::string top_;
  ProfilePlaces places_;
};

using Lines = std::vector<std::string>;

TEST_F(ProfileFiles, AreFoundInOrder) {
  put("share/x.toml", "hostname = \"share\"");
  EXPECT_EQ(lines(read_profile("x", places_)), (Lines{"hostname share"}));
  put("etc/x.json", "{\"hostname\":\"etc\"}");
  EXPECT_EQ(lines(read_profile("x", places_)), (Lines{"hostname etc"}));
  put("user/x.toml", "hostname = \"user\"");
  EXPECT_EQ(lines(read_profile("x", places_)), (Lines{"hostname user"}));
  EXPECT_EQ(lines(read_profile(top_ + "/share/x.toml", places_)), (Lines{"hostname share"}));
  std::vector<std::string> names = profile_names(places_);
  EXPECT_EQ(std::count(names.begin(), names.end(), "x"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "shell"), 1);
}

TEST_F(ProfileFiles, FallBackToTheShippedOnes) {
  EXPECT_FALSE(lines(read_profile("shell", places_)).empty());
  Result<std::vector<Word>> missing = read_profile("shel", places_);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().how.find("shell"), std::string::npos);
  EXPECT_EQ(missing.error().code, Code::kBadProfile);
  EXPECT_FALSE(read_profile("../etc/passwd", places_));
  EXPECT_FALSE(read_profile("", places_));
}

TEST_F(ProfileFiles, ExtendTheirOwnNameBehindThem) {
  put("user/shell.toml", "extends = \"shell\"\nhostname = \"mine\"");
  put("etc/shell.toml", "extends = \"shell\"\nname = \"host\"");
  Lines words = lines(read_profile("shell", places_));
  EXPECT_EQ(words.back(), "hostname mine");
  EXPECT_EQ(std::count(words.begin(), words.end(), "name host"), 1);
  EXPECT_GT(words.size(), 3u) << "the shipped one's words are there too";
}

TEST_F(ProfileFiles, ExtendFilesBesideThem) {
  std::filesystem::create_directory(top_ + "/user/parts");
  put("user/parts/b.toml", "ro-bind = [\"./data:/data\"]");
  put("user/a.toml", "extends = [\"parts/b.toml\"]\nro-bind = [\"+./other:/other\"]");
  EXPECT_EQ(lines(read_profile("a", places_)), (Lines{"ro-bind " + top_ + "/user/parts/./data:/data",
                                                      "ro-bind " + top_ + "/user/./other:/other"}));
}

TEST_F(ProfileFiles, CirclesEnd) {
  put("user/a.toml", "extends = \"b\"");
  put("user/b.toml", "extends = \"a\"");
  Result<std::vector<Word>> words = read_profile("a", places_);
  ASSERT_FALSE(words);
  EXPECT_NE(words.error().why.find("itself"), std::string::npos);
  EXPECT_NE(words.error().origin.find("b.toml:1"), std::string::npos);
  put("user/c.toml", "extends = \"./c.toml\"");
  EXPECT_FALSE(read_profile("c", places_));
}

TEST_F(ProfileFiles, OfOthersAreRefused) {
  std::string path = put("user/x.toml", "hostname = \"x\"");
  ASSERT_EQ(::chmod(path.c_str(), 0646), 0);
  Result<std::vector<Word>> words = read_profile("x", places_);
  ASSERT_FALSE(words);
  EXPECT_NE(words.error().why.find("everybody"), std::string::npos);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_TRUE(read_profile("x", places_));
  // Made by somebody else: seen from another user's eyes when this one is not root.
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  } else {
    places_.uid = ::geteuid() + 1;
  }
  words = read_profile("x", places_);
  ASSERT_FALSE(words);
  EXPECT_NE(words.error().why.find("belongs"), std::string::npos);
}

TEST_F(ProfileFiles, ThatAreNoFilesAreRefused) {
  std::filesystem::create_directory(top_ + "/user/d.toml");
  EXPECT_FALSE(read_profile("d", places_));
  ASSERT_EQ(::mkfifo((top_ + "/user/f.toml").c_str(), 0644), 0);
  EXPECT_FALSE(read_profile("f", places_)) << "and it does not wait for a writer";
  std::filesystem::create_symlink("nowhere", top_ + "/user/l.toml");
  EXPECT_FALSE(read_profile(top_ + "/user/l.toml", places_));
}

// A project's file may name any path, and to open a device can do something already. Whoever waits to write to a FIFO sees
// that it was opened.
TEST_F(ProfileFiles, ThatAreNoFilesAreNotEvenOpened) {
  const std::string fifo = top_ + "/fifo.toml";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  put("project/immure.toml", "extends = [\"" + fifo + "\"]\n");
  pid_t writer = ::fork();
  if (writer == 0) ::_exit(::open(fifo.c_str(), O_WRONLY) >= 0 ? 0 : 1);
  ::usleep(100'000);
  EXPECT_FALSE(words_of_files({}, places_));
  ::usleep(100'000);
  int status = 0;
  EXPECT_EQ(::waitpid(writer, &status, WNOHANG), 0) << "it was opened";
  ::kill(writer, SIGKILL);
  ::waitpid(writer, &status, 0);
}

TEST_F(ProfileFiles, DefaultHoldsUnlessAProfileIsNamed) {
  EXPECT_TRUE(lines(all()).empty());
  put("etc/default.toml", "hostname = \"etc\"");
  EXPECT_EQ(lines(all()), (Lines{"hostname etc"}));
  put("user/a.toml", "hostname = \"a\"");
  put("user/b.toml", "name = \"b\"");
  EXPECT_EQ(lines(all({"a", "b"})), (Lines{"hostname a", "name b"}));
}

TEST_F(ProfileFiles, AProjectMayOnlyTighten) {
  put("project/immure.toml", "memory = \"64M\"\nhostname = \"proj\"\n[need]\ncgroup = \"require\"\n");
  EXPECT_EQ(lines(all()), (Lines{"memory 64M", "hostname proj", "need cgroup=require"}));

  for (const char* more :
       {"net = \"host\"", "ro-bind = \"/home/u/.ssh\"", "bind = \".\"", "memory = \"none\"",
        "keep-env = true", "cap-add = \"sys_admin\"", "seccomp = \"none\"", "pass-fd = [3]", "root = \".\"",
        "[weaken]\nptrace = true", "[need]\nseccomp = \"off\"", "[env]\nTOKEN = true", "extends = \"server\"",
        "as-root = true", "allow-syscall = [\"mount\"]"}) {
    put("project/immure.toml", std::string("\n") + more);
    Result<std::vector<Word>> words = all();
    ASSERT_FALSE(words) << more;
    EXPECT_EQ(words.error().code, Code::kLoosens) << more << "\n" << format(words.error());
    EXPECT_NE(words.error().origin.find(".toml:"), std::string::npos) << more << "\n"
                                                                      << format(words.error());
  }
}

TEST_F(ProfileFiles, AProjectThatStrangersMayWriteNamesItself) {
  put("project/immure.toml", "pids = 9");
  ::chmod((top_ + "/project/immure.toml").c_str(), 0666);
  Result<std::vector<Word>> words = all();
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().origin, places_.project);
}

TEST_F(ProfileFiles, AProjectIsComparedWithTheCommandLineToo) {
  std::string project = places_.cwd;
  put("project/immure.toml", "ro-bind = [\"./hooks:try:nofollow\"]");
  EXPECT_FALSE(all()) << "nothing of the outside was granted";
  std::vector<Word> grant = {word("bind", project)};
  EXPECT_EQ(lines(all({}, grant)), (Lines{"ro-bind " + project + "/./hooks:try:nofollow"}));
  put("project/immure.toml", "ro-bind = [\"./hooks:try\"]");
  EXPECT_FALSE(all({}, grant)) << "a link could lead elsewhere";
}

TEST_F(ProfileFiles, AProjectThatIsNamedIsTrusted) {
  put("project/immure.toml", "net = \"host\"");
  EXPECT_FALSE(all());
  EXPECT_EQ(lines(all({places_.project})), (Lines{"net host"}));
}

TEST_F(ProfileFiles, TheCommandLineHasTheLastWord) {
  put("etc/default.toml", "memory = \"1G\"\nbind = [\"/srv/a:/data\"]");
  put("project/immure.toml", "memory = \"512M\"");
  Jail jail;
  std::vector<Word> words = all({}, {word("memory", "2G")}).value();
  words.push_back(word("memory", "2G"));
  words.push_back(word("ro-bind", "/srv/b:/data"));
  for (const Word& each : words) ASSERT_TRUE(apply(jail, each));
  EXPECT_EQ(jail.spec.limits.memory, uint64_t{2} << 30);
  ASSERT_EQ(jail.spec.grants.size(), 1u);
  EXPECT_EQ(jail.spec.grants[0].source.value, "/srv/b");
}

TEST_F(ProfileFiles, PresenceIsSeenWithoutReading) {
  std::string old = std::filesystem::current_path();
  ASSERT_EQ(::chdir((top_ + "/project").c_str()), 0);
  ::setenv("XDG_CONFIG_HOME", (top_ + "/config").c_str(), 1);
  EXPECT_EQ(user_profile_folder(), top_ + "/config/immure");
  bool host = profile_file_exists("default");  // what this machine has below /etc and /usr/share
  EXPECT_EQ(profile_files_present(), host);
  std::filesystem::create_directories(top_ + "/config/immure");
  put("config/immure/shell.toml", "");
  EXPECT_TRUE(profile_file_exists("shell"));
  EXPECT_EQ(profile_files_present(), host);
  put("project/immure.toml", "");
  EXPECT_TRUE(profile_files_present());
  ::unlink("immure.toml");
  put("config/immure/default.toml", "");
  EXPECT_TRUE(profile_files_present());
  ::unsetenv("XDG_CONFIG_HOME");
  ASSERT_EQ(::chdir(old.c_str()), 0);
}

// ---- a jail as a profile again
// ------------------------------------------------------------------------------------

// Words of every sort, in forms that can be said.
std::vector<Word> some_words() {
  const std::vector<std::pair<const char*, std::vector<std::string>>> kSayable = {
      {"root", {"/r:oot"}},
      {"overlay", {"/", "/o:/o1", "/o:/o2:1G:exec"}},
      {"bind", {"/a", "/a:/b:try", "/with\\:colon:/c:exec:nofollow"}},
      {"ro-bind", {"/r", "/r:/s:nofollow"}},
      {"tmpfs", {"/t", "/t1:4097", "/t2:64M:exec"}},
      {"file", {"/f:/g"}},
      {"dir", {"/d"}},
      {"symlink", {"x:/l"}},
      {"dev", {"/dev/fuse", "/dev/kvm:try"}},
      {"user", {"7"}},
      {"group", {"8"}},
      {"uid-range", {"100"}},
      {"cap-add", {"kill", "63", "net_admin,chown"}},
      {"deny-syscall", {"mount", "@mount"}},
      {"seccomp", {"none", "/f.json"}},
      {"landlock", {"connect=none", "bind=1,2"}},
      {"need", {"lsm=require", "cgroup=off"}},
      {"weaken", {"ptrace", "tmp-exec"}},
      {"memory", {"1048577", "none", "1.5G"}},
      {"pids", {"17"}},
      {"cpus", {"0.125", "3"}},
      {"wall-time", {"1500ms", "none", "7us", "9ns"}},
      {"env", {"A=x\"y\\z\n", "BASH_FUNC_f%%=() { :; }", "E=", "U=ü"}},
      {"pass-env", {"T"}},
      {"keep-env", {"true"}},
      {"cwd", {"/w"}},
      {"fd", {"3=/x:ro", "4=/y\\:z:rw"}},
      {"pass-fd", {"9"}},
      {"tty", {"true", "false"}},
      {"net", {"host"}},
      {"hostname", {"h"}},
      {"clock-offset", {"+2h"}},
      {"name", {"n"}},
  };
  std::vector<Word> words;
  int line = 1;
  for (const auto& [option, values] : kSayable) {
    for (const std::string& value : values) {
      // Each from a file of its own: so nothing contradicts, the later one wins.
      std::string origin = "f" + std::to_string(line++) + ".toml:1:1";
      if (*rc::gen::arbitrary<bool>()) words.push_back({find_option(option), value, origin});
    }
  }
  return words;
}

Jail jail_of(const std::vector<Word>& words) {
  Jail jail;
  for (const Word& word : words) {
    Status applied = apply(jail, word);
    RC_ASSERT(applied.has_value());
  }
  return jail;
}

std::vector<Word> words_of(std::string text, bool json) {
  Result<Profile> profile = read_profile_text({std::move(text), "again", {}, {}, json});
  if (!profile) RC_FAIL(format(profile.error()));
  std::vector<Word> words;
  RC_ASSERT(apply_changes(words, *profile).has_value());
  return words;
}

RC_GTEST_PROP(Policy, ReadsBackAsTheSameJail, ()) {
  JailSpec spec = jail_of(some_words()).spec;
  Limits defaults = default_limits(uint64_t{4} << 30, 2);
  bool all = *rc::gen::arbitrary<bool>(), why = *rc::gen::arbitrary<bool>();
  const Limits* with = all ? &defaults : nullptr;
  std::string toml = policy_toml(spec, with, why);
  JailSpec again = jail_of(words_of(toml, false)).spec;
  // The same jail narrows and is narrowed, and prints the same.
  RC_ASSERT(only_narrows(spec, again, defaults).has_value());
  RC_ASSERT(only_narrows(again, spec, defaults).has_value());
  RC_ASSERT(policy_toml(again, with, false) == policy_toml(spec, with, false));
  std::string json = policy_json(spec, with, why);
  RC_ASSERT(json.starts_with("{\"schema\":\"immure-policy-1\",\"values\":"));
}

TEST(Policy, SaysWhereEachValueCameFrom) {
  Jail jail;
  auto say = [&](const char* option, const char* value, const char* origin) {
    Status applied = apply(jail, {find_option(option), value, origin});
    ASSERT_TRUE(applied) << format(applied.error());
  };
  say("ro-bind", "/a:/b:try", "shell.toml:3:1");
  say("memory", "1G", "argument 2 (--memory)");
  say("env", "A=1", "./immure.toml:2:1");
  EXPECT_EQ(policy_toml(jail.spec, nullptr, true),
            "ro-bind = [\n"
            "  \"/a:/b:try\",  # shell.toml:3:1\n"
            "]\n"
            "\n"
            "[limits]\n"
            "memory = \"1G\"  # argument 2 (--memory)\n"
            "\n"
            "[env]\n"
            "A = \"1\"  # ./immure.toml:2:1\n");
  Limits defaults = default_limits(uint64_t{4} << 30, 2);
  std::string whole = policy_toml(jail.spec, &defaults, true);
  EXPECT_NE(whole.find("net = \"none\"  # default\n"), std::string::npos);
  EXPECT_NE(whole.find("pids = \"512\"  # default\n"), std::string::npos);
  EXPECT_NE(whole.find("seccomp = \"require\"  # default\n"), std::string::npos);
  EXPECT_EQ(policy_json(jail.spec, nullptr, true),
            "{\"schema\":\"immure-policy-1\",\"values\":{\"ro-bind\":[\"/a:/"
            "b:try\"],\"limits\":{\"memory\":\"1G\"},"
            "\"env\":{\"A\":\"1\"}},\"origins\":{\"ro-bind\":[\"shell.toml:3:1\"],\"limits\":{\"memory\":"
            "\"argument 2 (--memory)\"},\"env\":{\"A\":\"./immure.toml:2:1\"}}}\n");
}

TEST(Policy, ALeadingSignIsNoListChange) {
  Jail jail;
  ASSERT_TRUE(apply(jail, {find_option("symlink"), "-x:/m", "f:1"}));
  EXPECT_EQ(policy_toml(jail.spec, nullptr, false), "symlink = [\n  \"./-x:/m\",\n]\n");
}

// The last rule that names the call; 0 when none does.
int word_about(const JailSpec& spec, std::string_view call) {
  int word = 0;
  for (const SyscallRule& rule : spec.syscalls) {
    const auto set = filter::named_set(rule.name);
    if (rule.name == call || (set && std::find(set->begin(), set->end(), call) != set->end())) word = rule.allow ? 1 : -1;
  }
  return word;
}

RC_GTEST_PROP(Policy, KeepsWhichRuleForACallHolds, ()) {
  const std::vector<std::string> names = {"@mount", "@keyring", "@module", "mount", "umount2", "keyctl", "bpf"};
  Jail jail;
  const int count = *rc::gen::inRange(0, 8);
  for (int i = 0; i < count; ++i) {
    const char* option = *rc::gen::arbitrary<bool>() ? "allow-syscall" : "deny-syscall";
    const std::string name = names[*rc::gen::inRange<size_t>(0, names.size())];
    RC_ASSERT(apply(jail, {find_option(option), name, "f" + std::to_string(i) + ".toml:1:1"}).has_value());
  }
  const JailSpec again = jail_of(words_of(policy_toml(jail.spec, nullptr, true), false)).spec;
  std::vector<std::string_view> calls(names.begin(), names.end());
  for (const std::string& name : names)
    if (const auto set = filter::named_set(name)) calls.insert(calls.end(), set->begin(), set->end());
  for (std::string_view call : calls)
    if (!call.starts_with('@')) RC_ASSERT(word_about(again, call) == word_about(jail.spec, call));
}

TEST(Policy, RulesThatTakeTurnsAreSaidCallByCall) {
  Jail jail;
  int line = 0;
  for (const auto& [option, name] : {std::pair("deny-syscall", "@keyring"), std::pair("allow-syscall", "keyctl"), std::pair("deny-syscall", "bpf")})
    ASSERT_TRUE(apply(jail, {find_option(option), name, "f:" + std::to_string(++line)}));
  EXPECT_EQ(policy_toml(jail.spec, nullptr, true),
            "deny-syscall = [\n"
            "  \"add_key\",  # f:1\n"
            "  \"bpf\",  # f:3\n"
            "  \"request_key\",  # f:1\n"
            "]\n"
            "allow-syscall = [\n"
            "  \"keyctl\",  # f:2\n"
            "]\n");
}

}  // namespace
}  // namespace immure

// From what was seen to what is granted: rules for names, secrets, calls; taking away.
#include <gmock/gmock.h>

#include <set>

#include "input/profile.h"
#include "learn/generalise.h"
#include "learn/minimise.h"
#include "learn/needs.h"
#include "learn/places.h"
#include "learn/rights.h"
#include "learn/tighten.h"
#include "rapidcheck/gtest.h"

namespace immure::learn {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

// A host in which everything is a file but these.
Surroundings host(std::set<std::string> folders) {
  Surroundings around;
  around.look = [folders = std::move(folders)](const std::string& path) -> Look {
    for (std::string_view name : secret_names())
      if (name_of(path) == name && path != "/srv/held/.env") return {};
    bool folder = path == "/" || path == "/srv" || path == "/etc" || path == "/var" || path == "/var/lib" ||
                  folders.contains(path);
    return {folder ? Look::Kind::Folder : Look::Kind::File, path};
  };
  return around;
}

void saw(Needs& needs, const char* path, uint32_t uses) { needs.add(Part::File, path, uses, 0, 1); }

std::vector<std::string> granted(const Rights& rights) {
  std::vector<std::string> out;
  for (const PathRight& one : rights.paths) out.push_back(one.path);
  return out;
}

struct Example {
  const char *rule, *name, *pattern;
};
constexpr Example kChanging[] = {
    {"library-version", "libssl.so.3.0.14", "libssl.so.*"},
    {"locale", "de_DE.UTF-8", "*"},
    {"hash", "index-4f9a0c1be2d3f4a5b6c7.db", "index-*.db"},
    {"date", "access-2026-11-22.log", "access-*.log"},
    {"date", "20261122.log", "*.log"},
    {"temporary", "tmp.Xk29aB", "tmp.*"},
    {"temporary", "cc4dR7pQ.o", "*.o"},
    {"number", "session-48213", "session-*"},
};
TEST(LearnGeneralise, EachRuleHasItsNames) {
  std::set<std::string> used;
  for (const Example& one : kChanging) {
    const NameRule* rule = changing_name(one.name);
    ASSERT_NE(rule, nullptr) << one.name;
    EXPECT_STREQ(rule->id, one.rule) << one.name;
    EXPECT_EQ(rule->pattern(one.name), one.pattern);
    EXPECT_GT(std::string_view(rule->reason).size(), 8U);
    used.insert(rule->id);
  }
  EXPECT_EQ(used.size(), 6U);
}
TEST(LearnGeneralise, OrdinaryNamesStay) {
  for (const char* name : {"nginx.conf", "python3.11", "libc.so.6x", "site-packages", "x264", "README",
                           "gcc-12", "sha256sum", "passwd", "de", "en", "my.cnf", "mime.types", "utf8mb4.xml",
                           "node_modules", "JavaScript", "e2fsck.conf"})
    EXPECT_EQ(changing_name(name), nullptr) << name;
}

TEST(LearnGeneralise, ChangingNamesGiveTheirFolder) {
  auto all = generalise({"/srv/app/cache/tmp.Xk29aB", "/srv/app/main.conf"});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].path, "/srv/app/cache");
  EXPECT_TRUE(all[0].folder);
  EXPECT_EQ(all[0].pattern, "tmp.*");
  EXPECT_THAT(all[0].why, HasSubstr("random"));
  EXPECT_EQ(all[1].path, "/srv/app/main.conf");
  EXPECT_FALSE(all[1].folder);
}
TEST(LearnGeneralise, AFolderWithAChangingNameBelowOneThatIsTooWideStays) {
  auto all = generalise({"/tmp/work-a1lb0pk2/conf", "/tmp/work-a1lb0pk2/logs/2026-11-22.log"});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].path, "/tmp/work-a1lb0pk2/conf");
  EXPECT_EQ(all[1].path, "/tmp/work-a1lb0pk2/logs");
}
TEST(LearnGeneralise, ManyNamesGiveTheirFolderUnlessItIsTooWideOrHoldsASecret) {
  auto many = [](const std::string& folder) {
    return generalise({folder + "/a", folder + "/b", folder + "/c", folder + "/d"});
  };
  EXPECT_EQ(many("/srv/app").size(), 1U);
  EXPECT_EQ(many("/etc").size(), 4U);
  EXPECT_EQ(many("/home/u").size(), 4U);
  EXPECT_EQ(many("/home/u/.ssh").size(), 4U);
}
TEST(LearnGeneralise, ClimbingTwoSegmentsIsSaid) {
  auto all = generalise({"/srv/app/2026-11-22/a/b.txt"});
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].path, "/srv/app");
  EXPECT_GE(all[0].climbed, 2U);
  EXPECT_THAT(all[0].why, HasSubstr("segments above"));
}

RC_GTEST_PROP(LearnGeneralise, EveryPathIsCoveredAndNothingWideIsGranted, ()) {
  auto name = rc::gen::elementOf(std::vector<std::string>{"etc", "srv", "home", "u", "app", "tmp.Xk29aB", "a",
                                                          "b", "c", "d-1", "2026-11-22", "libx.so.1.2", "var",
                                                          "lib", ".ssh", "id_rsa"});
  auto paths = *rc::gen::container<std::set<std::string>>(rc::gen::map(
      rc::gen::container<std::vector<std::string>>(name), [](const std::vector<std::string>& parts) {
        std::string path = "/x";
        for (const std::string& part : parts) path += "/" + part;
        return path.substr(parts.empty() ? 0 : 2);
      }));
  auto all = generalise({paths.begin(), paths.end()});
  for (const std::string& path : paths) {
    bool covered = false;
    for (const Generalised& one : all)
      covered = covered || one.path == path || (one.folder && below(path, one.path));
    RC_ASSERT(covered);
  }
  for (const Generalised& one : all) {
    RC_ASSERT(!one.folder || !too_wide(one.path));
    RC_ASSERT(!one.folder || one.climbed < 2 || one.why.find("segments above") != std::string::npos);
  }
}

TEST(LearnRights, SecretsAreAskedAboutAndNeverGranted) {
  constexpr const char* kSecret[] = {"/etc/shadow",   "/home/u/.ssh/id_ed25519",   "/root/.aws/credentials",
                                     "/srv/app/.env", "/etc/ssh/ssh_host_rsa_key", "/home/u/.bash_history"};
  Needs needs;
  for (const char* path : kSecret) saw(needs, path, kRead | kWorked);
  for (const char* path : {"/srv/app/a", "/srv/app/b", "/srv/app/c", "/srv/app/d"})
    saw(needs, path, kRead | kWorked);
  Rights rights = rights_of(needs, host({"/srv/app"}));
  EXPECT_EQ(rights.questions.size(), std::size(kSecret));
  for (const PathRight& one : rights.paths)
    for (const char* path : kSecret) EXPECT_FALSE(below(path, one.path)) << one.path;
}

TEST(LearnRights, ASecretBehindALinkIsOne) {
  Needs needs;
  needs.cwd = "/srv/desk";
  saw(needs, "/srv/desk/link", kRead | kWorked);
  saw(needs, "/srv/desk/../../etc/shadow", kRead | kWorked);
  Surroundings around = host({"/srv/desk"});
  around.look = [plain = around.look](const std::string& path) -> Look {
    if (path == "/srv/desk/link") return {Look::Kind::File, "/srv/other/.ssh/id_rsa"};
    if (path == "/srv/desk/../../etc/shadow") return {Look::Kind::File, "/etc/shadow"};
    return plain(path);
  };
  const Rights rights = rights_of(needs, around);
  for (const PathRight& one : rights.paths) {
    EXPECT_THAT(one.path, Not(HasSubstr("id_rsa")));
    EXPECT_THAT(one.path, Not(HasSubstr("shadow")));
  }
  EXPECT_EQ(rights.questions.size(), 2U);
}
TEST(LearnRights, AListedFolderWithASecretIsNotGrantedAsAWhole) {
  Needs needs;
  needs.cwd = "/srv/desk";
  saw(needs, "/srv/held", kRead | kFolder | kWorked);
  saw(needs, "/srv/held/a", kRead | kWorked);
  saw(needs, "/srv/held/b", kRead | kWorked);
  saw(needs, "/srv/held/c", kRead | kWorked);
  saw(needs, "/srv/held/d", kRead | kWorked);
  const Rights rights = rights_of(needs, host({"/srv/desk", "/srv/held"}));
  EXPECT_THAT(granted(rights), Not(Contains("/srv/held")));
  EXPECT_THAT(granted(rights), Contains("/srv/held/a"));
}
TEST(LearnRights, AFolderThatIsWrittenAndHoldsASecretIsSaid) {
  Needs needs;
  saw(needs, "/srv/held/out", kWritten | kMade | kWorked);
  Rights rights = rights_of(needs, host({"/srv/held"}));
  EXPECT_THAT(rights.questions, Contains(Field(&Question::about, HasSubstr("/srv/held/.env"))));
}

TEST(LearnRights, WhatTheJailGivesAndWhatIsNotThereIsNotGranted) {
  Needs needs;
  saw(needs, "/usr/lib/x.so", kRead | kWorked);
  saw(needs, "/proc/self/status", kRead | kWorked);
  saw(needs, "/etc/passwd", kRead | kWorked);
  saw(needs, "/etc/app.conf", kRead | kWorked);
  saw(needs, "/etc/none.conf", kRead | kMissing);
  saw(needs, "/etc/looked", kLooked | kWorked);
  Rights rights = rights_of(needs, host({}));
  EXPECT_THAT(granted(rights), testing::ElementsAre("/etc/app.conf"));
}

TEST(LearnRights, WritesAreThrownAwayUnlessTheyAreToStay) {
  Needs needs;
  saw(needs, "/var/lib/app/db", kWritten | kMade | kWorked);
  saw(needs, "/var/lib/app/conf", kRead | kWorked);
  saw(needs, "/run/app.pid", kWritten | kMade | kWorked);
  saw(needs, "/tmp/x", kWritten | kMade | kWorked);
  Surroundings around = host({"/var/lib/app"});
  Rights rights = rights_of(needs, around);
  ASSERT_THAT(granted(rights), testing::ElementsAre("/run", "/var/lib/app"));
  EXPECT_EQ(rights.paths[0].access, PathRight::Access::Memory);
  EXPECT_EQ(rights.paths[1].access, PathRight::Access::Discard);
  around.keep_writes = true;
  EXPECT_EQ(rights_of(needs, around).paths[1].access, PathRight::Access::Write);
}

TEST(LearnRights, AFolderThatHoldsTooMuchIsNotWritable) {
  Needs needs;
  saw(needs, "/etc/new", kWritten | kMade | kWorked);
  Rights rights = rights_of(needs, host({}));
  EXPECT_TRUE(rights.paths.empty());
  ASSERT_EQ(rights.questions.size(), 1U);
  EXPECT_THAT(rights.questions[0].about, HasSubstr("/etc/new"));
}

TEST(LearnRights, CallsAreWhatWasCalledAndTheConstantOnes) {
  Needs needs;
  needs.add(Part::Call, "epoll_wait", kWorked, 0, 1);
  needs.add(Part::Call, "mount", kDenied, 0, 2);
  needs.add(Part::Call, "io_setup", kWorked, 0, 3);
  Rights rights = rights_of(needs, host({}));
  EXPECT_THAT(rights.calls, Contains("epoll_wait"));
  EXPECT_THAT(rights.calls, Contains("exit_group"));
  EXPECT_THAT(rights.calls, Not(Contains("mount")));
  EXPECT_THAT(rights.opened, testing::ElementsAre("io_setup"));
  EXPECT_THAT(rights.closed, Contains("listen"));
  EXPECT_THAT(rights.closed, Not(Contains("epoll_wait")));
  EXPECT_THAT(rights.questions, Contains(Field(&Question::about, HasSubstr("mount"))));
  EXPECT_TRUE(opens_itself("io_setup"));
  EXPECT_FALSE(opens_itself("mount"));
}

TEST(LearnRights, NoNetworkUnlessTheRunsHadIt) {
  Needs needs;
  needs.add(Part::Address, "connect tcp 443 192.0.2.1", kWorked, 0, 1);
  needs.add(Part::Address, "bind tcp 8080 0.0.0.0", kWorked, 0, 2);
  Rights without = rights_of(needs, host({}));
  EXPECT_FALSE(without.network);
  EXPECT_THAT(without.questions, Contains(Field(&Question::about, HasSubstr("192.0.2.1"))));
  needs.net = true;
  Rights with = rights_of(needs, host({}));
  EXPECT_TRUE(with.network);
  EXPECT_THAT(with.connect, testing::ElementsAre(443));
  EXPECT_THAT(with.bind, testing::ElementsAre(8080));
}

TEST(LearnRights, ACapabilityIsGrantedWhenItWasSurelyUsed) {
  Needs needs;
  needs.add(Part::Capability, "sys_chroot", kWorked | kSure, 0, 1);
  needs.add(Part::Capability, "chown", kRefused, 0, 1);
  Rights rights = rights_of(needs, host({}));
  EXPECT_THAT(rights.capabilities, testing::ElementsAre("sys_chroot"));
  EXPECT_THAT(rights.questions, Contains(Field(&Question::answer, "cap-add = [\"chown\"]")));
}

TEST(LearnRights, TheDefaultFiltersCallsHaveNames) {
  std::vector<std::string> all = default_calls();
  EXPECT_GT(all.size(), 200U);
  for (const std::string& name : all) EXPECT_FALSE(name.empty());
  for (std::string_view call : constant_calls()) EXPECT_THAT(all, Contains(call));
}

RC_GTEST_PROP(LearnMinimise, WhatIsLeftPassesAndNothingOfItCanBeMissed, ()) {
  auto groups = *rc::gen::nonEmpty(rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(1, 9)));
  size_t count = 0;
  for (size_t size : groups) count += size;
  auto needed = *rc::gen::container<std::vector<bool>>(count, rc::gen::arbitrary<bool>());
  auto passes = [&](const std::vector<bool>& kept) -> Result<bool> {
    for (size_t i = 0; i < count; ++i)
      if (needed[i] && !kept[i]) return false;
    return true;
  };
  auto found = minimise(groups, passes, 100'000);
  RC_ASSERT(found.has_value());
  RC_ASSERT(found->kept == needed);
  RC_ASSERT(found->whole);
}
TEST(LearnMinimise, ARightThatOnlyAnotherNeededGoesWithIt) {
  // 0 needs 1; nothing needs 0.
  auto passes = [](const std::vector<bool>& kept) -> Result<bool> { return !kept[0] || kept[1]; };
  size_t groups[] = {1, 1};
  auto found = minimise(groups, passes, 100);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->kept, testing::ElementsAre(false, false));
}
TEST(LearnMinimise, AProfileThatDoesNotPassIsAnErrorAndTrialsHaveAnEnd) {
  size_t groups[] = {64};
  EXPECT_FALSE(minimise(
                   groups, [](const std::vector<bool>&) -> Result<bool> { return false; }, 100)
                   .has_value());
  auto odd = [](const std::vector<bool>& kept) -> Result<bool> {
    for (size_t i = 1; i < kept.size(); i += 2)
      if (!kept[i]) return false;
    return true;
  };
  auto found = minimise(groups, odd, 10);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->whole);
  EXPECT_LE(found->trials, 10U);
  EXPECT_TRUE(*odd(found->kept));
}

Jail jail_of(const std::string& toml) {
  auto profile = read_profile_text({toml, "test.toml", "", "/home/u", false});
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : format(profile.error()));
  std::vector<Word> words;
  EXPECT_TRUE(apply_changes(words, *profile).has_value());
  Jail jail;
  for (const Word& word : words) EXPECT_TRUE(apply(jail, word).has_value());
  return jail;
}

TEST(LearnTighten, WhatWasNotUsedIsTold) {
  Jail jail = jail_of(
      "ro-bind = [\"/srv/used\", \"/srv/unused\"]\nbind = [\"/srv/read\"]\ncap-add = [\"sys_chroot\", \"chown\"]\n"
      "allow-syscall = [\"chroot\", \"ptrace\"]\nnet = \"host\"\n[limits]\npids = 4096\n[weaken]\ncompat32 = true\n");
  Needs needs;
  saw(needs, "/srv/used/a", kRead | kWorked);
  saw(needs, "/srv/read/a", kRead | kWorked);
  needs.add(Part::Capability, "sys_chroot", kWorked | kSure, 0, 1);
  needs.add(Part::Call, "chroot", kWorked, 0, 1);
  needs.peaks.processes = 3;
  auto found = tighten(jail.spec, needs);
  ASSERT_TRUE(found);
  std::vector<std::string> rights;
  for (const Unused& one : found->unused) rights.push_back(one.right);
  EXPECT_THAT(rights,
              testing::UnorderedElementsAre("ro-bind /srv/unused", "bind /srv/read", "allow-syscall ptrace",
                                            "cap-add chown", "net host", "pids 4096", "weaken compat32"));
  EXPECT_THAT(found->calls, Contains("listen"));
  EXPECT_THAT(found->calls, Not(Contains("chroot")));
  EXPECT_THAT(found->calls, Not(Contains("exit_group")));
  EXPECT_GT(found->calls_allowed, found->calls.size());
}

}  // namespace
}  // namespace immure::learn

// How `immure audit` reads its arguments, what it tells a person, and its rules beside the attacks of prove.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "audit/baseline.h"
#include "audit/report.h"
#include "audit_made_up.h"
#include "base/text.h"
#include "cli/audit_calendar.h"
#include "cli/audit_fix.h"
#include "cli/audit_prove.h"
#include "cli/audit_targets.h"
#include "cli/audit_text.h"
#include "cli/audit_words.h"
#include "cli/verbs.h"
#include "documents.h"
#include "probes/probe.h"
#include "prove_made_up.h"

namespace immure::cli {
namespace {

using audit::Severity;
using documents::times;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Result<AuditWish> wish_of(std::vector<std::string> words) {
  static std::vector<std::vector<std::string>> kept;  // flags point into the words
  kept.push_back(std::move(words));
  std::vector<char*> pointers;
  for (std::string& word : kept.back()) pointers.push_back(word.data());
  return read_audit_wish(pointers);
}

std::string a_rule() { return audit::all_rules().front()->id; }
std::string another_rule() { return audit::all_rules().back()->id; }

TEST(AuditWords, AreRead) {
  auto wish = wish_of({"/srv/jail",
                       "--pid",
                       "4711",
                       "--host",
                       "--only",
                       a_rule() + ", " + another_rule(),
                       "--skip=" + a_rule(),
                       "--fail-on",
                       "high",
                       "--suppress",
                       "s.toml",
                       "--baseline=b.json",
                       "--html",
                       "-",
                       "--sarif",
                       "s",
                       "--junit=j",
                       "-v",
                       "--prove",
                       "--find-links",
                       "--no-colour"});
  ASSERT_TRUE(wish) << wish.error().what;
  ASSERT_EQ(wish->targets.size(), 3u);
  EXPECT_EQ(wish->targets[0].flag, "--pid");
  EXPECT_EQ(wish->targets[0].value, "4711");
  EXPECT_EQ(wish->targets[2].flag, "");
  EXPECT_EQ(wish->targets[2].value, "/srv/jail");
  EXPECT_THAT(wish->only, ElementsAre(a_rule(), another_rule()));
  EXPECT_THAT(wish->skip, ElementsAre(a_rule()));
  EXPECT_EQ(wish->fail_on, Severity::High);
  EXPECT_EQ(wish->suppress, "s.toml");
  EXPECT_EQ(wish->baseline, "b.json");
  EXPECT_TRUE(wish->verbose && wish->prove && wish->find_links && !wish->colour && !wish->never_fail);
  EXPECT_TRUE(wish->has_document());
  EXPECT_TRUE(wish_of({"--host", "--fail-on", "never"})->never_fail);
  EXPECT_EQ(wish_of({"--host"})->fail_on, Severity::Medium);
  EXPECT_TRUE(wish_of({"--list"}));
}

TEST(AuditWords, WhatIsWrongIsToldWithTheNearest) {
  struct Case {
    std::vector<std::string> words;
    const char *part, *how;
  };
  const std::string near = "did you mean " + a_rule() + "?";
  for (const Case& one : {
           Case{{}, "needs something to audit", "immure help audit"},
           Case{{"--jsno"}, "does not know '--jsno'", "did you mean --json?"},
           Case{{"--pid"}, "--pid needs a value", ""},
           Case{{"--host", "--fail-on", "hgih"}, "'hgih' is no severity", "did you mean high?"},
           Case{{"--host", "--only", a_rule() + "x"}, "there is no rule", near.c_str()},
           Case{{"--host", "--skip", a_rule() + "x"}, "there is no rule", near.c_str()},
           Case{{"--host", "--only", ""}, "--only needs a value", ""},
           Case{{"--host", "--html", "a", "--html", "b"}, "--html is said twice", ""},
           Case{{"--host", "--json", "--html", "-"}, "standard output is asked for twice", ""},
           Case{{"--host", "--sarif", "a", "--junit", "a"}, "name the same file", ""},
       }) {
    auto wish = wish_of(one.words);
    ASSERT_FALSE(wish) << one.part;
    EXPECT_EQ(wish.error().code, Code::kUsage);
    EXPECT_THAT(wish.error().what, HasSubstr(one.part));
    EXPECT_THAT(wish.error().how, HasSubstr(one.how));
  }
}

TEST(AuditWords, ChooseRules) {
  const std::vector<const audit::Rule*> all = audit::all_rules();
  EXPECT_EQ(chosen_rules({}, all), all);
  AuditWish wish;
  wish.only = {a_rule(), another_rule()};
  wish.skip = {a_rule()};
  EXPECT_THAT(chosen_rules(wish, all), ElementsAre(all.back()));
}

// Completion and the help of verbs read the row of the table.
TEST(AuditWords, TheVerbsRowHasEachFlag) {
  const Verb* verb = find_verb("audit");
  ASSERT_NE(verb, nullptr);
  std::vector<std::string_view> row = split(verb->flags, ' '), flags = audit_flags();
  std::sort(row.begin(), row.end());
  std::sort(flags.begin(), flags.end());
  EXPECT_EQ(row, flags);
  for (std::string_view list : {verb->file_flags, verb->value_flags})
    for (std::string_view flag : split(list, ' '))
      EXPECT_NE(std::find(flags.begin(), flags.end(), flag), flags.end()) << flag;
}

TEST(AuditTargets, OnePartOfAJailIsLookedAtOnce) {
  auto gathered = [](std::vector<std::string> words) {
    std::vector<std::string> notes;
    return gather(*wish_of(std::move(words)), notes);
  };
  for (const auto& words :
       {std::vector<std::string>{"/tmp", "/usr"}, {"--pid", "self", "--pid", "self"}, {"--host", "--host"}}) {
    auto out = gathered(words);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Code::kUsage);
    EXPECT_THAT(out.error().what, HasSubstr("are the same part of a jail"));
  }
  EXPECT_EQ(gathered({"/proc/self/none"}).error().code, Code::kBadRoot);
  EXPECT_EQ(gathered({"no-such-jail"}).error().code, Code::kNoJail);
  EXPECT_EQ(gathered({"--pid", "x"}).error().code, Code::kUsage);
  auto own = gathered({"--host", "--pid", "self"});
  ASSERT_TRUE(own) << own.error().what;
  ASSERT_EQ(own->size(), 1u);
  EXPECT_EQ(own->front().target.kind, "process, host");
  EXPECT_THAT(own->front().target.name, testing::ContainsRegex("^[0-9]+ \\(.*, this host$"));
  EXPECT_THAT(own->front().target.same, Not(HasSubstr("(")));
  EXPECT_EQ(own->front().target.pid, getpid());
  EXPECT_NE(own->front().facts(0).live, nullptr);
  EXPECT_NE(own->front().facts(0).host, nullptr);
  EXPECT_EQ(own->front().facts(0).tree, nullptr);
}

// ---- what a person is told

audit::Audits made_up(const std::string& words = "words") {
  return audit::one_audit(audit::some_of_each(words));
}

TEST(AuditText, IsShortAndTheWorstFirst) {
  const std::string text = audit_text(made_up(), {});
  EXPECT_THAT(text, HasSubstr("Found: 1 critical, 5 high, 1 medium, 1 advice, by 4 rules"));
  EXPECT_THAT(text, HasSubstr("Not looked at: 1 rule"));
  EXPECT_THAT(text, HasSubstr("/usr/bin/words2 and 2 more"));
  EXPECT_THAT(text, HasSubstr("fix (of the first): chmod u-s,g-s /srv/jail/usr/bin/words0\n"));
  EXPECT_LT(text.find("Isolation"), text.find("Privilege"));
  EXPECT_LT(text.find("Privilege"), text.find("Monitoring"));
  EXPECT_LT(text.find("[made-door]"), text.find("[made-keys]"));
  EXPECT_EQ(times(text, "[made-bits]"), 1u) << "what is alike is told once";
  EXPECT_THAT(text, Not(HasSubstr("It gives what a test needs.")));
}

TEST(AuditText, WithVHasEachPlaceItsEvidenceAndEachPoint) {
  const std::string text = audit_text(made_up(), {.colour = false, .verbose = true});
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(text, HasSubstr("at: /usr/bin/words" + std::to_string(i) + ": mode 04755, words\n"));
  EXPECT_EQ(times(text, "fix: chmod"), 8u);
  EXPECT_EQ(times(text, "It gives what a test needs."), 4u);
  EXPECT_THAT(text, HasSubstr("not readable: words: made-mute"));
  for (int i = 0; i < audit::kPointCount; ++i)
    EXPECT_THAT(text, HasSubstr(key(static_cast<audit::Point>(i)))) << i;
}

TEST(AuditText, NothingOfAJailWritesToTheTerminal) {
  audit::Audits many = made_up(audit::kHostile);
  many.all.push_back(many.all.front());
  for (const audit::Audits& audits : {made_up(audit::kHostile), many})
    for (const bool verbose : {false, true}) {
      const std::string text = audit_text(audits, {.colour = false, .verbose = verbose});
      for (std::string_view line : split(text, '\n')) EXPECT_EQ(printable(line), line);
    }
}

TEST(AuditText, AnEscapeAndWhoPredictedIt) {
  audit::Audits audits = made_up();
  audits.all[0].battery = audit::Battery{
      "pid 4711", 9, 7, 0, 0, true, {{"one-attack", "x", "a technique", {}}, {"other", "x", "another", {}}},
      {}};
  foretell(*audits.all[0].battery, audits.all[0].answers.findings());
  const std::string text = audit_text(audits, {});
  EXPECT_THAT(text, HasSubstr(": 0 of 100"));
  EXPECT_THAT(text, HasSubstr("ESCAPED   one-attack: a technique\n            as made-bits, made-keys"));
  EXPECT_THAT(text, HasSubstr("no finding predicted it"));
}

// Who makes every look wait is not shown as one in whom nothing was found.
TEST(AuditText, AJailThatCouldNotBeLookedAtIsNoGoodOne) {
  audit::Audits audits = made_up("a");
  audit::Audit unseen;
  unseen.target.kind = "process";
  unseen.target.name = "4711";
  unseen.target.unseen = true;
  unseen.target.notes = {"reading it took longer than 5 s"};
  audits.all.push_back(unseen);
  const std::string text = audit_text(audits, {.colour = true});
  EXPECT_THAT(text, HasSubstr("could not be looked at"));
  EXPECT_THAT(text, HasSubstr("longer than 5 s"));
  EXPECT_THAT(text, Not(HasSubstr("nothing")));
}

TEST(AuditText, OfManyJailsALineEach) {
  audit::Audits audits = made_up("a");
  audits.all.push_back(made_up("b").all[0]);
  const std::string text = audit_text(audits, {});
  EXPECT_THAT(text, HasSubstr("2 jails\n"));
  EXPECT_EQ(times(text, "1 critical, 5 high"), 2u);
  EXPECT_EQ(times(text, "[made-bits]"), 1u);
  EXPECT_THAT(text, HasSubstr("in: /srv/a, /srv/b"));
  EXPECT_THAT(audit_text({}, {}), HasSubstr("No process here is in a jail."));
}

// ---- beside the attacks

TEST(AuditRules, PredictAttacksThatThereAre) {
  for (const audit::Rule* rule : audit::all_rules())
    for (std::string_view word : split(rule->predicts, ' ')) {
      if (word.empty()) continue;
      bool known = probes::find(std::string(word).c_str()) != nullptr;
      for (int c = 0; c < probes::kCategoryCount; ++c)
        known = known || word == probes::key(static_cast<probes::Category>(c));
      EXPECT_TRUE(known) << rule->id << " predicts " << word;
    }
}

TEST(AuditBattery, IsWhatTheVerdictsCameTo) {
  const audit::Battery battery = battery_of(prove::one_of_each(), "pid 7");
  EXPECT_EQ(battery.attacks, 5u);
  EXPECT_EQ(battery.blocked, 1u);
  EXPECT_EQ(battery.exposed, 1u);
  ASSERT_EQ(battery.exposed_ids.size(), 1u);
  EXPECT_EQ(battery.unsure, 1u);
  EXPECT_TRUE(battery.shows_something);
  ASSERT_EQ(battery.escaped.size(), 1u);
  EXPECT_EQ(battery.escaped[0].id, "two");
  EXPECT_EQ(battery.escaped[0].category, "root");
  prove::Verdicts none = prove::one_of_each();
  none.all.erase(none.all.begin());
  EXPECT_FALSE(battery_of(none, "x").shows_something);
}

TEST(AuditBattery, NeedsAJail) {
  std::vector<std::string> notes;
  auto host = gather(*wish_of({"--host"}), notes);
  ASSERT_TRUE(host);
  auto battery = run_battery(host->front());
  ASSERT_FALSE(battery);
  EXPECT_THAT(battery.error().what, HasSubstr("nothing to attack"));
}

// A host is no jail: what is said of it alone has no score, in no report.
TEST(AuditText, AHostAloneHasNoScore) {
  std::vector<std::string> notes;
  auto gathered = gather(*wish_of({"--host"}), notes);
  ASSERT_TRUE(gathered);
  audit::Audit host;
  host.target = gathered->front().target;
  host.asked = audit::askable(gathered->front().facts(0));
  host.answers = audit::ask(gathered->front().facts(0));
  const audit::Audits audits = audit::one_audit(host);
  const std::string text = audit_text(audits, {});
  EXPECT_THAT(text, HasSubstr("Score: none"));
  EXPECT_THAT(text, Not(HasSubstr("of 100")));
  EXPECT_THAT(audit::report_json(audits), Not(HasSubstr("\"score\"")));
  EXPECT_THAT(audit::report_html(audits), Not(HasSubstr("of 100")));
  EXPECT_THAT(audit::report_sarif(audits), Not(HasSubstr("score of")));
  const audit::Baseline baseline = audit::as_baseline(audits);
  EXPECT_FALSE(baseline.jails.front().score);
  auto read = audit::read_baseline(audit::report_json(audits), "b");
  ASSERT_TRUE(read);
  EXPECT_THAT(audit::compare(*read, baseline).scores, IsEmpty());
  // Beside a jail it is a part of that jail.
  host.target.kind = "root, host";
  EXPECT_THAT(audit_text(audit::one_audit(host), {}), HasSubstr("of 100"));
}

// Between the look and the mending somebody exchanges the folder: what lies there now was not looked at.
TEST(AuditFix, AFolderThatWasExchangedIsNotMended) {
  namespace fs = std::filesystem;
  std::string top = fs::temp_directory_path() / "immure-fix-XXXXXX";
  ASSERT_NE(mkdtemp(top.data()), nullptr);
  for (const char* name : {"/jail", "/other"}) {
    fs::create_directories(top + name + "/bin");
    std::ofstream(top + name + "/bin/tool") << "x";
    fs::permissions(top + name + "/bin/tool", fs::perms{04755});
  }
  const auto mended = [&](const char* name) {
    return (fs::status(top + name + "/bin/tool").permissions() & fs::perms::set_uid) == fs::perms::none;
  };
  const AuditWish wish = *wish_of({top + "/jail", "--fix", "--yes", "--fail-on", "never"});
  const auto look = [&]() -> Result<audit::Audits> {
    std::vector<std::string> notes;
    auto jails = gather(wish, notes);
    if (!jails) return tl::unexpected<Error>(std::move(jails.error()));
    audit::Audit one;
    one.target = jails->front().target;
    one.asked = audit::askable(jails->front().facts(time(nullptr)));
    one.answers = audit::ask(jails->front().facts(time(nullptr)));
    return audit::one_audit(std::move(one));
  };
  const auto swap = [&] {
    ASSERT_EQ(
        renameat2(AT_FDCWD, (top + "/jail").c_str(), AT_FDCWD, (top + "/other").c_str(), RENAME_EXCHANGE), 0);
  };
  for (const bool before : {false, true}) {
    bool first = true;  // it looks again afterwards
    auto done = fix_tree(wish, [&] {
      if (before && first) swap();
      auto seen = look();
      if (!before && first) swap();
      first = false;
      return seen;
    });
    if (before) {
      // The look was of the other one, which the name leads to; what was held is not that.
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, Code::kBadRoot);
      EXPECT_THAT(done.error().what, HasSubstr("not the folder any more"));
      EXPECT_FALSE(mended("/jail"));
      EXPECT_FALSE(mended("/other"));
    } else {
      // What was looked at is held, and is mended wherever its name is now.
      EXPECT_TRUE(done);
      EXPECT_FALSE(mended("/jail"));
      EXPECT_TRUE(mended("/other"));
      fs::permissions(top + "/other/bin/tool", fs::perms{04755});
      swap();
    }
  }
  fs::remove_all(top);
}

TEST(AuditTimer, SchedulesThatAreNone) {
  const char* good[] = {"daily",           "weekly",          "Sat 04:00",
                        "Mon *-*-* 03:00", "*-*-01 03:30:00", "Mon..Fri,Sun 10:00",
                        "*:0/15",          "2026-12-01",      "hourly UTC",
                        "@1700000000",     "monday 4:5",      "*-*~01 01:00 Europe/Berlin"};
  const char* bad[] = {"",
                       "never",
                       "x",
                       "Sat 04:00\nOnBootSec=1",
                       "%h",
                       "daily; rm -rf /",
                       "Foo 04:00",
                       "tomorrow at",
                       "Mon *-*-* 03:00 `id`",
                       "Caturday 1:00",
                       "\\x41",
                       "Europe/Berlin"};
  for (const char* one : good) EXPECT_TRUE(may_be_calendar(one)) << one;
  for (const char* one : bad) EXPECT_FALSE(may_be_calendar(one)) << one;
  const std::string program = "/usr/bin/systemd-analyze";
  if (access(program.c_str(), X_OK) != 0)
    GTEST_SKIP() << "systemd-analyze is not installed: systemd was not asked";
  bool asked = false;
  // What is refused where systemd cannot be asked is none to systemd either, and the other way round.
  for (const char* one : good) EXPECT_TRUE(systemd_takes(program, one, asked) && asked) << one;
  for (const char* one : bad) EXPECT_FALSE(systemd_takes(program, one, asked)) << one;
  EXPECT_TRUE(asked);
  EXPECT_TRUE(check_calendar("Sat 04:00"));
  // Well formed, and yet none: that takes systemd.
  EXPECT_TRUE(may_be_calendar("25:61"));
  auto wrong = check_calendar("25:61");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kBadValue);
  EXPECT_EQ(wrong.error().origin, "--on-calendar");
  EXPECT_FALSE(systemd_takes("/nonexistent/systemd-analyze", "daily", asked));
  EXPECT_FALSE(asked);
}

}  // namespace
}  // namespace immure::cli

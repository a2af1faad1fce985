// Reports of made-up findings: their shape, that they agree, and that a jail's words stay words in all of
// them.
#include <gmock/gmock.h>

#include "audit/pictures.h"
#include "audit/report.h"
#include "audit_made_up.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "documents.h"

namespace immure::audit {
namespace {

using documents::Json;
using documents::markup_fault;
using documents::schema_faults;
using documents::times;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// ---- words that all of them share

TEST(ShellWord, IsOneWordWhateverIsInIt) {
  EXPECT_EQ(shell_word("/usr/bin/su"), "/usr/bin/su");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$(rm -rf x);`y`"), "'$(rm -rf x);`y`'");
  EXPECT_EQ(shell_word("-rf"), "'-rf'");
  EXPECT_EQ(shell_word("~"), "'~'");
  EXPECT_EQ(shell_word("a\nb'\\\x1b\xff"), "$'a\\012b\\047\\134\\033\\377'");
}

// What bash makes of it is the name itself, byte by byte.
TEST(ShellWord, IsReadBackByAShell) {
  for (const std::string& name :
       {kHostile, std::string("a'b\"c"), std::string("\x01\x7f\x80 end"), std::string("$HOME `x` \\")}) {
    const std::string command = "printf %s " + shell_word(name);
    ASSERT_EQ(printable(command), command);
    const std::string script = "bash -c " + immure::quoted(command);
    FILE* pipe = popen(script.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string out(4096, '\0');
    out.resize(fread(out.data(), 1, out.size(), pipe));
    pclose(pipe);
    EXPECT_EQ(out, name);
  }
}

TEST(FixCommand, NamesThePlaceAndNothingElse) {
  Rule rule = made_up("x", Severity::Low, Point::Leaks);
  rule.fix = "chmod {value} {path}; kill {pid}; echo {other}";
  Finding finding{&rule, Severity::Low, "/in side", "/out/in side", "e", "a{pid}b"};
  const Target target{"process", "x", {}, 7, {}};
  EXPECT_EQ(fix_command(finding, target), "chmod 'a{pid}b' '/out/in side'; kill 7; echo {other}");
  finding.path = "-rf";
  EXPECT_THAT(fix_command(finding, target), HasSubstr(" ./-rf;"));
  finding.path = "";
  EXPECT_THAT(fix_command(finding, target), HasSubstr("'/in side'"));
  finding.by_hand = true;
  EXPECT_EQ(fix_command(finding, target), "") << "there it would do harm";
  finding.by_hand = false;
  rule.fix = "";
  EXPECT_EQ(fix_command(finding, target), "");
}

TEST(Advice, IsOfTheKindAtHand) {
  Rule rule = made_up("x", Severity::Low, Point::Leaks);
  rule.advice = "unit: A=; OCI: b.c, and d; bwrap: --e";
  const auto told = [&](const char* kind) {
    Target target;
    target.kind = kind;
    return advice_for(rule, target);
  };
  EXPECT_EQ(told("unit"), "A=");
  EXPECT_EQ(told("oci"), "b.c, and d");
  EXPECT_EQ(told("bwrap"), "--e");
  EXPECT_EQ(told("profile"), rule.advice) << "it has no part of its own";
  rule.advice = "for all; unit: A=";
  EXPECT_EQ(told("unit"), "for all; A=");
  EXPECT_EQ(told("oci"), "for all");
  rule.advice = "colons: and; semicolons: stay";
  EXPECT_EQ(told("unit"), rule.advice);
}

// No word of one tool is told to the user of another.
TEST(Advice, NamesTheToolAtHand) {
  Target unit, oci;
  unit.kind = "unit";
  oci.kind = "oci";
  for (const char* id :
       {"described-net-shared", "described-filter", "described-memory", "described-capabilities"}) {
    const Rule& rule = *find_rule(id);
    EXPECT_THAT(advice_for(rule, unit), testing::AllOf(HasSubstr("="), testing::Not(HasSubstr("--")))) << id;
    EXPECT_THAT(advice_for(rule, oci), testing::Not(testing::AnyOf(HasSubstr("--"), HasSubstr("=")))) << id;
  }
}

TEST(FixCommand, BreaksALinkFirst) {
  Rule rule = made_up("x", Severity::Low, Point::Leaks);
  rule.fix = "chmod go-w {path}";
  rule.mend = Mend::CloseWrite;
  Finding finding{&rule, Severity::Low, "/x", "/r/x", "", ""};
  EXPECT_EQ(fix_command(finding, {}), "chmod go-w /r/x");
  finding.several_names = true;
  EXPECT_EQ(fix_command(finding, {}),
            "cp -p --remove-destination /r/x /r/x.new && mv -T /r/x.new /r/x && chmod go-w /r/x");
  rule.mend = Mend::Quarantine;
  EXPECT_EQ(fix_command(finding, {}), "chmod go-w /r/x");
}

TEST(Outcomes, TellARulesLastWord) {
  const Audit audit = some_of_each();
  const std::vector<Outcome> all = outcomes(audit);
  ASSERT_EQ(all.size(), kMadeUp.size());
  EXPECT_EQ(all[0].state, Answers::State::Checked);
  EXPECT_THAT(all[0].findings, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(all[4].state, Answers::State::Unknown);
  EXPECT_EQ(all[4].why, "not readable: words");
  EXPECT_EQ(all[5].state, Answers::State::Unasked);
}

TEST(Worst, IsThatOfWhatNobodyHasAccepted) {
  Audit audit = some_of_each();
  EXPECT_EQ(worst(audit), Severity::Critical);
  audit.accepted = {{7, "we know", {}}};
  EXPECT_EQ(worst(audit), Severity::High);
  EXPECT_EQ(worst(Audit()), std::nullopt);
  EXPECT_EQ(counts_text(audit), "5 high, 1 medium, 1 advice");
  EXPECT_EQ(counts_text(Audit()), "nothing");
}

TEST(AlikeFindings, AreTogetherTheWorstFirst) {
  Audit audit = some_of_each();
  audit.answers.asking(kBits);
  audit.answers.found(Severity::Critical, "/worse", "x");
  audit.accepted = {{1, "we know", {}}};
  const std::vector<Alike> all = alike(audit, Concern::Privilege);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].severity, Severity::Critical);
  EXPECT_THAT(all[1].findings, ElementsAre(0, 2, 3, 4));
}

// ---- JSON and its published schema

std::vector<std::string> faults_of(const Json& document) {
  static const Json schema = Json::parse(read_file(IMMURE_SOURCE_DIR "/schema/audit.schema.json").value());
  return schema_faults(schema, document);
}

Audits with_everything(const std::string& words = "words") {
  Audits audits = one_audit(some_of_each(words));
  Audit& audit = audits.all.front();
  audit.accepted = {{1, "we know " + words, "2027-01-31"}, {5, "for good", {}}};
  audit.battery = Battery{"pid " + words, 10, 8, 1, 0, true, {{"one-attack", "devices", "a technique", {}}},
                          {"one-exposed"}};
  foretell(*audit.battery, audit.answers.findings());
  audit.pictures = {{"Mounts", {{-1, "/", words}, {0, "/" + words, "proc"}}}};
  return audits;
}

TEST(AuditJson, FitsItsSchema) {
  for (const std::string& words : {std::string("words"), kHostile, std::string()})
    EXPECT_THAT(faults_of(Json::parse(report_json(with_everything(words)))), IsEmpty());
  EXPECT_THAT(faults_of(Json::parse(report_json({}))), IsEmpty());
}

TEST(AuditJson, OthersDoNotFit) {
  const Json right = Json::parse(report_json(with_everything()));
  auto wrong = [&](const char* pointer, const Json& value) {
    Json document = right;
    document[Json::json_pointer(pointer)] = value;
    EXPECT_THAT(faults_of(document), testing::SizeIs(1)) << pointer;
  };
  wrong("/schema", "immure.audit/2");
  wrong("/audits/0/score/value", -1);
  wrong("/audits/0/findings/0/severity", "odd");
  wrong("/audits/0/findings/0/more", 1);
  wrong("/audits/0/unknown/0/why", 5);
  wrong("/audits/0/battery/escaped/0/foretold_by", "x");
  wrong("/rules/0/mended_by_fix", 1);
}

TEST(AuditJson, HasEachFindingOnceTheWorstFirst) {
  const Json document = Json::parse(report_json(with_everything()));
  const Json& audit = document["audits"][0];
  ASSERT_EQ(audit["findings"].size(), 8u);
  EXPECT_EQ(audit["findings"][0]["rule"], "made-door");
  EXPECT_EQ(audit["findings"][1]["fix"], "chmod u-s,g-s /srv/jail/usr/bin/words0");
  EXPECT_EQ(audit["findings"][2]["accepted"]["until"], "2027-01-31");
  EXPECT_EQ(audit["counts"]["high"], 4);
  EXPECT_EQ(audit["counts"]["accepted"], 2);
  EXPECT_EQ(audit["unknown"][0]["rule"], "made-mute");
  EXPECT_EQ(audit["checked"].size(), 4u);
  EXPECT_EQ(audit["score"]["value"], 0) << "something escaped";
  EXPECT_EQ(document["rules"].size(), 4u);
  EXPECT_EQ(audit["battery"]["escaped"][0]["foretold_by"].size(), 4u);
}

TEST(RulesJson, HasWhatIsKnownOfARule) {
  const Json document = Json::parse(list_json({&kBits}));
  EXPECT_EQ(document["schema"], "immure.rules/1");
  EXPECT_EQ(document["rules"][0]["id"], "made-bits");
  EXPECT_EQ(document["rules"][0]["references"][1], "CVE-2000-0001");
  EXPECT_EQ(document["rules"][0]["predicts"], Json::parse(R"(["root", "one-attack"])"));
}

// ---- SARIF

TEST(AuditSarif, HasAResultForEachFinding) {
  const Json run = Json::parse(report_sarif(with_everything()))["runs"][0];
  EXPECT_EQ(run["tool"]["driver"]["name"], "immure audit");
  EXPECT_EQ(run["tool"]["driver"]["rules"].size(), kMadeUp.size()) << "also those that found nothing";
  ASSERT_EQ(run["results"].size(), 8u);
  std::set<std::string> prints;
  size_t suppressed = 0;
  for (const Json& result : run["results"]) {
    EXPECT_EQ(run["tool"]["driver"]["rules"][result["ruleIndex"].get<size_t>()]["id"], result["ruleId"]);
    prints.insert(result["partialFingerprints"]["finding/v1"].get<std::string>());
    suppressed += result.contains("suppressions") ? 1 : 0;
  }
  EXPECT_EQ(prints.size(), 8u);
  EXPECT_EQ(suppressed, 2u);
  EXPECT_EQ(run["results"][0]["level"], "error");
  EXPECT_EQ(run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "file:///srv/jail/usr/bin/words0");
  EXPECT_THAT(run["invocations"][0]["toolExecutionNotifications"].dump(),
              HasSubstr("made-mute could not look"));
}

TEST(AuditSarif, AProcessIsTheSameWithAnotherNumber) {
  Audits one = with_everything(), two = with_everything();
  two.all[0].target.name = "another";
  auto print = [](const Audits& audits) {
    return Json::parse(report_sarif(audits))["runs"][0]["results"][0]["partialFingerprints"].dump();
  };
  EXPECT_EQ(print(one), print(two));
  two.all[0].target.same = "other";
  EXPECT_NE(print(one), print(two));
}

TEST(AuditSarif, AJailsWordsMakeNoLinkAndNoEscapeSequence) {
  const std::string text = report_sarif(with_everything(kHostile));
  const Json run = Json::parse(text)["runs"][0];
  const auto message = run["results"][0]["message"]["text"].get<std::string>();
  EXPECT_THAT(message, HasSubstr("[link] (http://x)"));
  EXPECT_EQ(printable(message), message);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  const auto uri =
      run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].get<std::string>();
  EXPECT_THAT(uri, HasSubstr("%1B%5B31m%01%7F%FF%FE"));
  EXPECT_EQ(uri.find_first_of("<>\"' \n"), std::string::npos);
}

// ---- JUnit

TEST(AuditJunit, HasACaseForEachRuleThatWasAsked) {
  const std::string xml = report_junit(with_everything(), Severity::High);
  EXPECT_EQ(markup_fault(xml, {}), "");
  EXPECT_THAT(xml, HasSubstr("tests=\"6\" failures=\"2\" errors=\"0\" skipped=\"2\""));
  EXPECT_THAT(
      xml,
      HasSubstr(
          "<failure type=\"high\" message=\"a title with &lt;angles&gt; &amp; &quot;quotes&quot; (4)\">"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"could not look: not readable: words\"/>"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"does not apply here\"/>"));
  EXPECT_THAT(xml, HasSubstr("1 accepted"));
  EXPECT_THAT(report_junit(with_everything(), Severity::Advice), HasSubstr("failures=\"3\""));
  EXPECT_THAT(report_junit(with_everything(), Severity::Critical), HasSubstr("failures=\"1\""));
}

TEST(AuditJunit, HoldsNoCharacterThatXmlForbids) {
  const std::string xml = report_junit(with_everything(kHostile), Severity::Low);
  EXPECT_EQ(markup_fault(xml, {}), "");
  for (char c : xml) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
  EXPECT_THAT(xml, Not(HasSubstr("<script")));
}

// ---- HTML

const std::set<std::string_view> kAlone = {"meta", "br", "input"};

// Without style and script, which have brackets of their own.
std::string markup_of(std::string page) {
  for (const char* name : {"style", "script"}) {
    const std::string open = "<" + std::string(name) + ">", close = "</" + std::string(name) + ">";
    EXPECT_EQ(times(page, open), 1u) << name;
    const size_t from = page.find(open), to = page.find(close);
    page.erase(from, to + close.size() - from);
  }
  return page;
}

std::string element(const std::string& page, const std::string& name) {
  const size_t from = page.find("<" + name + ">") + name.size() + 2;
  return page.substr(from, page.find("</" + name + ">") - from);
}

TEST(AuditHtml, IsOnePageThatNeedsNothing) {
  const std::string page = report_html(with_everything());
  const std::string markup = markup_of(page);
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_EQ(markup_fault(markup, kAlone), "");
  for (const char* elsewhere : {"http://", "https://", "@import", "url(", " src=", "<link", "<img",
                                " style=", " onclick=", "javascript:", "<iframe", "eval("})
    EXPECT_EQ(page.find(elsewhere), std::string::npos) << elsewhere;
}

TEST(AuditHtml, ItsPolicyLetsItsOwnStyleAndScriptRunAndNothingElse) {
  const std::string page = report_html(with_everything());
  EXPECT_THAT(
      page,
      HasSubstr("content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" +
                base64_text(sha256(element(page, "style"))) + "'; script-src 'sha256-" +
                base64_text(sha256(element(page, "script"))) + "'\""));
  EXPECT_THAT(page, Not(HasSubstr("unsafe")));
}

TEST(AuditHtml, ShowsFindingsByConcernWithWhatFiltersAsk) {
  const std::string page = report_html(with_everything());
  EXPECT_EQ(times(page, "<article class=\"finding"), 3u) << "one of four is accepted as a whole";
  EXPECT_EQ(times(page, "data-severity=\"high\" data-concern=\"privilege\""), 1u);
  EXPECT_EQ(times(page, "data-severity=\"critical\" data-concern=\"isolation\""), 1u);
  EXPECT_THAT(page, HasSubstr("aria-label=\"score 0 of 100\""));
  EXPECT_THAT(page, HasSubstr("<summary>1 more</summary>"));
  EXPECT_THAT(page, HasSubstr("made-door"));
  EXPECT_THAT(page, HasSubstr("<h3>Not looked at</h3>"));
  EXPECT_THAT(page, HasSubstr("<code>made-mute</code>"));
  EXPECT_THAT(page, HasSubstr("<li class=\"marked\"><code>/</code>")) << "the place of a finding";
  EXPECT_THAT(page, HasSubstr("2027-01-31"));
  EXPECT_THAT(page, HasSubstr("an attack escaped: one-attack"));
}

TEST(AuditHtml, AJailsWordsStayWords) {
  const std::string page = report_html(with_everything(kHostile));
  EXPECT_EQ(markup_fault(markup_of(page), kAlone), "");
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\xe2\x80\xae"))) << "a character that turns the direction of writing";
}

TEST(AuditHtml, HoldsSoManyPlacesAndSaysHowManyMore) {
  Audit audit;
  audit.asked = {&kBits};
  audit.answers.asking(kBits);
  for (int i = 0; i < 2000; ++i) audit.answers.found("/" + std::to_string(i), "x");
  const std::string page = report_html(one_audit(std::move(audit)));
  EXPECT_THAT(page, HasSubstr("and 1500 more, which"));
  EXPECT_LT(page.size(), 200000u);
}

// ---- pictures

TEST(Pictures, AMountHangsOnTheOneItLiesIn) {
  auto mount = [](const char* target) {
    MountView view;
    view.target = target;
    view.fstype = "tmpfs";
    view.options = "ro";
    return view;
  };
  const Picture picture = mount_picture(
      {mount("/proc/sys"), mount("/dev"), mount("/"), mount("/proc"), mount("/device"), mount("/proc")});
  std::vector<std::string> on;
  for (const Branch& one : picture.branches)
    on.push_back(one.name + " on " +
                 (one.parent < 0 ? "nothing" : picture.branches[static_cast<size_t>(one.parent)].name));
  EXPECT_THAT(on, ElementsAre("/ on nothing", "/dev on /", "/proc on /", "/proc on /proc", "/device on /",
                              "/proc/sys on /proc"))
      << "the second /proc covers the first";
}

TEST(Pictures, AProcessHangsOnItsParent) {
  const Picture picture = process_picture(
      {{9, 4, 2, 5, "child", false}, {4, 1, 1, 0, "init", true}, {12, 9, 0, 5, "grandchild", false}});
  ASSERT_EQ(picture.branches.size(), 3u);
  EXPECT_EQ(picture.branches[0].name, "4 init");
  EXPECT_EQ(picture.branches[1].name, "9 child");
  EXPECT_EQ(picture.branches[1].parent, 0);
  EXPECT_EQ(picture.branches[2].parent, 1);
}

TEST(Pictures, ADeepOneStaysShallowEnoughForABrowser) {
  Audits audits = with_everything();
  Picture deep{"Mounts", {}};
  for (int i = 0; i < 3000; ++i) deep.branches.push_back({i - 1, "/" + std::to_string(i), {}});
  audits.all[0].pictures = {deep};
  const std::string page = report_html(audits);
  EXPECT_EQ(markup_fault(markup_of(page), kAlone), "");
  size_t depth = 0, most = 0;
  for (size_t at = page.find("class=\"tree\""); at < page.size(); ++at) {
    if (page.compare(at, 4, "<ul>") == 0) most = std::max(most, ++depth);
    if (page.compare(at, 5, "</ul>") == 0 && depth > 0) --depth;
  }
  EXPECT_EQ(most, 200u);
  EXPECT_THAT(page, HasSubstr("and 1000 more"));
}

}  // namespace
}  // namespace immure::audit

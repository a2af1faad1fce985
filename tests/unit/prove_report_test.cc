// Reports of a made-up trial: their shape, and that a jail's words stay words in all of them.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/markup.h"
#include "base/text.h"
#include "documents.h"
#include "prove_made_up.h"

namespace immure::prove {
namespace {

using documents::markup_fault;
using documents::schema_faults;
using documents::times;
using documents::without_style;
using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

TEST(Markup, FaultsAreSeen) {
  EXPECT_EQ(markup_fault("<a x=\"1>2\"><br>t &amp; u</a>", {"br"}), "");
  for (const char* wrong : {"<a>", "<a></b>", "</a>", "<a x=\"<\"></a>", "a & b", "a > b", "<a"})
    EXPECT_NE(markup_fault(wrong, {}), "") << wrong;
}

TEST(Markup, TextEndsNoMarkup) {
  EXPECT_EQ(markup_text("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(markup_text("\x01\x1b\n\xff"), "\\x01\\x1b\\x0a\\xff");
  EXPECT_EQ(markup_text("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd"),
            "\\xef\\xbf\\xbe\\xef\\xbf\\xbf\xef\xbf\xbd");
  EXPECT_EQ(markup_text("\xef\xbf"), "\\xef\\xbf");
  EXPECT_EQ(markup_text("straße"), "straße");
}

// ---- SARIF

void expect_message(const Json& message) {
  ASSERT_TRUE(message.is_object());
  ASSERT_TRUE(message["text"].is_string());
  EXPECT_FALSE(message["text"].get<std::string>().empty());
}

TEST(Sarif, HasWhatTheStandardRequires) {
  const Verdicts verdicts = one_of_each();
  Json log = Json::parse(report_sarif(verdicts, kSubject));
  EXPECT_EQ(log["version"], "2.1.0");
  EXPECT_THAT(log["$schema"].get<std::string>(), HasSubstr("sarif-schema-2.1.0.json"));
  ASSERT_EQ(log["runs"].size(), 1u);
  const Json& run = log["runs"][0];
  const Json& driver = run["tool"]["driver"];
  EXPECT_EQ(driver["name"], "immure prove");
  EXPECT_EQ(driver["version"], IMMURE_VERSION);
  ASSERT_EQ(driver["rules"].size(), verdicts.all.size()) << "a rule an attack, whatever came of it";
  std::set<std::string> ids;
  for (const Json& rule : driver["rules"]) {
    EXPECT_TRUE(ids.insert(rule["id"]).second);
    expect_message(rule["shortDescription"]);
    expect_message(rule["fullDescription"]);
    expect_message(rule["help"]);
    EXPECT_FALSE(rule.contains("helpUri"));
    EXPECT_EQ(rule["defaultConfiguration"]["level"], "error");
  }
  EXPECT_EQ(driver["rules"][0]["fullDescription"]["text"], kOne.about);
  EXPECT_TRUE(run["invocations"][0]["executionSuccessful"].get<bool>());
  EXPECT_EQ(run["properties"]["jail"], kSubject.jail);
  EXPECT_EQ(run["properties"]["counts"]["escaped"], 1);
}

TEST(Sarif, ResultsAreWhatWasNotStopped) {
  Json log = Json::parse(report_sarif(one_of_each(), kSubject));
  const Json& run = log["runs"][0];
  ASSERT_EQ(run["results"].size(), 3u);
  const std::map<std::string, std::string> levels = {
      {"two", "error"}, {"three", "warning"}, {"five", "note"}};
  for (const Json& result : run["results"]) {
    const std::string id = result["ruleId"];
    ASSERT_TRUE(levels.contains(id)) << id;
    EXPECT_EQ(result["level"], levels.at(id));
    expect_message(result["message"]);
    EXPECT_EQ(run["tool"]["driver"]["rules"][result["ruleIndex"].get<size_t>()]["id"], id);
    EXPECT_EQ(result["partialFingerprints"]["attack/v1"], id);
    EXPECT_EQ(result["locations"][0]["logicalLocations"][0]["name"], id);
  }
}

TEST(Sarif, AJailsWordsMakeNoLinkAndNoEscapeSequence) {
  const std::string text = report_sarif(one_of_each(kHostile), {kHostile, kHostile, kHostile});
  ASSERT_TRUE(Json::accept(text));
  const std::string message = Json::parse(text)["runs"][0]["results"][0]["message"]["text"];
  EXPECT_THAT(message, HasSubstr("<script>"));
  EXPECT_THAT(message, HasSubstr("[link] (http://x)"));
  EXPECT_THAT(message, Not(HasSubstr("](")));
  EXPECT_EQ(printable(message), message);
}

TEST(Sarif, OfNothingThatGotThroughHasAnEmptyListOfResults) {
  Verdicts verdicts = one_of_each();
  verdicts.all.resize(1);
  Json log = Json::parse(report_sarif(verdicts, kSubject));
  EXPECT_TRUE(log["runs"][0]["results"].is_array());
  EXPECT_TRUE(log["runs"][0]["results"].empty());
}

// ---- JUnit

TEST(Junit, CountsASuiteACategory) {
  const std::string xml = report_junit(one_of_each(), kSubject);
  EXPECT_EQ(markup_fault(xml, {}), "");
  EXPECT_THAT(
      xml,
      HasSubstr("<testsuites name=\"immure prove\" tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"2\" "
                "time=\"1.234\">"));
  EXPECT_EQ(times(xml, "<testsuite "), 3u);
  EXPECT_EQ(times(xml, "<testcase "), 5u);
  EXPECT_EQ(times(xml, "time="), 1u) << "no attack has a time of its own";
  EXPECT_THAT(xml, HasSubstr("<testsuite name=\"changing the root\" tests=\"2\" failures=\"1\" errors=\"0\" "
                             "skipped=\"0\">"));
  EXPECT_THAT(xml,
              HasSubstr("<testcase name=\"one\" classname=\"immure.prove.root\"><system-out>EPERM at words  "
                        "[seccomp]</system-out></testcase>"));
  EXPECT_THAT(xml, HasSubstr("<failure type=\"escaped\" message=\"words\">"));
  EXPECT_THAT(xml, HasSubstr("<failure type=\"exposed\" message=\"words\">"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"not-applicable: words\"/>"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"inconclusive: words\"/>"));
  EXPECT_THAT(xml, HasSubstr("<property name=\"caller\" value=\"tester (uid 1001)\"/>"));
}

TEST(Junit, HoldsNoCharacterThatXmlForbids) {
  const std::string xml = report_junit(one_of_each(kHostile), {kHostile, kHostile, kHostile});
  EXPECT_EQ(markup_fault(xml, {}), "");
  EXPECT_THAT(xml, Not(HasSubstr("<script")));
  EXPECT_THAT(xml, Not(HasSubstr("]]>")));
  EXPECT_THAT(xml, Not(HasSubstr("\xef\xbf\xbf")));
  for (char c : xml) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
}

// ---- HTML

const std::set<std::string_view> kAlone = {"meta", "br"};

TEST(Html, IsOnePageThatNeedsNothing) {
  const std::string page = report_html(one_of_each(), kSubject);
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_EQ(markup_fault(without_style(page), kAlone), "");
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme: dark"));
  for (const char* elsewhere : {"<script", "http://", "https://", "@import", "url(", "src=", "<link", "<img"})
    EXPECT_EQ(page.find(elsewhere), std::string::npos) << elsewhere;
}

TEST(Html, ShowsEachAttackAndTheCounts) {
  const std::string page = report_html(one_of_each(), kSubject);
  for (const char* id : {"one", "two", "three", "four", "five"})
    EXPECT_EQ(times(page, "<tr id=\"attack-" + std::string(id) + "\">"), 1u) << id;
  EXPECT_EQ(times(page, "<details>"), 5u);
  EXPECT_EQ(times(page, "<p>It does what no attack does."), 5u);
  EXPECT_THAT(page, HasSubstr("aria-label=\"1 ESCAPED, 1 EXPOSED, 1 blocked, 1 n/a, 1 unsure\""));
  EXPECT_EQ(times(page, "width=\"200.00\""), 5u) << "five verdicts, a fifth of the bar each";
  EXPECT_THAT(page, HasSubstr("<td class=\"how\">EPERM at words  [seccomp]</td>"));
  EXPECT_THAT(page, HasSubstr("1 escaped, 1 exposed: of 5 attacks 1 were blocked"));
  EXPECT_THAT(page, HasSubstr("<h2>What got through</h2>"));
  EXPECT_THAT(page, Not(HasSubstr("\\x0a")));
}

TEST(Html, EveryLinkLeadsSomewhereInThePage) {
  const std::string page = report_html(one_of_each(), kSubject, "<h2>x</h2>");
  size_t links = 0;
  for (size_t at = 0; (at = page.find("href=\"#", at)) != std::string::npos; ++links) {
    at += 7;
    const std::string id = page.substr(at, page.find('"', at) - at);
    EXPECT_EQ(times(page, " id=\"" + id + "\""), 1u) << id;
  }
  EXPECT_EQ(links, 6u) << "three categories, two that got through, the ablation";
}

TEST(Html, NothingThatGotThroughHasNoSectionOfItsOwn) {
  Verdicts verdicts = one_of_each();
  verdicts.all.resize(1);
  EXPECT_THAT(report_html(verdicts, kSubject), Not(HasSubstr("What got through")));
}

TEST(Html, AJailsWordsStayWords) {
  const std::string page = report_html(one_of_each(kHostile), {kHostile, kHostile, kHostile});
  EXPECT_EQ(markup_fault(without_style(page), kAlone), "");
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\xe2\x80\xae"))) << "a character that turns the direction of writing";
}

TEST(Html, TakesTheAblationsSectionAsItIs) {
  const std::string page = report_html(one_of_each(), kSubject, "<svg class=\"x\"></svg>");
  EXPECT_THAT(page, HasSubstr("<section id=\"ablation\">\n<svg class=\"x\"></svg></section>"));
  EXPECT_THAT(report_html(one_of_each(), kSubject), Not(HasSubstr("ablation\"")));
}

// ---- JSON and its published schema

std::vector<std::string> faults_of(const Json& document) {
  static const Json schema = Json::parse(read_file(IMMURE_SOURCE_DIR "/schema/prove.schema.json").value());
  return schema_faults(schema, document);
}

TEST(Schema, ARealDocumentFits) {
  for (const std::string& words : {std::string("words"), kHostile, std::string()})
    EXPECT_THAT(faults_of(Json::parse(report_json(one_of_each(words), kSubject))), testing::IsEmpty());
}

TEST(Schema, OthersDoNot) {
  const Json right = Json::parse(report_json(one_of_each(), kSubject));
  auto wrong = [&](const char* pointer, const Json& value) {
    Json document = right;
    document[Json::json_pointer(pointer)] = value;
    EXPECT_THAT(faults_of(document), testing::SizeIs(1)) << pointer;
  };
  wrong("/schema", "immure.prove/2");
  wrong("/milliseconds", "1");
  wrong("/milliseconds", -1);
  wrong("/attacks/0/verdict", "fine");
  wrong("/attacks/0/id", 5);
  wrong("/attacks/1/inside", "x");
  wrong("/counts/escaped", 1.5);
  wrong("/more", 1);
  Json document = right;
  document["attacks"][2].erase("verdict");
  EXPECT_THAT(faults_of(document), testing::SizeIs(1));
}

// What is said a verdict is said in one way: its counts, its words, and the lines of --jsonl.
TEST(Reports, TellTheSame) {
  const Verdicts verdicts = one_of_each();
  const Json document = Json::parse(report_json(verdicts, kSubject));
  const std::string lines = report_jsonl(verdicts, kSubject);
  std::vector<std::string_view> parts = split(lines, '\n');
  ASSERT_EQ(parts.size(), verdicts.all.size() + 2);
  for (size_t i = 0; i < verdicts.all.size(); ++i) EXPECT_EQ(Json::parse(parts[i]), document["attacks"][i]);
  EXPECT_EQ(Json::parse(parts[verdicts.all.size()])["counts"], document["counts"]);
  const std::string text = report_text(verdicts, kSubject, false);
  for (const Judged& one : verdicts.all) {
    EXPECT_THAT(text, HasSubstr(one.probe->id));
    EXPECT_THAT(text, HasSubstr(outcome_text(one)));
  }
  EXPECT_THAT(text, HasSubstr(conclusion(verdicts)));
  EXPECT_THAT(report_text(one_of_each(kHostile), {kHostile, kHostile, kHostile}, false),
              Not(HasSubstr("\x1b")));
}

Verdicts so_many(int blocked, int exposed, int absent, int unsure) {
  Verdicts verdicts;
  auto add = [&](int n, Verdict verdict) {
    for (; n > 0; --n) verdicts.all.push_back({&kOne, verdict, "EPERM at x", 0, "why", {}, {}});
  };
  add(blocked, Verdict::Blocked);
  add(exposed, Verdict::Exposed);
  add(absent, Verdict::NotApplicable);
  add(unsure, Verdict::Inconclusive);
  return verdicts;
}

// Whoever only looks at the status must not take a battery for good that tried nothing.
TEST(Emptiness, IsToldWhereNothingOrLittleWasShown) {
  EXPECT_EQ(emptiness(so_many(1, 0, 0, 0)), "");
  EXPECT_EQ(emptiness(so_many(1, 5, 700, 1)), "");
  EXPECT_THAT(emptiness(so_many(1, 0, 0, 2)), HasSubstr("(2) than were blocked"));
  for (const Verdicts& none : {so_many(0, 0, 0, 0), so_many(0, 0, 9, 0), so_many(0, 3, 0, 0), so_many(0, 0, 0, 1)})
    EXPECT_THAT(emptiness(none), HasSubstr("not one attack was blocked"));
  EXPECT_THAT(conclusion(so_many(0, 0, 9, 0)), HasSubstr("not one attack was blocked."));
  EXPECT_THAT(conclusion(so_many(1, 0, 9, 0)), Not(HasSubstr("shows")));
}

}  // namespace
}  // namespace immure::prove

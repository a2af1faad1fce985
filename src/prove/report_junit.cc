// JUnit's XML, as the machines that build and test read it: a suite a category, a case an attack.
#include <cstdio>

#include "base/text.h"
#include "base/markup.h"
#include "prove/report.h"

namespace immure::prove {
namespace {

struct Tally {
  size_t tests = 0, failures = 0, skipped = 0;
};

void count(Tally& tally, Verdict verdict) {
  ++tally.tests;
  switch (verdict) {
    case Verdict::Escaped:
    case Verdict::Exposed: ++tally.failures; break;
    case Verdict::NotApplicable:
    case Verdict::Inconclusive: ++tally.skipped; break;
    case Verdict::Blocked: break;
  }
}

std::string attribute(const char* name, std::string_view value) {
  return " " + std::string(name) + "=\"" + markup_text(value) + "\"";
}

std::string attributes(const Tally& tally) {
  return attribute("tests", num(tally.tests)) + attribute("failures", num(tally.failures)) +
         attribute("errors", "0") + attribute("skipped", num(tally.skipped));
}

std::string test_case(const Judged& one) {
  const std::string outcome = outcome_text(one);
  std::string out = "    <testcase" + attribute("name", one.probe->id) +
                    attribute("classname", "immure.prove." + std::string(probes::key(one.probe->category))) +
                    ">";
  switch (one.verdict) {
    case Verdict::Blocked: out += "<system-out>" + markup_text(outcome) + "</system-out>"; break;
    case Verdict::Escaped:
    case Verdict::Exposed:
      out += "<failure" + attribute("type", key(one.verdict)) + attribute("message", outcome) + ">" +
             markup_text(std::string(one.probe->technique) + ". " + one.probe->about) + "</failure>";
      break;
    case Verdict::NotApplicable:
    case Verdict::Inconclusive:
      out += "<skipped" + attribute("message", std::string(key(one.verdict)) + ": " + outcome) + "/>";
      break;
  }
  return out + "</testcase>\n";
}

std::string properties(const Subject& subject) {
  auto property = [](const char* name, std::string_view value) {
    return "      <property" + attribute("name", name) + attribute("value", value) + "/>\n";
  };
  return "    <properties>\n" + property("jail", subject.jail) + property("caller", subject.caller) +
         property("kernel", subject.kernel) + property("version", IMMURE_VERSION) + "    </properties>\n";
}

}  // namespace

std::string report_junit(const Verdicts& verdicts, const Subject& subject) {
  Tally all;
  std::string suites;
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<probes::Category>(c);
    Tally tally;
    std::string cases;
    for (const Judged& one : verdicts.all) {
      if (one.probe->category != category) continue;
      count(tally, one.verdict);
      count(all, one.verdict);
      cases += test_case(one);
    }
    if (tally.tests > 0)
      suites += "  <testsuite" + attribute("name", name(category)) + attributes(tally) + ">\n" +
                properties(subject) + cases + "  </testsuite>\n";
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", static_cast<double>(verdicts.milliseconds) / 1000);
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + attribute("name", "immure prove") +
         attributes(all) + attribute("time", seconds) + ">\n" + suites + "</testsuites>\n";
}

}  // namespace immure::prove

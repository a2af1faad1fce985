#include "base/junit.h"

#include "base/markup.h"
#include "base/text.h"

namespace immure::junit {
namespace {

struct Tally {
  size_t tests = 0, failures = 0, skipped = 0;
};

void count(Tally& tally, const Suite& suite) {
  for (const Case& one : suite.cases) {
    ++tally.tests;
    tally.failures += one.outcome == Case::Outcome::Failed ? 1 : 0;
    tally.skipped += one.outcome == Case::Outcome::Skipped ? 1 : 0;
  }
}

std::string attribute(const char* name, std::string_view value) {
  return " " + std::string(name) + "=\"" + markup_text(value) + "\"";
}

std::string attributes(const Tally& tally) {
  return attribute("tests", num(tally.tests)) + attribute("failures", num(tally.failures)) +
         attribute("errors", "0") + attribute("skipped", num(tally.skipped));
}

std::string case_element(const Case& one) {
  std::string out =
      "    <testcase" + attribute("name", one.name) + attribute("classname", one.class_name) + ">";
  switch (one.outcome) {
    case Case::Outcome::Passed: out += "<system-out>" + markup_text(one.message) + "</system-out>"; break;
    case Case::Outcome::Failed:
      out += "<failure" + attribute("type", one.type) + attribute("message", one.message) + ">" +
             markup_text(one.text) + "</failure>";
      break;
    case Case::Outcome::Skipped: out += "<skipped" + attribute("message", one.message) + "/>"; break;
  }
  return out + "</testcase>\n";
}

std::string suite_element(const Report& report, const Suite& suite) {
  Tally tally;
  count(tally, suite);
  std::string out =
      "  <testsuite" + attribute("name", suite.name) + attributes(tally) + ">\n    <properties>\n";
  for (const auto& [name, value] : report.properties)
    out += "      <property" + attribute("name", name) + attribute("value", value) + "/>\n";
  out += "    </properties>\n";
  for (const Case& one : suite.cases) out += case_element(one);
  return out + "  </testsuite>\n";
}

// "12.034"
std::string seconds_text(int64_t milliseconds) {
  std::string rest = num_signed(milliseconds % 1000);
  return num_signed(milliseconds / 1000) + "." + std::string(3 - rest.size(), '0') + rest;
}

}  // namespace

std::string document(const Report& report) {
  Tally all;
  std::string suites;
  for (const Suite& suite : report.suites) {
    count(all, suite);
    suites += suite_element(report, suite);
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + attribute("name", report.name) +
         attributes(all) + attribute("time", seconds_text(report.milliseconds)) + ">\n" + suites +
         "</testsuites>\n";
}

}  // namespace immure::junit

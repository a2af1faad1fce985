// JUnit's XML, as the machines that build and test read it. Texts may be a jail's own words.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace immure::junit {

struct Case {
  enum class Outcome : uint8_t { Passed, Failed, Skipped };
  std::string name, class_name;
  Outcome outcome = Outcome::Passed;
  std::string message;    // of Failed and Skipped; what a passed one says
  std::string type = {};  // of Failed: "escaped"
  std::string text = {};  // of Failed: the long version
};

struct Suite {
  std::string name;
  std::vector<Case> cases;
};

struct Report {
  std::string name;                                             // "immure prove"
  std::vector<std::pair<std::string, std::string>> properties;  // of each suite
  std::vector<Suite> suites;
  int64_t milliseconds = 0;
};

std::string document(const Report& report);

}  // namespace immure::junit

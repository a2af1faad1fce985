// SARIF 2.1.0 (OASIS): what scanners of code report in, and what the sites that host code read. One run of
// one tool. Texts may be a jail's own words: they pass printable(), and none becomes a link.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace immure::sarif {

using Words = std::vector<std::pair<std::string, std::string>>;

struct Rule {
  std::string id, title, about, help;
  std::string level;  // "error", "warning", "note": of its results, if nothing else is said
  std::string category;
  std::vector<std::string> tags;
  Words properties = {};
};

struct Result {
  size_t rule = 0;  // place in Run::rules
  std::string level, message;
  std::string name, full_name;  // of the place, which is no file of the caller's: "root/chroot-walk"
  std::string file = {};        // where it is one: its path on the host
  std::string fingerprint_kind, fingerprint;  // what names it in every run: "attack/v1"
  std::string suppressed = {};                // why it was accepted; empty: it was not
  Words properties = {};
};

struct Run {
  std::string tool;  // "immure prove"
  std::vector<Rule> rules;
  std::vector<Result> results;
  std::vector<std::string> notes;  // of the tool's own running
  Words properties;
  std::vector<std::pair<std::string, int64_t>> counts;
};

std::string document(const Run& run);

}  // namespace immure::sarif

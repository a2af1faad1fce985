// The settings of [Service] of a unit and its drop-ins, and the lists in them whose lines are merged by
// rules of their own. Source: systemd.exec(5), systemd.syntax(7).
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/unit_text.h"

namespace immure::audit {

struct UnitSetting {
  std::string value, origin;
};

bool unit_true(std::string_view value);  // "yes", "1", "on", "true" …
bool unit_false(std::string_view value);

class UnitSettings {
 public:
  // In the order in which the files count: the unit itself, then its drop-ins.
  void add(const std::string& shown_as, const std::vector<UnitLine>& lines);
  const UnitSetting* last(std::string_view key) const;  // null: not said
  // Every line, in order; where an empty line of a list takes back what came before, only what came after it.
  std::vector<const UnitSetting*> all(std::string_view key) const;
  // Of settings that hold a service and that have no meaning here.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::map<std::string, std::vector<UnitSetting>, std::less<>> settings_;
  std::vector<std::string> notes_;
};

// What SystemCallFilter= comes to, for the calls of dangerous_calls() alone.
struct UnitCalls {
  bool said = false;
  std::set<std::string> open;
  std::vector<std::string> unknown;  // notes
};
UnitCalls unit_calls(const UnitSettings& settings);

// "A=1 \"B=2 3\"" → two words, quotes taken away.
std::vector<std::string> unit_words(std::string_view value);

}  // namespace immure::audit

// A jail as a profile again: every value with the word that it came from. What `policy show` prints.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "input/options.h"

namespace immure {

struct PolicyValue {
  std::string_view table;  // "", "env", "need", "weaken", "limits"
  std::string key;         // "ro-bind", or the key in the table
  enum class Kind : uint8_t { Text, Flag, Number, List } kind = Kind::Text;
  std::vector<std::string> values;   // one, unless it is a List; a Flag is "true" or "false"
  std::vector<std::string> origins;  // beside each value; empty: the default
};

// What was said; with `defaults` also what holds because nobody said anything.
std::vector<PolicyValue> policy_values(const JailSpec& spec, const Limits* defaults);

// TOML that reads back as the same jail; with `why`, each value has its origin behind it as a comment.
std::string policy_toml(const JailSpec& spec, const Limits* defaults, bool why);
// {"schema": "immure-policy-1", "values": {…}} in the shape of a profile; with `why` also "origins" in the same shape.
std::string policy_json(const JailSpec& spec, const Limits* defaults, bool why);

}  // namespace immure

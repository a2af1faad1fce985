// A profile's text as a tree: TOML and JSON look the same afterwards. Only immure-full has this; the start
// binary gets words. Nothing is looked up or decided here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure {

struct ProfileNode {
  enum class Kind : uint8_t { Text, Number, Flag, List, Table, Other } kind = Kind::Other;
  std::string text;  // Text, and Number as it would be typed; Other: what it is ("a date")
  bool flag = false;
  std::vector<ProfileNode> items;
  std::vector<ProfileNode> members;  // in the order of the file
  std::string key;                   // of a member
  std::string place;                 // ":12:3" (line and column) in TOML, "#/limits/memory" in JSON
};

// The top table. Errors: kBadProfile with the place. Keys that come twice are errors in both languages, as is
// a NUL byte in a text. At most 64 levels deep and 1 MiB long.
Result<ProfileNode> parse_toml(std::string_view text, std::string_view shown_as);
Result<ProfileNode> parse_json(std::string_view text, std::string_view shown_as);

inline constexpr size_t kLongestProfile = 1u << 20;
inline constexpr int kDeepestProfile = 64;

}  // namespace immure

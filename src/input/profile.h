// A profile: what its file says, and how that changes what it extends. Pure; files are profile_files.h's.
//
// In a profile each option of the table is a key. Options that may be said more than once are lists; a list
// replaces what was extended, unless its entries begin with "+" (add) or "-" (take away). Tables group keys:
//   [env]     NAME = "value", true (the caller's) or false (not any more)
//   [need]    LAYER = "require", "prefer" or "off"
//   [weaken]  NAME = true or false
//   [limits]  memory = "1G", …
// Besides: description, extends (a name, a path, or a list of them) and $schema.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "input/options.h"
#include "input/toml.h"

namespace immure {

struct ProfileText {
  std::string text;
  std::string shown_as;  // in origins: "shell.toml", "./immure.toml"
  std::string folder;    // relative paths are below it; empty: left as they are, for the caller's folder
  std::string home;      // for "~/"; empty: an error where it is used
  bool json = false;
};

// One thing that a profile says.
struct ProfileChange {
  enum class How : uint8_t { Replace, Add, Remove, Clear } how = How::Replace;
  Word word;
  std::string same;  // words of the option that this one stands for: "TERM=" in env, "cgroup=" in need
};

struct Profile {
  struct Base {
    std::string name;
    std::string place;
  };
  std::string description;
  std::vector<Base> extends;
  std::vector<ProfileChange> changes;
};

Result<Profile> read_profile_text(const ProfileText& text);

// Makes the changes to what was extended. Error: something is to be taken away that is not there.
Status apply_changes(std::vector<Word>& words, const Profile& profile);

// The JSON schema of all this, from the option table; and every key that can stand at the top.
std::string profile_schema();
std::vector<std::string_view> profile_keys();

}  // namespace immure

// The profiles that come with immure, as words that were encoded when it was built: the start binary has them
// without a reader of TOML. And the cheap question whether a file has to be read at all.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace immure {

struct ShippedProfile {
  std::string_view name;
  std::string_view description;
  std::string_view words;  // for decode(); what it extends is already in it
};

std::span<const ShippedProfile> shipped_profiles();
// The words of one. Relative paths in them are below the caller's working directory when they are applied.
std::optional<std::string_view> shipped_profile(std::string_view name);

// Where files are looked for, in this order. `user` is empty when neither XDG_CONFIG_HOME nor HOME is absolute.
std::string user_profile_folder();
inline constexpr std::string_view kSystemProfiles = "/etc/immure";
inline constexpr std::string_view kVendorProfiles = "/usr/share/immure";
inline constexpr std::string_view kProjectProfile = "./immure.toml";

// Is there a project file, or a default.toml of the user or the host? Four calls of access(2) at most. What
// cannot be looked at counts as there, so that the reader of profiles says why.
bool profile_files_present();
// Does a file take the place of the shipped profile of this name?
bool profile_file_exists(std::string_view name);

}  // namespace immure

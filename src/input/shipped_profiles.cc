#include "input/shipped_profiles.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace immure {
namespace {

constexpr ShippedProfile kProfiles[] = {
#include "profiles.inc"
};

bool there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

}  // namespace

std::span<const ShippedProfile> shipped_profiles() { return kProfiles; }

std::optional<std::string_view> shipped_profile(std::string_view name) {
  for (const ShippedProfile& profile : kProfiles) {
    if (profile.name == name) return profile.words;
  }
  return std::nullopt;
}

std::string user_profile_folder() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && config[0] == '/') return std::string(config) + "/immure";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.config/immure";
  return {};
}

bool profile_files_present() { return there(std::string(kProjectProfile)) || profile_file_exists("default"); }

bool profile_file_exists(std::string_view name) {
  for (const std::string& folder :
       {user_profile_folder(), std::string(kSystemProfiles), std::string(kVendorProfiles)}) {
    if (folder.empty()) continue;
    for (std::string_view ending : {".toml", ".json"}) {
      if (there(folder + "/" + std::string(name) + std::string(ending))) return true;
    }
  }
  return false;
}

}  // namespace immure

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <span>

#include "base/fd.h"
#include "base/text.h"
#include "input/shipped_profiles.h"
#include "input/toml.h"
#include "input/trusted_file.h"
#include "rootfs/family.h"
#include "spec/validate.h"

namespace immure::rootfs {
namespace {

struct Shipped {
  std::string_view name, text;
};
constexpr Shipped kFamilies[] = {
#include "families.inc"
};
constexpr Shipped kPresets[] = {
#include "presets.inc"
};

// NAME.toml of a folder, each name with its path. A folder that is not there holds none; one that cannot be
// read is an error, for it may hold what takes the place of a shipped file.
Result<std::vector<std::string>> names_in(const std::string& folder, std::string_view noun) {
  constexpr std::string_view kEnding = ".toml";
  std::vector<std::string> names;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) {
    int err = errno;
    if (err == ENOENT || err == ENOTDIR) return names;
    return fail(Code::kBadProfile, "cannot look for a " + std::string(noun) + " in " + quoted(folder), {}, {},
                {}, err);
  }
  while (const dirent* entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (!name.ends_with(kEnding)) continue;
    name.remove_suffix(kEnding.size());
    if (valid_name(name)) names.emplace_back(name);
  }
  ::closedir(dir);
  return names;
}

template <class Thing>
Result<std::vector<Thing>> all(std::span<const Shipped> shipped, const std::vector<std::string>& folders,
                               const std::string& below, std::string_view noun,
                               Result<Thing> (*parse)(std::string_view, std::string_view, std::string_view)) {
  std::map<std::string, std::string> paths;  // name → file; empty: the shipped one
  for (const Shipped& each : shipped) paths[std::string(each.name)];
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    Result<std::vector<std::string>> names = names_in(*folder + "/" + below, noun);
    if (!names) return tl::unexpected<Error>(std::move(names.error()));
    for (const std::string& name : *names) paths[name] = *folder + "/" + below + "/" + name + ".toml";
  }
  std::vector<Thing> things;
  for (const auto& [name, path] : paths) {
    Result<std::string> text = std::string();
    if (path.empty()) {
      for (const Shipped& each : shipped)
        if (each.name == name) text = std::string(each.text);
    } else {
      text = read_trusted_file({path, path, noun, {}, ::geteuid()}, kLongestProfile);
    }
    if (!text) return tl::unexpected<Error>(std::move(text.error()));
    Result<Thing> thing = parse(*text, name, path.empty() ? below + "/" + name + ".toml" : path);
    if (!thing) return tl::unexpected<Error>(std::move(thing.error()));
    things.push_back(std::move(*thing));
  }
  return things;
}

}  // namespace

std::vector<std::string> data_folders() {
  return {std::string(kSystemProfiles), std::string(kVendorProfiles)};
}

Result<std::vector<Family>> families(const std::vector<std::string>& folders) {
  return all<Family>(kFamilies, folders, "families", "family", parse_family);
}

Result<std::vector<Preset>> presets(const std::vector<std::string>& folders) {
  return all<Preset>(kPresets, folders, "presets", "preset", parse_preset);
}

}  // namespace immure::rootfs

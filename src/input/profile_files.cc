#include "input/profile_files.h"

#include <dirent.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/path.h"
#include "base/text.h"
#include "input/profile.h"
#include "input/shipped_profiles.h"
#include "input/trusted_file.h"
#include "spec/limits.h"
#include "spec/merge.h"
#include "spec/validate.h"

namespace immure {
namespace {

constexpr std::string_view kEndings[] = {".toml", ".json"};
constexpr size_t kLongestChain = 16;

bool is_file_name(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".toml") || text.ends_with(".json");
}

tl::unexpected<Error> cannot(std::string_view shown_as, std::string why, std::string how, std::string origin,
                             int err = 0) {
  return fail(Code::kBadProfile, "cannot use the profile " + quoted(shown_as), std::move(why), std::move(how),
              std::move(origin), err);
}

Result<ProfileText> load(const std::string& path, std::string shown_as, const ProfilePlaces& places,
                         const std::string& origin) {
  Result<std::string> text =
      read_trusted_file({path, shown_as, "profile", origin, places.uid,
                         "immure policy list shows the profiles that are taken by name, without an ending"},
                        kLongestProfile);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  return ProfileText{std::move(*text), std::move(shown_as), std::string(path_folder(path)), places.home,
                     path.ends_with(".json")};
}

// As the kernel will take it: ".." is left, since a link may stand before it.
std::string beside(const std::string& folder, const std::string& name) {
  return name.starts_with('/') ? name : folder + "/" + name;
}

struct Resolver {
  const ProfilePlaces& places;
  std::vector<std::string> chain = {};  // the files that are being read, to see a circle

  // A name, from the given folder of the list on; behind the last one are the shipped profiles.
  Result<std::vector<Word>> by_name(std::string_view name, size_t from, const std::string& origin);
  Result<std::vector<Word>> by_file(const std::string& path, std::string shown_as, std::string_view name,
                                    size_t behind, const std::string& origin);
  tl::unexpected<Error> unknown(std::string_view name, const std::string& origin) const;
};

tl::unexpected<Error> Resolver::unknown(std::string_view name, const std::string& origin) const {
  std::vector<std::string> names = profile_names(places);
  std::vector<std::string_view> views(names.begin(), names.end());
  std::string_view best = nearest(name, views);
  std::string how = best.empty() ? "there are: " + join(names, " ") + "; or name a file, such as ./jail.toml"
                                 : "did you mean " + std::string(best) + "?";
  return fail(Code::kBadProfile, "there is no profile " + quoted(name), {}, std::move(how), origin);
}

// What cannot be looked at counts as there, so that reading it says why.
std::optional<std::string> file_in(const std::string& folder, std::string_view name) {
  for (std::string_view ending : kEndings) {
    std::string path = folder + "/" + std::string(name) + std::string(ending);
    bool missing = ::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
    if (!missing) return path;
  }
  return std::nullopt;
}

Result<std::vector<Word>> Resolver::by_name(std::string_view name, size_t from, const std::string& origin) {
  if (!valid_name(name)) return unknown(name, origin);
  for (size_t i = from; i < places.folders.size(); ++i)
    if (auto path = file_in(places.folders[i], name)) return by_file(*path, *path, name, i + 1, origin);
  std::optional<std::string_view> shipped = shipped_profile(name);
  return shipped ? decode(*shipped) : unknown(name, origin);
}

Result<std::vector<Word>> Resolver::by_file(const std::string& path, std::string shown_as,
                                            std::string_view name, size_t behind, const std::string& origin) {
  std::string id = path_join(places.cwd, path);
  if (std::find(chain.begin(), chain.end(), id) != chain.end() || chain.size() >= kLongestChain)
    return cannot(shown_as, "what it extends leads back to itself", "take one \"extends\" out", origin);
  Result<ProfileText> text = load(path, std::move(shown_as), places, origin);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  Result<Profile> profile = read_profile_text(*text);
  if (!profile) return tl::unexpected<Error>(std::move(profile.error()));

  chain.push_back(id);
  std::vector<Word> words;
  for (const Profile::Base& base : profile->extends) {
    std::string below = beside(text->folder, base.name);
    Result<std::vector<Word>> more = is_file_name(base.name)
                                         ? by_file(below, below, {}, 0, base.place)
                                         : by_name(base.name, base.name == name ? behind : 0, base.place);
    if (!more) return more;
    words.insert(words.end(), more->begin(), more->end());
  }
  chain.pop_back();
  if (Status changed = apply_changes(words, *profile); !changed)
    return tl::unexpected<Error>(std::move(changed.error()));
  return words;
}

Result<Jail> jail_of(std::span<const Word> words, std::span<const Word> more, std::span<const Word> last) {
  Jail jail;
  for (std::span<const Word> part : {words, more, last}) {
    for (const Word& word : part) {
      if (Status applied = apply(jail, word); !applied)
        return tl::unexpected<Error>(std::move(applied.error()));
    }
  }
  return jail;
}

Limits host_defaults() {
  struct sysinfo info = {};
  uint64_t memory = ::sysinfo(&info) == 0 ? uint64_t{info.totalram} * info.mem_unit : 0;
  long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  return default_limits(memory, processors > 0 ? static_cast<unsigned>(processors) : 1);
}

// Is this argument of --profile the project's file itself?
bool names_project(std::string_view profile, const ProfilePlaces& places) {
  return is_file_name(profile) && path_join(places.cwd, profile) == path_join(places.cwd, places.project);
}

// The first about what is told of a run; there is one.
const Word& word_about_the_run(std::span<const Word> words) {
  for (const Word& word : words)
    if (word.option->group == OptionGroup::Output) return word;
  return words.back();
}

Status tighten(std::vector<Word>& words, const Parsed& parsed, const ProfilePlaces& places) {
  bool missing = ::access(places.project.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
  if (places.project.empty() || missing) return {};
  for (const std::string& profile : parsed.profiles) {
    if (names_project(profile, places)) return {};
  }
  Resolver resolver{places};
  Result<std::vector<Word>> project = resolver.by_file(places.project, places.project, {}, 0, places.project);
  if (!project) return tl::unexpected<Error>(std::move(project.error()));
  Result<Jail> before = jail_of(words, {}, parsed.words);
  if (!before) return tl::unexpected<Error>(std::move(before.error()));
  Result<Jail> after = jail_of(words, *project, parsed.words);
  if (!after) return tl::unexpected<Error>(std::move(after.error()));
  IMMURE_TRY(only_narrows(before->spec, after->spec, host_defaults()));
  if (!(before->run == after->run)) {
    const Word& word = word_about_the_run(*project);
    return loosens("--" + std::string(word.option->name), "what is told of a run is the caller's choice",
                   word.origin);
  }
  words.insert(words.end(), project->begin(), project->end());
  return {};
}

}  // namespace

ProfilePlaces ProfilePlaces::observe() {
  ProfilePlaces places;
  if (std::string user = user_profile_folder(); !user.empty()) places.folders.push_back(std::move(user));
  places.folders.emplace_back(kSystemProfiles);
  places.folders.emplace_back(kVendorProfiles);
  places.project = kProjectProfile;
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') places.home = home;
  char folder[4096];
  if (::getcwd(folder, sizeof folder) != nullptr) places.cwd = folder;
  places.uid = ::geteuid();
  return places;
}

Result<std::vector<Word>> read_profile(std::string_view name_or_file, const ProfilePlaces& places) {
  Resolver resolver{places};
  std::string text(name_or_file);
  std::string origin = "--profile " + printable(text);
  if (is_file_name(text)) return resolver.by_file(text, text, {}, 0, origin);
  return resolver.by_name(text, 0, origin);
}

Result<std::vector<Word>> words_of_files(const Parsed& parsed, const ProfilePlaces& places) {
  std::vector<Word> words;
  std::vector<std::string> profiles = parsed.profiles;
  if (profiles.empty()) profiles.emplace_back("default");
  for (const std::string& profile : profiles) {
    Result<std::vector<Word>> more = read_profile(profile, places);
    if (!more) return more;
    words.insert(words.end(), more->begin(), more->end());
  }
  if (Status tightened = tighten(words, parsed, places); !tightened)
    return tl::unexpected<Error>(std::move(tightened.error()));
  return words;
}

std::optional<std::string> profile_file_place(std::string_view name, const ProfilePlaces& places) {
  if (!valid_name(name)) return std::nullopt;
  for (const std::string& folder : places.folders)
    if (auto path = file_in(folder, name)) return path;
  return std::nullopt;
}

std::vector<std::string> profile_names(const ProfilePlaces& places) {
  std::vector<std::string> names;
  for (const ShippedProfile& profile : shipped_profiles()) names.emplace_back(profile.name);
  for (const std::string& folder : places.folders) {
    DIR* dir = ::opendir(folder.c_str());
    if (dir == nullptr) continue;
    while (const dirent* entry = ::readdir(dir)) {
      std::string_view name = entry->d_name;
      for (std::string_view ending : kEndings) {
        if (!name.ends_with(ending)) continue;
        name.remove_suffix(ending.size());
        if (valid_name(name)) names.emplace_back(name);
        break;
      }
    }
    ::closedir(dir);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace immure

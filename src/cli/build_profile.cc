#include "cli/build_profile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/wanted.h"
#include "input/options.h"
#include "input/policy.h"

namespace immure::cli {
namespace {

constexpr std::string_view kFirstLine = "# Made by immure build: immure run --profile FILE -- CMD\n";

// ':' parts the words of a grant, and '\\' is what takes that away.
std::string escaped(std::string_view path) {
  std::string text;
  for (char c : path) {
    if (c == ':' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

}  // namespace

Result<std::string> profile_for(const std::string& root, const rootfs::BindList& binds,
                                const std::vector<std::string>& run_words, const std::string& place) {
  std::vector<std::string> words = run_words;
  words.push_back("--root=" + root);
  for (const rootfs::BindList::Mount& mount : binds.mounts)
    words.push_back("--ro-bind=" + escaped(mount.source) + ":" + escaped(mount.path));
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  auto parsed = parse_arguments(arguments, 1);
  if (!parsed) {
    parsed.error().origin = place;
    return tl::unexpected<Error>(std::move(parsed.error()));
  }
  std::string text(kFirstLine);
  // A profile that it stands on is named, not copied: it may be updated.
  for (std::string& base : parsed->profiles) base = "\"" + base + "\"";
  if (!parsed->profiles.empty()) text += "extends = [" + join(parsed->profiles, ", ") + "]\n";
  Jail jail;
  for (const Word& word : parsed->words) IMMURE_TRY(apply(jail, word));
  return text + policy_toml(jail.spec, nullptr, false);
}

std::string bind_profile(const std::string& root) { return path_normal(root) + ".immure.toml"; }

bool is_made_profile(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  std::string first(kFirstLine.size(), '\0');
  return fd && fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
         read(fd.get(), first.data(), first.size()) == static_cast<ssize_t>(first.size()) &&
         first == kFirstLine;
}

void remove_made_profile(const std::string& path) {
  if (is_made_profile(path)) unlink(path.c_str());
}

}  // namespace immure::cli

#include "prove/foreign.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "prove/unit.h"

namespace immure::prove {
namespace {

// How their own pages begin.
struct Known {
  std::string_view name, command;
  std::string_view of_image = {};  // NAME:IMAGE
};
constexpr Known kKnown[] = {
    {"none", "env {}"},
    {"chroot", "chroot {root} {}"},
    {"unshare", "unshare --user --map-root-user --mount --pid --fork --root={root} {}"},
    {"bwrap", "bwrap --ro-bind {root} / --proc /proc --dev /dev --unshare-all {}"},
    {"nspawn", "systemd-nspawn --quiet --pipe --directory={root} {}"},
    {"docker", "docker run --rm --volume {program}:/immure-probe:ro --entrypoint /immure-probe debian {args}",
     "docker run --rm --volume {program}:/immure-probe:ro --entrypoint /immure-probe IMAGE {args}"},
    // Without an image: it runs a root that is a folder, too.
    {"podman", "podman run --rm --rootfs {root} {}",
     "podman run --rm --volume {program}:/immure-probe:ro --entrypoint /immure-probe IMAGE {args}"},
};

tl::unexpected<Error> bad(std::string what, std::string why = {}) {
  return fail(Code::kUsage, std::move(what), std::move(why), "--against 'bwrap --ro-bind / / {}'");
}

Result<std::vector<std::string>> shell_words(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i], in_word = true;
    } else if (quote != '\0') {
      if (c == quote)
        quote = '\0';
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c, in_word = true;
    } else if (!blank) {
      word += c, in_word = true;
    } else if (in_word) {
      words.push_back(std::move(word));
      word.clear();
      in_word = false;
    }
  }
  if (quote != '\0') return bad("--against has a quote that is not closed");
  if (in_word) words.push_back(std::move(word));
  return words;
}

std::string well_known(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  for (const Known& known : kKnown) {
    const bool of_image = name.size() != text.size();
    if (known.name != name || (of_image && known.of_image.empty()) || text.ends_with(':')) continue;
    std::string command(of_image ? known.of_image : known.command);
    // As a user chroot takes a user namespace.
    if (name == "chroot" && geteuid() != 0) command = "unshare --user --map-root-user " + command;
    if (of_image) command.replace(command.find("IMAGE"), 5, text.substr(name.size() + 1));
    return command;
  }
  return text;
}

}  // namespace

std::vector<std::string_view> known_sandboxes() {
  std::vector<std::string_view> names = {"pid", "unit"};
  for (const Known& known : kKnown) names.push_back(known.name);
  return names;
}

Result<std::vector<std::string>> foreign_command(const std::string& text) {
  for (std::string_view kind : {"unit ", "systemd-unit "})
    if (text.starts_with(kind)) return unit_command(text.substr(kind.size()));
  auto words = shell_words(well_known(text));
  if (!words) return words;
  auto stands_for_program = [](const std::string& word) { return word == kProgramAndArgs || word == kArgs; };
  const auto n = std::count_if(words->begin(), words->end(), stands_for_program);
  if (n != 1 || !stands_for_program(words->back()))
    return bad("--against needs {} as its last word", "it stands for the program that goes inside");
  if (words->size() == 1) return bad("--against names no command");
  return words;
}

}  // namespace immure::prove

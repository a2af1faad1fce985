#include <string.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "rootfs/family.h"

namespace immure::rootfs {
namespace {

bool is_pattern(std::string_view word) { return word.find_first_of("*?[") != std::string_view::npos; }

}  // namespace

Result<Preset> settled(Preset preset, const Source& source) {
  Status status;
  auto matched = [&](const std::string& word, Code code) {
    std::vector<std::string> found = source.glob(word);
    if (found.empty() && status) {
      status = fail(
          code, "the preset " + quoted(preset.name) + " needs " + quoted(word) + ", which is not here", {},
          preset.packages.empty() ? "install the package that has it"
                                  : "apt-get install " + join(preset.packages, " "),
          preset.place, ENOENT);
    }
    return found;
  };
  // php-fpm8.10 is newer than php-fpm8.2.
  auto newest = [&](std::string& word) {
    if (!is_pattern(word)) return;
    std::vector<std::string> found = matched(word, Code::kNotFound);
    auto best = std::max_element(found.begin(), found.end(), [](const std::string& a, const std::string& b) {
      return strverscmp(a.c_str(), b.c_str()) < 0;
    });
    if (best != found.end()) word = *best;
  };
  for (std::string& program : preset.programs) newest(program);
  if (!preset.smoke.empty()) newest(preset.smoke.front());
  std::vector<std::string> files;
  for (const std::string& word : preset.files) {
    std::vector<std::string> found =
        is_pattern(word) ? matched(word, Code::kMissingSource) : std::vector<std::string>{word};
    files.insert(files.end(), found.begin(), found.end());
  }
  preset.files = std::move(files);
  if (!status) return tl::unexpected<Error>(std::move(status.error()));
  return preset;
}

}  // namespace immure::rootfs

#include "cli/build_used.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"
#include "cli/learned.h"
#include "cli/record.h"

namespace immure::cli {
namespace {

constexpr size_t kBeginning = 4096;

Result<std::string> beginning_of(const std::string& file) {
  const UniqueFd opened(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(kBeginning, '\0');
  const ssize_t n = opened ? pread(opened.get(), text.data(), text.size(), 0) : -1;
  if (n < 0)
    return fail(Code::kMissingSource, quoted(file) + " cannot be read", {},
                "name what immure learn --save, watch --trace or run --record-files wrote", "--used", errno);
  text.resize(static_cast<size_t>(n));
  return text;
}

OpenedFiles files_of(const learn::Needs& needs) {
  OpenedFiles files;
  files.missing = needs.lost + needs.beyond;
  for (const auto& [path, item] : needs.of(learn::Part::File)) {
    const bool failed = (item.uses & (learn::kMissing | learn::kRefused | learn::kDenied)) != 0;
    if ((item.uses & learn::kWorked) != 0 || !failed) files.paths.push_back(path);
  }
  return files;
}

}  // namespace

Result<OpenedFiles> used_in(const std::string& file) {
  auto beginning = beginning_of(file);
  if (!beginning) return tl::unexpected<Error>(std::move(beginning.error()));
  if (beginning->find("\"immure.files/1\"") != std::string::npos) return recorded_files(file, true);
  learn::Needs needs;
  if (beginning->find("\"immure.needs/1\"") != std::string::npos)
    IMMURE_TRY(add_saved(file, needs));
  else
    IMMURE_TRY(add_trace(file, needs));
  return files_of(needs);
}

}  // namespace immure::cli

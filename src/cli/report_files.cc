#include "cli/report_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/verbs.h"

namespace immure::cli {
namespace {

constexpr int kMostLinks = 40;

tl::unexpected<Error> cannot_write(std::string_view option, const std::string& path, std::string why,
                                   int err) {
  return fail(Code::kBadValue, "cannot write " + quoted(path), std::move(why), "name another file",
              std::string(option), err);
}

std::string folder_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Where a name leads; the name itself when nothing is there yet, and for a link to nothing. In a folder where
// everybody may write, a link of somebody else leads nowhere, whatever fs.protected_symlinks says.
Result<std::string> real_path(std::string path) {
  for (int hops = 0; hops < kMostLinks; ++hops) {
    UniqueFd at(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat link {
    }, folder{};
    if (!at || fstat(at.get(), &link) != 0 || !S_ISLNK(link.st_mode)) return path;
    constexpr mode_t kOpenToAll = S_ISVTX | S_IWOTH;
    if (stat(folder_of(path).c_str(), &folder) != 0 ||
        ((folder.st_mode & kOpenToAll) == kOpenToAll && link.st_uid != geteuid() &&
         link.st_uid != folder.st_uid))
      return fail(Code::kSystem, "cannot open " + quoted(path), "it is a link of somebody else's", {}, {},
                  EACCES);
    char target[PATH_MAX];
    const ssize_t n = readlinkat(at.get(), "", target, sizeof target);
    if (n <= 0) return fail(Code::kSystem, "cannot open " + quoted(path), {}, {}, {}, errno);
    const std::string_view name(target, static_cast<size_t>(n));
    path = name.starts_with('/') ? std::string(name) : folder_of(path) + "/" + std::string(name);
  }
  return fail(Code::kSystem, "cannot open " + quoted(path), {}, {}, {}, ELOOP);
}

Status check_named(std::string_view option, const std::string& path) {
  if (path.empty() || path == "-") return {};
  const auto real = real_path(path);
  if (!real) return cannot_write(option, path, real.error().why, real.error().sys_errno);
  struct stat there {};
  const bool exists = lstat(real->c_str(), &there) == 0;
  if (exists && S_ISDIR(there.st_mode)) return cannot_write(option, path, "it is a folder", 0);
  if (exists && !S_ISREG(there.st_mode)) return {};
  const std::string folder = folder_of(*real);
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return cannot_write(option, path, "the folder " + quoted(folder), errno);
  return {};
}

mode_t mode_of_new_files() {
  mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

Status write_named(const std::string& path, std::string_view text) {
  const auto real = real_path(path);
  if (!real) return tl::unexpected<Error>(real.error());
  struct stat there {};
  const bool exists = lstat(real->c_str(), &there) == 0, own = exists && there.st_uid == geteuid();
  if (!exists || S_ISREG(there.st_mode))
    return write_file_atomic(*real, text, own ? there.st_mode & 0777 : mode_of_new_files());
  UniqueFd fd(open(real->c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY));
  if (!fd) return fail(Code::kSystem, "cannot open " + quoted(path), {}, {}, {}, errno);
  return write_fd(fd.get(), text, path);
}

namespace {

Result<std::string> whole_path(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  auto real = real_path(path);
  if (!real) return real;
  const std::unique_ptr<char, decltype(&std::free)> folder(realpath(folder_of(*real).c_str(), nullptr),
                                                           &std::free);
  if (!folder)
    return fail(Code::kSystem, "cannot write " + quoted(path), "its folder is not to be had",
                "make the folder, or name a file in another one", {}, errno);
  return std::string(folder.get()) + "/" + real->substr(real->rfind('/') + 1);
}

bool is_there(const std::string& path) {
  struct stat there {};
  return lstat(path.c_str(), &there) == 0;
}

Error made_meanwhile(const std::string& path) {
  return Error{Code::kSystem,
               0,
               "cannot write " + quoted(path),
               "what is there was not there, or elsewhere, before the program ran",
               "look at it, and name a file in a folder that the program cannot write in",
               {}};
}

}  // namespace

Result<NamedPlace> NamedPlace::of(const std::string& path) {
  NamedPlace place;
  if (path.empty()) return place;
  auto whole = whole_path(path);
  if (!whole) return tl::unexpected<Error>(std::move(whole.error()));
  place.path_ = path;
  place.leads_to_ = std::move(*whole);
  place.was_there_ = is_there(place.leads_to_);
  return place;
}

Status NamedPlace::is_as_it_was() const {
  auto whole = whole_path(path_);
  if (!whole || *whole != leads_to_ || is_there(leads_to_) != was_there_)
    return tl::unexpected<Error>(made_meanwhile(path_));
  return {};
}

Status NamedPlace::write(std::string_view text) const {
  IMMURE_TRY(is_as_it_was());
  return write_named(leads_to_, text);
}

Status NamedPlace::write_inside(const std::string& name, std::string_view text) {
  IMMURE_TRY(is_as_it_was());
  if (!was_there_ && mkdir(leads_to_.c_str(), 0755) != 0)
    return fail(Code::kSystem, "the folder " + quoted(path_) + " cannot be made", {}, {}, {}, errno);
  was_there_ = true;
  const std::string file = leads_to_ + "/" + name;
  struct stat there {};
  if (lstat(file.c_str(), &there) == 0 && !S_ISREG(there.st_mode))
    return tl::unexpected<Error>(made_meanwhile(file));
  return write_file_atomic(file, text, mode_of_new_files());
}

Status check_outputs(const ReportFiles& asked) {
  std::vector<std::string_view> asking;
  if (asked.json) asking.emplace_back("--json");
  if (asked.jsonl) asking.emplace_back("--jsonl");
  const std::pair<std::string_view, const std::string&> files[] = {
      {"--sarif", asked.sarif}, {"--junit", asked.junit}, {"--html", asked.html}};
  for (const auto& [name, file] : files)
    if (file == "-") asking.push_back(name);
  if (asking.size() > 1)
    return fail(Code::kUsage, "standard output is asked for twice",
                "by " + std::string(asking[0]) + " and by " + std::string(asking[1]),
                "name a file for one of them");
  for (size_t i = 0; i < std::size(files); ++i)
    for (size_t j = 0; j < i; ++j)
      if (!files[i].second.empty() && files[i].second == files[j].second)
        return fail(
            Code::kUsage,
            std::string(files[j].first) + " and " + std::string(files[i].first) + " name the same file",
            quoted(files[i].second), "name another for one of them");
  return {};
}

Status check_report_files(const ReportFiles& files) {
  IMMURE_TRY(check_named("--sarif", files.sarif));
  IMMURE_TRY(check_named("--junit", files.junit));
  return check_named("--html", files.html);
}

Status write_report(const std::string& file, std::string_view text) {
  if (file.empty()) return {};
  return file == "-" ? say(text) : write_named(file, text);
}

Status tell(const ReportFiles& files, std::string_view text) {
  return files.has_document() ? write_fd(2, text, "standard error") : say(text);
}

}  // namespace immure::cli

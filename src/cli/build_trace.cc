#include "cli/build_trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "cli/jail_job.h"
#include "cli/record.h"

namespace immure::cli {
namespace {

constexpr std::string_view kPrefix = "immure-trace-";
constexpr std::string_view kRecord =
    "record";  // and what its writer puts beside it before the name is its own

std::string folder_above() {
  const char* above = std::getenv("TMPDIR");
  return above != nullptr && *above == '/' ? above : "/tmp";
}

bool is_nobodys(const struct stat& seen) { return seen.st_nlink == 0; }

// Takes a folder of records away whose lock is held by `folder`; what is no record in it stays, and it, too.
void take_away(int above, const char* name, int folder) {
  UniqueFd again(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return;
  DIR* list = fdopendir(again.release());
  if (list == nullptr) return;
  while (const dirent* entry = readdir(list))
    if (std::string_view(entry->d_name).starts_with(kRecord)) unlinkat(folder, entry->d_name, 0);
  closedir(list);
  unlinkat(above, name, AT_REMOVEDIR);
}

// What killed runs of this user have left: nobody holds its lock, which ends with its maker.
void collect_leftovers(int above) {
  UniqueFd again(openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return;
  DIR* list = fdopendir(again.release());
  if (list == nullptr) return;
  while (const dirent* entry = readdir(list)) {
    if (!std::string_view(entry->d_name).starts_with(kPrefix)) continue;
    UniqueFd folder(openat(above, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat seen {};
    if (!folder || fstat(folder.get(), &seen) != 0 || seen.st_uid != geteuid() ||
        (seen.st_mode & 07777) != 0700)
      continue;
    if (flock(folder.get(), LOCK_EX | LOCK_NB) == 0) take_away(above, entry->d_name, folder.get());
  }
  closedir(list);
}

// A folder for the record, which nobody else may enter; gone with the object. Its lock says that somebody is
// there who will take it away.
class RecordPlace {
 public:
  RecordPlace() {
    above_ = UniqueFd(open(folder_above().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!above_) return;
    collect_leftovers(above_.get());
    // Another run may take it for a leftover before the lock is on it: then once more.
    for (int tries = 0; tries < 5 && !made(); ++tries) {
      // mkdtemp(3) puts letters in place of the six at the end.
      folder_ = folder_above() + "/" + std::string(kPrefix) + "XXXXXX";
      if (mkdtemp(folder_.data()) == nullptr) return;
      lock_ = UniqueFd(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      struct stat seen {};
      if (lock_ && (flock(lock_.get(), LOCK_EX) != 0 || fstat(lock_.get(), &seen) != 0 || is_nobodys(seen)))
        lock_ = UniqueFd();
    }
  }
  ~RecordPlace() {
    if (made()) take_away(above_.get(), path_name(folder_).data(), lock_.get());
  }
  RecordPlace(const RecordPlace&) = delete;
  RecordPlace& operator=(const RecordPlace&) = delete;
  bool made() const { return static_cast<bool>(lock_); }
  std::string file() const { return folder_ + "/" + std::string(kRecord); }

 private:
  std::string folder_;
  UniqueFd above_, lock_;
};

}  // namespace

Result<OpenedFiles> recorded_files(const std::string& file, bool looked) {
  auto record = load_record(file);
  if (!record) return tl::unexpected<Error>(std::move(record.error()));
  OpenedFiles opened;
  opened.missing = record->unread + record->beyond;
  for (RecordedFile& one : record->files)
    if (one.read || one.run || (looked && one.looked)) opened.paths.push_back(std::move(one.path));
  return opened;
}

Result<OpenedFiles> opened_by(const std::vector<std::string>& command,
                              const std::vector<std::string>& options, bool looked) {
  RecordPlace place;
  if (!place.made())
    return fail(Code::kSystem, "no folder can be made for the record of files", {}, "check TMPDIR", {},
                errno);
  std::vector<std::string> words = options;
  words.insert(words.end(), {"--record-files=" + place.file(), "--wall-time=60s", "--no-tty"});
  auto job = in_jail(words, command);
  if (!job) return tl::unexpected<Error>(std::move(job.error()));
  constexpr int kNoJail = 125, kNotFound = 127;
  if (job->status >= kNoJail && job->status <= kNotFound)
    return fail(Code::kSystem, "the command " + quoted(command[0]) + " could not be watched",
                "status " + num_signed(job->status) + ": " + printable(job->output),
                "immure run -- " + printable(command[0]));
  return recorded_files(place.file(), looked);
}

}  // namespace immure::cli

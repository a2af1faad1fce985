#include "run/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::run {
namespace {

std::string name_in_folder(const std::string& path) { return std::string(path_name(path)); }

tl::unexpected<Error> cannot(const std::string& path, std::string why, std::string how, int error = 0) {
  return fail(Code::kBadValue, "the record of files cannot be written to " + quoted(path), std::move(why),
              std::move(how), {}, error);
}

}  // namespace

Result<RecordFile> RecordFile::make(const std::string& path) {
  std::string name = name_in_folder(path), above(path_folder(path));
  if (name.empty() || name == "." || name == "..")
    return cannot(path, "it names a folder", "name a file that is not there");
  UniqueFd folder(::open(above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return cannot(path, "its folder cannot be opened", "", errno);
  constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
  UniqueFd file(::openat(folder.get(), name.c_str(), kNew, 0600));
  if (!file && errno == EEXIST)
    return cannot(path, "something of that name is there", "name another file, or remove it");
  if (!file) return cannot(path, "it cannot be made", "", errno);
  return RecordFile(path, std::move(folder), std::move(file));
}

bool RecordFile::is_at_its_name() const {
  struct stat ours {
  }, there{};
  return fstat(file_.get(), &ours) == 0 &&
         fstatat(folder_.get(), name_in_folder(path_).c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

RecordFile::~RecordFile() {
  if (file_ && is_at_its_name()) unlinkat(folder_.get(), name_in_folder(path_).c_str(), 0);
}

Status RecordFile::write(std::string_view text) {
  if (!is_at_its_name()) {
    file_.reset();
    return cannot(path_, "another file has its name by now",
                  "name one in a folder where nobody else may write, the jail neither");
  }
  // A jail that may write in its folder could have written to it.
  if (ftruncate(file_.get(), 0) != 0) return cannot(path_, "what is in it cannot be thrown away", "", errno);
  if (auto written = write_fd(file_.get(), text, path_); !written)
    return cannot(path_, "not all of it could be written", "", written.error().sys_errno);
  file_.reset();
  return {};
}

}  // namespace immure::run

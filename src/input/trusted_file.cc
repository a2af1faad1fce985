#include "input/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

namespace immure {
namespace {

tl::unexpected<Error> cannot(const TrustedFile& file, std::string why, std::string how, int err = 0) {
  return fail(Code::kBadProfile, "cannot use the " + std::string(file.noun) + " " + quoted(file.shown_as),
              std::move(why), std::move(how), file.origin, err);
}

Status check_trust(const struct stat& st, const TrustedFile& file) {
  if (!S_ISREG(st.st_mode)) return cannot(file, "it is no regular file", "name a file");
  if ((st.st_mode & S_IWOTH) != 0)
    return cannot(file, "everybody may write to it", "chmod o-w " + printable(file.shown_as));
  if (st.st_uid != 0 && st.st_uid != file.uid) {
    return cannot(file, "it belongs to the user id " + num(st.st_uid) + ", neither to you nor to root",
                  "use a copy of your own, or change its owner");
  }
  return {};
}

}  // namespace

// Looked at before it is opened, for to open a device can do something already, and a project's file may name
// any; and by descriptor, so that what is checked is what is read.
Result<std::string> read_trusted_file(const TrustedFile& file, size_t limit) {
  UniqueFd place(::open(file.path.c_str(), O_PATH | O_CLOEXEC));
  int err = errno;
  if (!place) return cannot(file, "it cannot be opened", err == ENOENT ? file.how : "", err);
  struct stat st = {};
  if (::fstat(place.get(), &st) != 0) return cannot(file, "it cannot be looked at", {}, errno);
  if (Status trusted = check_trust(st, file); !trusted)
    return tl::unexpected<Error>(std::move(trusted.error()));
  std::string again = "/proc/self/fd/" + num(static_cast<uint64_t>(place.get()));
  UniqueFd fd(::open(again.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return cannot(file, "it cannot be opened", {}, errno);
  return read_fd(fd.get(), limit, file.shown_as);
}

}  // namespace immure

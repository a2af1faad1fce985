#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/fd.h"
#include "base/text.h"

namespace immure {
namespace {

tl::unexpected<Error> cannot(std::string_view verb, std::string_view path, int err) {
  return fail(Code::kSystem, "cannot " + std::string(verb) + " " + quoted(path), {}, {}, {}, err);
}

}  // namespace

Result<std::string> read_fd(int fd, size_t limit, std::string_view shown_as) {
  std::string text;
  size_t used = 0;
  for (;;) {
    if (used == text.size()) text.resize(used == 0 ? 4096 : used * 2);
    ssize_t n = ::read(fd, text.data() + used, text.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot("read", shown_as, errno);
    if (n == 0) break;
    used += static_cast<size_t>(n);
    if (used > limit) return cannot("read", shown_as, EFBIG);
  }
  text.resize(used);
  return text;
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return cannot("open", path, errno);
  return read_fd(fd.get(), limit, path);
}

Status write_fd(int fd, std::string_view text, std::string_view shown_as) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot("write", shown_as, errno);
    text.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

// The process id makes it its own among the living; a leftover of a dead one is replaced.
std::string temporary_name(const std::string& path) { return path + ".new." + num(static_cast<uint64_t>(::getpid())); }

Status write_file_atomic(const std::string& path, std::string_view text, unsigned mode, bool durable) {
  // A rename would put the file in place of a device or a FIFO: in that of /dev/null, for everybody.
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode))
    return cannot("replace what is no regular file,", path, S_ISDIR(there.st_mode) ? EISDIR : EINVAL);
  std::string temporary = temporary_name(path);
  ::unlink(temporary.c_str());
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return cannot("make", temporary, errno);
  Status written = write_fd(fd.get(), text, path);
  if (written && ::fchmod(fd.get(), mode) != 0) written = cannot("change the mode of", temporary, errno);
  if (written && durable && ::fsync(fd.get()) != 0) written = cannot("write", path, errno);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = cannot("replace", path, errno);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace immure

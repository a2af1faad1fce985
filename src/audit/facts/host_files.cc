#include "audit/facts/host_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/result.h"
#include "base/text.h"

namespace immure::audit {
namespace {

std::string_view stripped(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t\n\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\n\r") + 1 - from);
}

Seen refused(int error) {
  if (error == ENOENT || error == ENOTDIR) return {};
  return Seen::unread("not readable (" + errno_name(error) + ")");
}

UniqueFd open_regular(const std::string& path, Seen& why) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat seen {};
  if (!fd || fstat(fd.get(), &seen) != 0) {
    why = refused(errno);
    return {};
  }
  if (S_ISREG(seen.st_mode)) return fd;
  why = Seen::unread("no regular file");
  return {};
}

// Who may change it; "": root alone. `folder`: others' names are kept by the sticky bit.
std::string others_in(const struct stat& seen, bool folder) {
  const bool sticky = folder && (seen.st_mode & S_ISVTX) != 0;
  const bool wide = (seen.st_mode & S_IWOTH) != 0 || ((seen.st_mode & S_IWGRP) != 0 && seen.st_gid != 0);
  if (seen.st_uid == 0 && (!wide || sticky)) return {};
  char mode[16];
  snprintf(mode, sizeof mode, "%04o", seen.st_mode & 07777U);
  return "mode " + std::string(mode) + ", owner " + num(seen.st_uid) + ":" + num(seen.st_gid);
}

}  // namespace

Seen read_seen(const std::string& path, size_t limit) {
  Seen why;
  UniqueFd fd = open_regular(path, why);
  if (!fd) return why;
  auto text = read_fd(fd.get(), limit, path);
  if (!text) return refused(text.error().sys_errno == 0 ? EIO : text.error().sys_errno);
  return Seen::of(std::string(stripped(*text)));
}

Result<std::string> read_regular(const std::string& path, size_t limit) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat seen {};
  if (!fd || fstat(fd.get(), &seen) != 0)
    return fail(Code::kSystem, "cannot read " + quoted(path), {}, {}, {}, errno);
  if (!S_ISREG(seen.st_mode))
    return fail(Code::kSystem, "cannot read " + quoted(path), "it is no regular file");
  return read_fd(fd.get(), limit, path);
}

Seen read_packed(const std::string& path, size_t limit) {
  Seen why;
  UniqueFd fd = open_regular(path, why);
  if (!fd) return why;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> packed(gzdopen(fd.get(), "rb"), gzclose);
  if (!packed) return Seen::unread("no memory");
  fd.release();
  std::string text;
  char part[16384];
  int got = 0;
  while ((got = gzread(packed.get(), part, sizeof part)) > 0) {
    text.append(part, static_cast<size_t>(got));
    if (text.size() > limit) return Seen::unread("longer than expected");
  }
  if (got < 0) return Seen::unread("not what gzip writes");
  return Seen::of(std::move(text));
}

bool look_at_chain(const std::string& prefix, const std::string& path, std::string& changeable,
                   std::string& why) {
  std::string rest = path_normal(path), done;
  for (int links = 0; !rest.empty() && rest != "/";) {
    const size_t next = rest.find('/', 1);
    const std::string here = done + rest.substr(0, next);
    rest = next == std::string::npos ? std::string() : rest.substr(next);
    struct stat seen {};
    if (lstat((prefix + here).c_str(), &seen) != 0) return false;
    if (S_ISLNK(seen.st_mode)) {
      char target[4096];
      const ssize_t length = readlink((prefix + here).c_str(), target, sizeof target);
      if (length <= 0 || ++links > 16) return false;
      rest =
          path_join(done.empty() ? "/" : done, std::string_view(target, static_cast<size_t>(length))) + rest;
      done.clear();
      continue;
    }
    done = here;
    if (changeable.empty())
      if (std::string found = others_in(seen, S_ISDIR(seen.st_mode)); !found.empty()) {
        changeable = here;
        why = std::move(found);
      }
  }
  return true;
}

}  // namespace immure::audit

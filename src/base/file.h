// Small files as a whole: read with a bound, written so that a reader sees the old text or the new one, never
// a part. Errors carry the path and errno; the caller adds the hint and the origin.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace immure {

// Up to `limit` bytes; a longer file is an error (EFBIG), so that /dev/zero or a huge file cannot take the
// memory.
Result<std::string> read_fd(int fd, size_t limit, std::string_view shown_as);
Result<std::string> read_file(const std::string& path, size_t limit = 16u << 20);

// All of it, again after EINTR and after a short write.
Status write_fd(int fd, std::string_view text, std::string_view shown_as);

// A temporary file beside `path` (mode as given, whatever the umask), then rename(2). Nothing stays behind
// when it fails. `durable`: fsync(2) before the rename. What is there and is no regular file (a device, a FIFO) is an error;
// a link is replaced.
Status write_file_atomic(const std::string& path, std::string_view text, unsigned mode, bool durable = false);
// Where this process writes it before it takes that name: what a killed one may leave behind.
std::string temporary_name(const std::string& path);

}  // namespace immure

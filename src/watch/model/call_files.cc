#include "watch/model/call_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/fd.h"
#include "base/text.h"

namespace immure::watch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHow = "a trace is system call numbers with blanks or newlines between them";

tl::unexpected<Error> unreadable(const std::string& path, int err) {
  Code code = err == ENOENT || err == ENOTDIR ? Code::kMissingSource : Code::kSystem;
  return fail(code, "the trace " + immure::quoted(path) + " cannot be read", {}, {}, {}, err);
}

// Bytes become numbers, wherever the pieces end that they come in.
class Numbers {
 public:
  Numbers(std::string_view shown_as, const std::function<void(uint32_t)>& take)
      : shown_as_(shown_as), take_(take) {}

  Status feed(std::string_view piece) {
    for (char c : piece) {
      if (c >= '0' && c <= '9') {
        value_ = value_ * 10 + static_cast<uint32_t>(c - '0');
        inside_ = true;
        if (value_ > kMostCallNumber)
          return wrong("there is no system call with so great a number as one that begins " + num(value_));
        continue;
      }
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
        return wrong(immure::quoted({&c, 1}) + " is no digit");
      flush();
      if (c == '\n') ++line_;
    }
    return {};
  }
  void flush() {
    if (!inside_) return;
    take_(value_);
    ++count_;
    value_ = 0;
    inside_ = false;
  }
  uint64_t count() const { return count_; }

 private:
  Status wrong(std::string why) const {
    return fail(Code::kBadValue,
                "the trace " + immure::quoted(shown_as_) + " holds something else than system calls",
                std::move(why), std::string(kHow), std::string(printable(shown_as_)) + ":" + num(line_));
  }

  std::string_view shown_as_;
  const std::function<void(uint32_t)>& take_;
  uint64_t count_ = 0, line_ = 1;
  uint32_t value_ = 0;
  bool inside_ = false;
};

Status add_folder(std::vector<std::string>& files, const std::string& folder) {
  size_t before = files.size();
  std::error_code wrong;
  fs::recursive_directory_iterator at(folder, wrong), end;
  while (!wrong && at != end) {
    if (fs::is_regular_file(at->symlink_status(wrong)) && !wrong) files.push_back(at->path().string());
    at.increment(wrong);
  }
  if (wrong)
    return fail(Code::kSystem, "the folder " + immure::quoted(folder) + " cannot be read", {}, {}, {},
                wrong.value());
  if (files.size() == before)
    return fail(Code::kMissingSource, "there is no file in the folder " + immure::quoted(folder), {},
                std::string(kHow));
  std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  return {};
}

}  // namespace

Result<std::vector<std::string>> call_files(std::span<const std::string_view> words) {
  std::vector<std::string> files;
  for (std::string_view word : words) {
    std::string path(word);
    struct stat at = {};
    if (path == "-") {
      files.push_back(path);
    } else if (stat(path.c_str(), &at) != 0) {
      return unreadable(path, errno);
    } else if (S_ISDIR(at.st_mode)) {
      IMMURE_TRY(add_folder(files, path));
    } else {
      files.push_back(path);
    }
  }
  return files;
}

Result<uint64_t> read_calls(const std::string& path, const std::function<void(uint32_t call)>& take) {
  UniqueFd file;
  int fd = STDIN_FILENO;
  if (path != "-") {
    file = UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return unreadable(path, errno);
    fd = file.get();
  }
  std::string shown_as = path == "-" ? "standard input" : path;
  Numbers numbers(shown_as, take);
  std::array<char, 1 << 16> piece;
  for (;;) {
    ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(shown_as, errno);
    if (got == 0) break;
    IMMURE_TRY(numbers.feed({piece.data(), static_cast<size_t>(got)}));
  }
  numbers.flush();
  if (numbers.count() == 0)
    return fail(Code::kBadValue, "the trace " + immure::quoted(shown_as) + " holds no system call",
                "it is empty", std::string(kHow));
  return numbers.count();
}

}  // namespace immure::watch

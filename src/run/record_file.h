// The file of --record-files, outside: made new when the jail is about to be, never over what is there and
// never through a link, and written when the jail has ended. Without that it goes with this object, so that
// there is a whole record or none, but for who is killed: an empty file is no record.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace immure::run {

class RecordFile {
 public:
  // Errors: kBadValue when something of that name is there, or no file can be made.
  static Result<RecordFile> make(const std::string& path);

  RecordFile(RecordFile&& other) noexcept = default;
  RecordFile& operator=(RecordFile&&) = delete;
  ~RecordFile();

  // All of it, once. An error when it cannot be written, or when the name leads to another file by now: the
  // jail, or somebody outside, could write in its folder. What is at the name then is left alone.
  Status write(std::string_view text);

 private:
  RecordFile(std::string path, UniqueFd folder, UniqueFd file)
      : path_(std::move(path)), folder_(std::move(folder)), file_(std::move(file)) {}
  bool is_at_its_name() const;

  std::string path_;
  UniqueFd folder_, file_;  // file_: none when nothing has to be taken away any more
};

}  // namespace immure::run

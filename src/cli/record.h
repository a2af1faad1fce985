// Reads what `immure run --record-files` wrote (run/opened.h). Everything in it was chosen by a program in a
// jail: a list of names that it asked for, found or not, and nothing that follows from them. A record that is
// not whole is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::cli {

struct RecordedFile {
  std::string
      path;  // as the jail saw it: begins with "/", has no NUL; ".." may stand in it, links were not followed
  // Looked: asked whether it is there, what it is, or what a link says. What was only looked at may be as
  // many files as there are; but it may also have to be there, such as the source of a module whose compiled
  // form is read.
  bool read = false, written = false, run = false, looked = false;
};

struct Record {
  std::string jail;
  std::vector<RecordedFile> files;  // sorted by path, as they were written
  uint64_t unread = 0,
           beyond = 0;  // calls that are missing in it: their paths could not be read, or had no room
};

// Errors: kMissingSource when there is no such regular file (links are not followed), kBadValue when it is no
// record.
Result<Record> load_record(const std::string& file);
Result<Record> parse_record(std::string_view text, std::string_view shown_as);

// The paths alone.
Result<std::vector<std::string>> read_record(const std::string& file);

}  // namespace immure::cli

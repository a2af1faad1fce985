// A file that decides what a jail gives away: read only when whoever can write it is the caller or root. Only
// in immure-full.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace immure {

struct TrustedFile {
  std::string path;
  std::string shown_as;   // in messages
  std::string_view noun;  // "profile": what messages call it
  std::string origin;     // of the word that names it
  uint32_t uid = 0;       // files of another user than this one and root are refused
  std::string how = {};   // what to do when it is not there
};

// Errors: kBadProfile: no regular file, one that everybody may write to, one of another user; `limit` in
// bytes.
Result<std::string> read_trusted_file(const TrustedFile& file, size_t limit);

}  // namespace immure

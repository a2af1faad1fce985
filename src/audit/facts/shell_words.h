// A line as a shell would split it, without what only the shell knows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::audit {

struct ShellWord {
  std::string text;      // quotes and backslashes taken away; "$HOME" stays as it is written
  bool expands = false;  // the shell would have put something in: what comes out is not known
  bool splits = false;   // … and outside of quotes, so that it may be any number of words
};

// Ends at an unquoted ; & | or newline, and at # that begins a word. A backslash before a newline joins
// lines. What redirects (11< file) is left out. kBadValue: a quote that does not end.
Result<std::vector<ShellWord>> shell_words(std::string_view line);

}  // namespace immure::audit

// Text for a terminal of 80 columns: headings, rows with a mark, and what belongs to a row wrapped below it.
// Everything that is shown passes through printable(), so that no name can write to the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace immure::cli {

enum class Mark : uint8_t { None, Good, Note, Bad };

class Page {
 public:
  // `mark_width`: columns of a row's first word, with the blank behind it.
  explicit Page(bool colour, size_t width = 80, size_t mark_width = 6)
      : colour_(colour), width_(width), mark_width_(mark_width) {}
  void heading(std::string_view text);
  // "  ok    name                  value", the value wrapped in its own column.
  void row(Mark mark, std::string_view word, std::string_view name, std::string_view value);
  // "  ok    text", wrapped behind the mark: several things that are alike.
  void marked(Mark mark, std::string_view word, std::string_view text);
  // "  name              value", without a mark.
  void pair(std::string_view name, std::string_view value);
  // A line of its own below the row before, in the value's column: "fix: …".
  void detail(std::string_view label, std::string_view text);
  // The same for what is to be copied: never broken, however long.
  void whole(std::string_view label, std::string_view text);
  void line(std::string_view text);
  // A line as it is, indented and never broken: commands and what they said.
  void verbatim(std::string_view text);
  void blank() { out_ += '\n'; }
  const std::string& str() const { return out_; }

 private:
  void lead(Mark mark, std::string_view word);
  void wrapped(std::string_view text, size_t column, size_t used);
  bool colour_;
  size_t width_, mark_width_;
  size_t column_ = 0;  // of the values of the last row
  std::string out_;
};

}  // namespace immure::cli

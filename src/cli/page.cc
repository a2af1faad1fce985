#include "cli/page.h"

#include "base/text.h"

namespace immure::cli {
namespace {

constexpr size_t kNameWidth = 22, kPairWidth = 16;

// How many columns a text takes: a continuation byte of UTF-8 takes none. Wide characters are not in these
// tables.
size_t columns(std::string_view text) {
  size_t n = 0;
  for (char c : text)
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) n++;
  return n;
}

std::string padded(std::string_view text, size_t width) {
  std::string out(text);
  size_t used = columns(text);
  out.append(used < width ? width - used : 1, ' ');
  return out;
}

const char* colour_of(Mark mark) {
  switch (mark) {
    case Mark::None: return "";
    case Mark::Good: return "\033[32m";
    case Mark::Note: return "\033[33m";
    case Mark::Bad: return "\033[31m";
  }
  return "";
}

}  // namespace

void Page::heading(std::string_view text) {
  if (!out_.empty()) out_ += '\n';
  if (colour_) out_ += "\033[1m";
  out_ += printable(text);
  if (colour_) out_ += "\033[0m";
  out_ += '\n';
}

// Words are put on the line while they fit; a word longer than a line is not broken, so that it can be
// copied.
void Page::wrapped(std::string_view text, size_t column, size_t used) {
  std::string safe = printable(text);
  std::string_view rest = safe;
  size_t at = used;
  bool first = true;
  while (!rest.empty()) {
    size_t end = rest.find(' ');
    std::string_view word = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    size_t size = columns(word);
    if (!first && at + 1 + size > width_) {
      while (out_.back() == ' ') out_.pop_back();
      out_ += '\n';
      out_.append(column, ' ');
      at = column;
    } else if (!first) {
      out_ += ' ';
      at++;
    }
    out_ += word;
    at += size;
    first = false;
  }
  while (!out_.empty() && out_.back() == ' ') out_.pop_back();
  out_ += '\n';
}

void Page::lead(Mark mark, std::string_view word) {
  out_ += "  ";
  if (colour_) out_ += colour_of(mark);
  out_ += padded(word, mark_width_);
  if (colour_ && mark != Mark::None) out_ += "\033[0m";
}

void Page::marked(Mark mark, std::string_view word, std::string_view text) {
  column_ = 2 + mark_width_;
  lead(mark, word);
  wrapped(text, column_, column_);
}

void Page::row(Mark mark, std::string_view word, std::string_view name, std::string_view value) {
  column_ = 2 + mark_width_ + kNameWidth;
  lead(mark, word);
  std::string label = padded(printable(name), kNameWidth);
  out_ += label;
  wrapped(value, column_, 2 + mark_width_ + columns(label));
}

void Page::pair(std::string_view name, std::string_view value) {
  column_ = 2 + kPairWidth;
  std::string label = padded(printable(name), kPairWidth);
  out_ += "  " + label;
  wrapped(value, column_, 2 + columns(label));
}

void Page::detail(std::string_view label, std::string_view text) {
  out_.append(column_, ' ');
  if (!label.empty()) {
    out_ += label;
    out_ += ": ";
  }
  size_t start = column_ + (label.empty() ? 0 : columns(label) + 2);
  wrapped(text, start, start);
}

void Page::whole(std::string_view label, std::string_view text) {
  out_.append(column_, ' ');
  out_ += std::string(label) + ": " + printable(text) + "\n";
}

void Page::verbatim(std::string_view text) { out_ += "    " + printable(text) + "\n"; }

void Page::line(std::string_view text) {
  out_ += "  ";
  wrapped(text, 2, 2);
}

}  // namespace immure::cli

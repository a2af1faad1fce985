#include "base/text.h"

#include <algorithm>

#include "base/utf8.h"

namespace immure {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

void escape_byte(std::string& out, char c) {
  auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kHexDigits[byte >> 4];
  out += kHexDigits[byte & 15];
}

// C0, DEL and C1 controls, line and paragraph separators, and the marks that reverse what a person reads.
bool hides_something(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f || code == 0xfeff;
}

}  // namespace

std::string num(uint64_t value) {
  char digits[20];
  char* end = digits + sizeof digits;
  char* at = end;
  do {
    *--at = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return std::string(at, static_cast<size_t>(end - at));
}

std::string num_signed(int64_t value) {
  if (value >= 0) return num(static_cast<uint64_t>(value));
  return "-" + num(uint64_t{0} - static_cast<uint64_t>(value));
}

std::string hex(uint64_t value) {
  char digits[16];
  char* end = digits + sizeof digits;
  char* at = end;
  do {
    *--at = kHexDigits[value & 15];
    value >>= 4;
  } while (value != 0);
  return "0x" + std::string(at, static_cast<size_t>(end - at));
}

std::optional<uint64_t> parse_u64(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) return std::nullopt;
  }
  return value;
}

unsigned edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the optimal string alignment table; rows are by a, columns by b.
  std::vector<unsigned> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = static_cast<unsigned>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<unsigned>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      unsigned replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, replaced});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(previous);
    previous.swap(row);
  }
  return previous[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr size_t kLongestWord = 64;  // a longer one was not meant to be any of ours
  std::string_view best;
  if (word.empty() || word.size() > kLongestWord) return best;
  unsigned least = static_cast<unsigned>(std::max<size_t>(1, word.size() / 3)) + 1;
  for (std::string_view candidate : candidates) {
    unsigned distance = edit_distance(word, candidate);
    if (distance < least && distance < candidate.size()) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = utf8_char(text, at);
    bool shown = c.length != 0 && !hides_something(c.code);
    unsigned length = std::max(c.length, 1u);
    for (unsigned i = 0; i < length; ++i) {
      if (shown) {
        out += text[at + i];
      } else {
        escape_byte(out, text[at + i]);
      }
    }
    at += length;
  }
  return out;
}

std::string counted(uint64_t n, std::string_view one, std::string_view many) {
  return num(n) + " " + std::string(n == 1 ? one : many);
}

std::string Quoted::operator()(std::string_view text) const {
  std::string out = "'";
  for (char c : printable(text)) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string join(std::span<const std::string> parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) {
    if (&part != parts.data()) out += between;
    out += part;
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace immure

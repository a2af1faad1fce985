// Patterns of the shell, matched without going back further than to the last star: a hostile pattern or name
// costs at most the product of their lengths.
#include <algorithm>

#include "base/text.h"
#include "rootfs/family.h"

namespace immure::rootfs {
namespace {

// One element of a pattern that is no star, at `at`: does it match `c`? `length`: its own.
bool one_matches(std::string_view pattern, size_t at, char c, size_t& length) {
  length = 1;
  if (pattern[at] == '?') return true;
  if (pattern[at] == '\\' && at + 1 < pattern.size()) {
    length = 2;
    return pattern[at + 1] == c;
  }
  if (pattern[at] != '[') return pattern[at] == c;
  size_t from = at + 1;
  bool negated = from < pattern.size() && (pattern[from] == '!' || pattern[from] == '^');
  if (negated) ++from;
  // A "]" that comes first is a member.
  size_t end = pattern.find(']', from + 1);
  if (end == std::string_view::npos) return c == '[';
  length = end + 1 - at;
  auto byte = [&](size_t i) { return static_cast<unsigned char>(pattern[i]); };
  bool found = false;
  for (size_t i = from; i < end; ++i) {
    if (i + 2 < end && pattern[i + 1] == '-') {
      found =
          found || (byte(i) <= static_cast<unsigned char>(c) && static_cast<unsigned char>(c) <= byte(i + 2));
      i += 2;
    } else {
      found = found || pattern[i] == c;
    }
  }
  return found != negated;
}

struct Star {
  size_t behind = 0;           // in the pattern
  size_t first = 0, last = 0;  // what it took of the text
};

bool match(std::string_view pattern, std::string_view text, std::vector<std::string>* stars) {
  std::vector<Star> met;
  size_t p = 0, t = 0;
  while (t < text.size() || p < pattern.size()) {
    size_t length = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      met.push_back({++p, t, t});
      continue;
    }
    if (p < pattern.size() && t < text.size() && one_matches(pattern, p, text[t], length)) {
      p += length;
      ++t;
      continue;
    }
    // The last star takes one more byte; those before it took as little as they could, which is enough.
    if (met.empty() || met.back().last == text.size()) return false;
    t = ++met.back().last;
    p = met.back().behind;
  }
  if (stars != nullptr)
    for (const Star& star : met) stars->emplace_back(text.substr(star.first, star.last - star.first));
  return true;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text, bool across, std::vector<std::string>* stars) {
  std::vector<std::string> found;
  if (across) {
    if (!match(pattern, text, &found)) return false;
  } else {
    std::vector<std::string_view> wanted = split(pattern, '/'), names = split(text, '/');
    if (wanted.size() != names.size()) return false;
    for (size_t i = 0; i < wanted.size(); ++i) {
      // As a shell has it: a name that begins with a dot is only matched by a dot.
      bool hidden = names[i].starts_with('.') && !wanted[i].starts_with('.') && !wanted[i].starts_with("\\.");
      if (hidden || !match(wanted[i], names[i], &found)) return false;
    }
  }
  if (stars != nullptr) *stars = std::move(found);
  return true;
}

}  // namespace immure::rootfs

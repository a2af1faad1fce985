// Patterns of the shell, matched without going back further than to the last star: a hostile pattern or name
// costs at most the product of their lengths.
#include <array>

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

constexpr size_t kStars = 9;  // "$1" to "$9"

// What the first stars of a pattern took. No more are kept: only the last star is ever gone back to.
struct Stars {
  std::array<std::string_view, kStars> took = {};
  size_t count = 0;
};

bool match(std::string_view pattern, std::string_view text, Stars& stars) {
  constexpr size_t kNone = std::string_view::npos;
  size_t p = 0, t = 0, behind = kNone, first = 0, last = 0;
  auto end_star = [&] {
    if (behind == kNone || stars.count == kStars) return;
    stars.took[stars.count++] = text.substr(first, last - first);
  };
  while (t < text.size() || p < pattern.size()) {
    size_t length = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      end_star();
      behind = ++p;
      first = last = t;
      continue;
    }
    if (p < pattern.size() && t < text.size() && one_matches(pattern, p, text[t], length)) {
      p += length;
      ++t;
      continue;
    }
    // The last star takes one more byte; those before it took as little as they could, which is enough.
    if (behind == kNone || last == text.size()) return false;
    t = ++last;
    p = behind;
  }
  end_star();
  return true;
}

// The part up to the next "/", which goes from `rest` with it. False: there is none left.
bool next_part(std::string_view& rest, bool& more, std::string_view& part) {
  if (!more) return false;
  size_t slash = rest.find('/');
  more = slash != std::string_view::npos;
  part = rest.substr(0, slash);
  rest.remove_prefix(more ? slash + 1 : rest.size());
  return true;
}

bool match_parts(std::string_view pattern, std::string_view text, Stars& stars) {
  bool more_pattern = true, more_text = true;
  std::string_view wanted, name;
  for (;;) {
    bool one = next_part(pattern, more_pattern, wanted), other = next_part(text, more_text, name);
    if (!one || !other) return one == other;
    // As a shell has it: a name that begins with a dot is only matched by a dot.
    if (name.starts_with('.') && !wanted.starts_with('.') && !wanted.starts_with("\\.")) return false;
    if (!match(wanted, name, stars)) return false;
  }
}

}  // namespace

// Asked for every file of a root and every pattern of the families: nothing is allocated for a no.
bool matches(std::string_view pattern, std::string_view text, bool across, std::vector<std::string>* stars) {
  Stars found;
  if (!(across ? match(pattern, text, found) : match_parts(pattern, text, found))) return false;
  if (stars != nullptr) stars->assign(found.took.begin(), found.took.begin() + found.count);
  return true;
}

}  // namespace immure::rootfs

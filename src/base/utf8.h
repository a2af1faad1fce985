// One look at UTF-8: is there a well-formed character here, how long, which. Source: RFC 3629 (no surrogates,
// no overlong forms, nothing above U+10FFFF).
#pragma once

#include <cstdint>
#include <string_view>

namespace immure {

struct Utf8Char {
  unsigned length = 0;  // bytes; 0: not well-formed at this place
  uint32_t code = 0;
};
Utf8Char utf8_char(std::string_view text, size_t at);

}  // namespace immure

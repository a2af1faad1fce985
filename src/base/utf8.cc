#include "base/utf8.h"

namespace immure {

Utf8Char utf8_char(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  uint32_t first = byte(at);
  if (first < 0x80) return {1, first};
  unsigned length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return {};
  uint32_t code = first & (0x7fu >> length);
  for (unsigned i = 1; i < length; ++i) {
    uint32_t next = byte(at + i);
    if ((next & 0xc0) != 0x80) return {};
    code = (code << 6) | (next & 0x3f);
  }
  bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return {};
  return {length, code};
}

}  // namespace immure

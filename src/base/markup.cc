#include "base/markup.h"

#include "base/text.h"

namespace immure {

std::string markup_text(std::string_view text) {
  // U+FFFE and U+FFFF: valid UTF-8, and no characters of XML 1.0. printable() has taken care of the others.
  constexpr std::string_view kNoCharacter = "\xef\xbf";
  std::string shown = printable(text), out;
  out.reserve(shown.size());
  for (size_t at = 0; at < shown.size(); ++at) {
    const char c = shown[at];
    if (std::string_view(shown).substr(at, 2) == kNoCharacter && at + 2 < shown.size()) {
      const auto last = static_cast<unsigned char>(shown[at + 2]);
      if (last >= 0xbe) {
        out += last == 0xbe ? "\\xef\\xbf\\xbe" : "\\xef\\xbf\\xbf";
        at += 2;
        continue;
      }
    }
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

}  // namespace immure

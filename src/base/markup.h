// Text in XML and HTML.
#pragma once

#include <string>
#include <string_view>

namespace immure {

// As content or as a quoted attribute of either: through printable(), and then nothing is left that begins or
// ends markup, nor a character that XML 1.0 forbids even as a reference. Any bytes may come.
std::string markup_text(std::string_view text);

}  // namespace immure

// Text in Markdown.
#pragma once

#include <string>
#include <string_view>

namespace immure {

// A text that holds what Markdown takes for markup: <dev>, *_socket, [vdso].
std::string markdown_text(std::string_view text);
// The link that hosts of Markdown make of a heading.
std::string markdown_anchor(std::string_view heading);
// Between backticks, more of them than the text has.
std::string markdown_code(std::string_view text);

}  // namespace immure

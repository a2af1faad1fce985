// One page of HTML to keep and to hand on: nothing is fetched, light or dark as the reader has it, and the
// page says itself that nothing but its own style and script may run (Content Security Policy, by hash).
#pragma once

#include <string>
#include <string_view>

namespace immure {

struct HtmlPage {
  std::string title;        // as text
  std::string_view style;   // behind the common one: rules of CSS
  std::string body;         // markup, which is put in as it is
  std::string_view script;  // empty: there is none
};
std::string html_document(const HtmlPage& page);

// A row of a list of terms: "<dt>word</dt><dd>value</dd>", the value as text.
std::string html_term(std::string_view word, std::string_view value);

}  // namespace immure

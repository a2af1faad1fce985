#include "base/html_page.h"

#include "base/digest.h"
#include "base/markup.h"

namespace immure {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --text: #1c1f23; --page: #fff; --soft: #5b6470; --line: #d8dde3; --panel: #f5f7f9;
  --good: #1f7a45; --bad: #b3161b; --warn: #9a5b00; --dim: #68727e; --odd: #7340a8; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --page: #14171a; --soft: #9aa4b0; --line: #30363d;
  --panel: #1c2127; --good: #4cc38a; --bad: #ff6b6b; --warn: #f0a94a; --dim: #8b949e; --odd: #bb8df0; } }
* { box-sizing: border-box; } [hidden] { display: none !important; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; color: var(--text); background: var(--page);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
code, .how { font-family: ui-monospace, monospace; font-size: .875em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.conclusion { font-size: 1.15rem; margin: 1rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: .875rem; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.zero { color: var(--soft); }
a { color: inherit; }
details { margin-top: .15rem; } summary { cursor: pointer; color: var(--soft); font-size: .875rem; }
@media print { body { max-width: none; } summary { display: none; } }
)";

// The hash of what stands in an element, as the policy wants it.
std::string source_of(std::string_view content) { return "'sha256-" + base64_text(sha256(content)) + "'"; }

}  // namespace

std::string html_term(std::string_view word, std::string_view value) {
  return "<dt>" + std::string(word) + "</dt><dd>" + markup_text(value) + "</dd>";
}

std::string html_document(const HtmlPage& page) {
  const std::string style = std::string(kStyle) + std::string(page.style);
  std::string policy =
      "default-src 'none'; base-uri 'none'; form-action 'none'; style-src " + source_of(style);
  if (!page.script.empty()) policy += "; script-src " + source_of(page.script);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"" +
      policy + "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      markup_text(page.title) + "</title>\n<style>" + style + "</style></head><body>\n" + page.body;
  if (!page.script.empty()) out += "<script>" + std::string(page.script) + "</script>\n";
  return out + "</body></html>\n";
}

}  // namespace immure

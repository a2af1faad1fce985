#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <array>

#include "audit/facts/live_parts.h"
#include "base/text.h"

namespace immure::audit {
namespace {

struct Shape {
  std::string_view start;
  size_t least;  // characters of the whole value
  const char* what;
};
// What issuers put in front of what they issue, so that it is found again.
constexpr Shape kShapes[] = {
    {"AKIA", 20, "an access key"},
    {"ASIA", 20, "an access key"},
    {"ghp_", 20, "a personal token"},
    {"gho_", 20, "a token"},
    {"ghs_", 20, "a token"},
    {"github_pat_", 20, "a personal token"},
    {"glpat-", 20, "a personal token"},
    {"xoxb-", 20, "a token"},
    {"xoxp-", 20, "a token"},
    {"sk-", 20, "a secret key"},
    {"sk_live_", 16, "a secret key"},
    {"npm_", 20, "a token"},
    {"pypi-", 20, "a token"},
    {"hvs.", 20, "a token"},
    {"AIza", 30, "a key"},
    {"eyJ", 30, "a signed token"},
    {"-----BEGIN", 20, "a private key or certificate"},
};

// A name and a word for whom, as in "https://name:word@host/".
bool names_a_password(std::string_view value) {
  size_t scheme = value.find("://");
  if (scheme > 20) return false;   // none at all, too
  std::string_view rest = value.substr(scheme + 3);
  rest = rest.substr(0, rest.find('/'));
  size_t at = rest.rfind('@'), colon = rest.find(':');
  return at != std::string_view::npos && colon != std::string_view::npos && colon + 1 < at;
}

std::string shape_of(std::string_view value) {
  for (const Shape& shape : kShapes)
    if (value.size() >= shape.least && value.starts_with(shape.start)) return shape.what;
  return names_a_password(value) ? "an address with a password" : "";
}

}  // namespace

std::vector<EnvironmentName> names_of_environment(std::string_view text) {
  std::vector<EnvironmentName> out;
  for (std::string_view entry : split(text, '\0')) {
    size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    // An empty value gives nothing away.
    if (equals + 1 == entry.size()) continue;
    out.push_back(
        {std::string(entry.substr(0, std::min<size_t>(equals, 256))), shape_of(entry.substr(equals + 1))});
  }
  return out;
}

void look_at_environment(const LiveLook& look, Live& live) {
  auto text = text_of(look.proc, "environ", 4u << 20);
  if (!text) return;
  std::string& values = *text;
  live.environment = names_of_environment(values);
  explicit_bzero(values.data(), values.size());
}

}  // namespace immure::audit

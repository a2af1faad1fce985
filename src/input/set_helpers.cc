#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "input/setters.h"

namespace immure::set {
namespace {

// What comes before the place in an origin: "shell.toml" of "shell.toml:12", "argument" of "argument 3
// (--bind)".
std::string_view source_of(std::string_view origin) {
  if (origin.starts_with("argument ")) return origin.substr(0, 8);
  if (size_t pointer = origin.rfind("#/"); pointer != std::string_view::npos)
    return origin.substr(0, pointer);
  // Line, and column where there is one.
  for (int i = 0; i < 2; ++i) {
    size_t colon = origin.rfind(':');
    if (colon == std::string_view::npos || !parse_u64(origin.substr(colon + 1))) break;
    origin = origin.substr(0, colon);
  }
  return origin;
}

}  // namespace

tl::unexpected<Error> bad_value(std::string_view option, std::string_view value, std::string_view is_no,
                                std::string how, std::string why) {
  return fail(Code::kBadValue,
              "--" + std::string(option) + " " + quoted(value) + " is no " + std::string(is_no),
              std::move(why), std::move(how));
}

bool same_source(const JailSpec& spec, OriginId a, OriginId b) {
  return source_of(spec.origin_text(a)) == source_of(spec.origin_text(b));
}

tl::unexpected<Error> said_twice(const JailSpec& spec, std::string_view what, OriginId a, OriginId b) {
  std::string origin = spec.origin_text(a);
  if (a != b) origin += " and " + spec.origin_text(b);
  return fail(Code::kUsage, std::string(what) + " contradict", "the same source says both",
              "keep one of them", std::move(origin));
}

Status claim(JailSpec& spec, Field field, OriginId origin, bool changes, std::string_view option) {
  OriginId& by = spec.set_by[static_cast<size_t>(field)];
  if (changes && by != kOriginDefault && same_source(spec, by, origin))
    return said_twice(spec, "two values for --" + std::string(option), by, origin);
  by = origin;
  return {};
}

Result<bool> truth(std::string_view option, std::string_view value) {
  if (value.empty() || value == "true") return true;
  if (value == "false") return false;
  return fail(Code::kUsage, "--" + std::string(option) + " takes no value", {},
              "leave " + quoted(value) + " out");
}

std::vector<std::string> fields(std::string_view value) {
  std::vector<std::string> out(1);
  for (size_t i = 0; i < value.size(); ++i) {
    bool escape = value[i] == '\\' && i + 1 < value.size() && (value[i + 1] == ':' || value[i + 1] == '\\');
    if (escape) {
      out.back() += value[++i];
    } else if (value[i] == ':') {
      out.emplace_back();
    } else {
      out.back() += value[i];
    }
  }
  return out;
}

Result<HostPath> host_path(std::string_view option, std::string_view text) {
  constexpr size_t kPathMax = 4096;
  if (text.empty()) return bad_value(option, text, "path", "name a path outside the jail", "it is empty");
  if (text.find('\0') != std::string_view::npos)
    return bad_value(option, text, "path", {}, "it has a NUL byte in it");
  std::string whole;
  if (text[0] != '/') {
    char folder[kPathMax];
    if (::getcwd(folder, sizeof folder) == nullptr || folder[0] != '/') {
      return fail(Code::kMissingSource, "--" + std::string(option) + " " + quoted(text) + " cannot be found",
                  "the path is relative, and the working directory is gone", "give an absolute path", {},
                  errno);
    }
    whole = folder;
  }
  // The folder is as the kernel names it, without links: what is above it is what its name says. Behind a
  // name that was said, which may be a link, a ".." stays.
  bool climbs = text[0] != '/';
  for (std::string_view part : split(text, '/')) {
    if (part.empty() || part == ".") continue;
    climbs = climbs && part == "..";
    if (climbs) {
      whole.erase(whole.rfind('/'));
      if (whole.empty()) whole = "/";
      continue;
    }
    if (whole != "/") whole += '/';
    whole += part;
  }
  if (whole.empty()) whole = "/";
  if (whole.size() >= kPathMax) return bad_value(option, text, "path", {}, "it is longer than 4095 bytes");
  return HostPath{std::move(whole)};
}

Result<uint32_t> number(std::string_view option, std::string_view value, uint32_t most) {
  std::optional<uint64_t> n = parse_u64(value);
  if (!n || *n > most) return bad_value(option, value, "number", "write a number from 0 to " + num(most));
  return static_cast<uint32_t>(*n);
}

}  // namespace immure::set

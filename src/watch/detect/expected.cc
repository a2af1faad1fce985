#include "watch/detect/expected.h"

#include <algorithm>

#include "watch/detect/steps.h"

namespace immure::watch {
namespace {

bool covered(const std::set<std::string, std::less<>>& names, std::string_view path) {
  if (names.find(path) != names.end()) return true;
  for (size_t at = path.size(); at-- > 0;)
    if (path[at] == '/' && names.find(path.substr(0, at + 1)) != names.end()) return true;
  return names.contains(std::string(path) + "/");
}

// One name against a pattern of one: the last star takes more when what follows it does not fit, those before
// it never do again. So the time is bounded by the product of both, whoever made them.
bool name_fits(std::string_view name, std::string_view pattern) {
  size_t at = 0, in = 0, star = std::string_view::npos, star_at = 0;
  const auto digit = [&](size_t i) { return i < name.size() && name[i] >= '0' && name[i] <= '9'; };
  while (true) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      star_at = at;
    } else if (in < pattern.size() && pattern[in] == '#' && digit(at)) {
      while (digit(at)) ++at;
      ++in;
    } else if (at < name.size() && in < pattern.size() && pattern[in] == name[at]) {
      ++at, ++in;
    } else if (at == name.size() && in == pattern.size()) {
      return true;
    } else if (star != std::string_view::npos && star_at < name.size()) {
      in = star + 1;
      at = ++star_at;
    } else {
      return false;
    }
  }
}

std::string_view take_name(std::string_view& path) {
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return name;
}

}  // namespace

bool path_fits(std::string_view path, std::string_view pattern) {
  if (std::count(path.begin(), path.end(), '/') != std::count(pattern.begin(), pattern.end(), '/'))
    return false;
  while (!path.empty() || !pattern.empty())
    if (!name_fits(take_name(path), take_name(pattern))) return false;
  return true;
}

bool ExpectedPaths::covers(std::string_view path) const {
  return covered(names, path) || std::any_of(patterns.begin(), patterns.end(),
                                             [&](const std::string& one) { return path_fits(path, one); });
}

bool Expected::covers_host(std::string_view host) const {
  if (hosts.contains(host) || hosts.contains("*")) return true;
  if (host.starts_with("unix:@")) return hosts.contains("unix:@*");
  if (host.starts_with("unix:")) return covered(hosts, host);
  const size_t colon = host.rfind(':');
  if (colon == std::string_view::npos) return false;
  return hosts.contains(std::string(host.substr(0, colon)) + ":*") ||
         hosts.contains("*" + std::string(host.substr(colon)));
}

void Expected::join(Expected other) {
  level = std::min(level, other.level);
  for (auto paths : {&Expected::reads, &Expected::writes, &Expected::executables}) {
    (this->*paths).names.merge((other.*paths).names);
    (this->*paths).patterns.merge((other.*paths).patterns);
  }
  hosts.merge(other.hosts);
  most_events_a_second = std::max(most_events_a_second, other.most_events_a_second);
  for (const auto& [program, most] : other.rates) rates[program] = std::max(rates[program], most);
  sequences.merge(other.sequences);
}

std::string expected_path(const Event& event) {
  std::string path = cleaned(event.resolved.empty() ? event.path : event.resolved);
  if (path.empty() || path[0] != '/') return {};
  return path;
}

bool seen_at(Level level, const Event& event) {
  if (event.arch == 0 || level == Level::All) return true;
  uint64_t args[6];
  std::copy(event.args.begin(), event.args.end(), args);
  return watched(row_of(event.arch, event.nr), level, args);
}

}  // namespace immure::watch

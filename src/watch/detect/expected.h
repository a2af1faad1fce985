// What a profile or a baseline allows: what detectors of new things compare with. Made by whoever starts a
// watch (from a learned profile, from a baseline's trace), constant while it runs.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace immure::watch {

struct Expected {
  // Paths as the jail sees them. A name that ends in "/" stands for everything below it.
  std::set<std::string, std::less<>> reads, writes, executables;
  // "10.0.0.1:443", "[::1]:80", "unix:/run/x", "unix:@name"; "10.0.0.1:*" for every port.
  std::set<std::string, std::less<>> hosts;
  // How many calls that are watched one process makes in a second at most, as the baseline saw it; 0: not
  // known.
  double most_events_a_second = 0;

  // Whether a name, or a folder that it is in, is in `names`.
  static bool covers(const std::set<std::string, std::less<>>& names, std::string_view path) {
    if (names.find(path) != names.end()) return true;
    for (size_t at = path.size(); at-- > 0;)
      if (path[at] == '/' && names.find(path.substr(0, at + 1)) != names.end()) return true;
    return false;
  }
};

}  // namespace immure::watch

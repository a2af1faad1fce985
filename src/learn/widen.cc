#include "learn/widen.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/text.h"
#include "learn/generalise.h"
#include "learn/places.h"

namespace immure::learn {
namespace {

bool number(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The kernel's files about processes and terminals have numbers, of whatever length.
bool numbered(std::string_view path) {
  return below(path, "/proc") || (below(path, "/dev") && !below(path, "/dev/shm"));
}

// Each name that changes as what stays of it; the path itself when none does.
std::string pattern_of(std::string_view path) {
  const bool numbers = numbered(path);
  std::string out;
  for (std::string_view name : split(path.substr(1), '/')) {
    const NameRule* rule = changing_name(name);
    out += '/';
    if (numbers)
      out += number(name) ? "#" : std::string(name);
    else
      out += rule != nullptr ? rule->pattern(name) : std::string(name);
  }
  return out;
}

// What is emptied by everybody who wants to, and where every name is a new one.
bool scratch(std::string_view folder) {
  return folder == "/tmp" || folder == "/var/tmp" || folder == "/dev/shm";
}

class Widening {
 public:
  Widening(const Names& seen, watch::ExpectedPaths& paths) : paths_(paths) {
    std::vector<std::string> plain;
    for (const std::string& path : seen) {
      if (secret(path) != nullptr) secrets_.push_back(path);
      if (numbered(path))
        add(path);
      else
        plain.push_back(path);
    }
    std::map<std::string, size_t> of_scratch;
    for (const Generalised& one : generalise(plain)) {
      if (one.folder)
        folders_.insert(one.path);
      else if (std::string folder = folder_of(one.path);
               scratch(folder) && ++of_scratch[folder] >= kManyNames)
        folders_.insert(folder);
      else
        add(one.path);
    }
    climb();
    for (const std::string& folder : folders_) paths_.names.insert(folder == "/" ? folder : folder + "/");
  }

 private:
  void add(const std::string& path) {
    std::string pattern = pattern_of(path);
    if (pattern == path || paths_.patterns.size() >= watch::Expected::kMostPatterns)
      paths_.names.insert(path);
    else
      paths_.patterns.insert(std::move(pattern));
  }

  bool may_be_whole(const std::string& folder) const {
    if (too_wide(folder) || numbered(folder) || depth(folder) < 2) return false;
    return std::none_of(secrets_.begin(), secrets_.end(),
                        [&](const std::string& path) { return below(path, folder); });
  }

  // Many folders of one folder that are expected as a whole are that folder.
  void climb() {
    for (bool more = true; more;) {
      more = false;
      std::map<std::string, size_t> inside;
      for (const std::string& folder : folders_) ++inside[folder_of(folder)];
      for (const auto& [above, count] : inside) {
        if (count < kManyNames || folders_.contains(above) || !may_be_whole(above)) continue;
        more = true;
        std::erase_if(folders_, [&above = above](const std::string& one) { return below(one, above); });
        folders_.insert(above);
      }
    }
  }

  watch::ExpectedPaths& paths_;
  Names folders_;
  std::vector<std::string> secrets_;
};

}  // namespace

void widen(const Names& seen, watch::ExpectedPaths& paths) { Widening(seen, paths); }

void keep_names(const Names& seen, watch::ExpectedPaths& paths) {
  for (const std::string& path : seen) {
    std::string pattern = pattern_of(path);
    // The version in the name of a program stays what it is: another one is another program.
    if (pattern == path || below(path, "/usr") || paths.patterns.size() >= watch::Expected::kMostPatterns)
      paths.names.insert(path);
    else
      paths.patterns.insert(std::move(pattern));
  }
}

Names widened_hosts(const Names& seen) {
  constexpr std::string_view kUnix = "unix:";
  std::map<std::string, std::set<std::string>> ports, addresses;
  Names sockets, hosts;
  for (const std::string& host : seen) {
    const size_t colon = host.rfind(':');
    if (host.starts_with("unix:/")) {
      sockets.insert(host.substr(kUnix.size()));
    } else if (host.starts_with(kUnix) || colon == std::string::npos) {
      hosts.insert(host);
    } else {
      ports[host.substr(0, colon)].insert(host.substr(colon));
      addresses[host.substr(colon)].insert(host.substr(0, colon));
    }
  }
  watch::ExpectedPaths folders;
  widen(sockets, folders);
  for (const std::string& name : folders.names) hosts.insert(std::string(kUnix) + name);
  // There are no patterns of sockets: what changes is expected where its folder is.
  watch::ExpectedPaths wholes;
  wholes.names = folders.names;
  for (const std::string& path : sockets)
    if (!wholes.covers(path)) hosts.insert(std::string(kUnix) + path);
  for (const auto& [address, of] : ports)
    for (const std::string& port : of) {
      if (of.size() >= kManyNames)
        hosts.insert(address + ":*");
      else if (addresses[port].size() >= kManyNames)
        hosts.insert("*" + port);
      else
        hosts.insert(address + port);
    }
  return hosts;
}

}  // namespace immure::learn

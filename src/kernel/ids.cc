#include "kernel/ids.h"

#include <charconv>

#include "base/file.h"
#include "kernel/proc.h"

namespace immure {
namespace {

std::optional<uint32_t> id(std::string_view text) {
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// Splits `line` at colons into exactly `fields.size()` views; false when there are fewer or more.
template <size_t kCount>
bool fields(std::string_view line, std::string_view (&out)[kCount]) {
  for (size_t i = 0; i < kCount; i++) {
    size_t colon = line.find(':');
    bool last = i + 1 == kCount;
    if ((colon == std::string_view::npos) != last) return false;
    out[i] = line.substr(0, colon);
    line = last ? std::string_view() : line.substr(colon + 1);
  }
  return true;
}

// `name` empty: the number decides.
std::optional<User> user(std::string_view passwd, std::string_view name, uint32_t uid) {
  std::string_view line;
  while (next_line(passwd, line)) {
    std::string_view part[7];
    if (!fields(line, part) || part[0].empty()) continue;
    auto own_uid = id(part[2]), own_gid = id(part[3]);
    if (!own_uid || !own_gid) continue;
    if (name.empty() ? *own_uid != uid : part[0] != name) continue;
    return User{std::string(part[0]), *own_uid, *own_gid, std::string(part[5]), std::string(part[6])};
  }
  return std::nullopt;
}

std::optional<UserGroup> group_of(std::string_view group, std::string_view name, uint32_t gid) {
  std::string_view line;
  while (next_line(group, line)) {
    std::string_view part[4];
    if (!fields(line, part) || part[0].empty()) continue;
    auto own = id(part[2]);
    if (!own || (name.empty() ? *own != gid : part[0] != name)) continue;
    return UserGroup{std::string(part[0]), *own};
  }
  return std::nullopt;
}

std::string file(const char* path) { return read_file(path).value_or(std::string()); }

}  // namespace

std::optional<User> find_user(std::string_view passwd, std::string_view name) {
  return name.empty() ? std::nullopt : user(passwd, name, 0);
}
std::optional<User> find_user(std::string_view passwd, uint32_t uid) { return user(passwd, {}, uid); }
std::optional<UserGroup> find_group(std::string_view group, std::string_view name) {
  return name.empty() ? std::nullopt : group_of(group, name, 0);
}
std::optional<UserGroup> find_group(std::string_view group, uint32_t gid) { return group_of(group, {}, gid); }

std::vector<Host::Range> find_subids(std::string_view subids, std::string_view name, uint32_t uid) {
  std::vector<Host::Range> ranges;
  std::string_view line;
  while (next_line(subids, line)) {
    std::string_view part[3];
    if (!fields(line, part) || part[0].empty()) continue;
    auto owner = id(part[0]);
    if (part[0] != name && !(owner && *owner == uid)) continue;
    auto first = id(part[1]), count = id(part[2]);
    // The last id of all, (uid_t)-1, is no id.
    if (!first || !count || *count == 0 || *count > UINT32_MAX - *first) continue;
    ranges.push_back({0, *first, *count});
  }
  return ranges;
}

std::optional<User> user_by_name(std::string_view name) {
  std::string text = file("/etc/passwd");
  auto found = find_user(text, name);
  auto number = id(name);
  return found || !number ? found : find_user(text, *number);
}

std::optional<User> user_by_uid(uint32_t uid) { return find_user(file("/etc/passwd"), uid); }

std::optional<UserGroup> group_by_name(std::string_view name) {
  std::string text = file("/etc/group");
  auto found = find_group(text, name);
  auto number = id(name);
  return found || !number ? found : find_group(text, *number);
}

std::optional<UserGroup> group_by_gid(uint32_t gid) { return find_group(file("/etc/group"), gid); }

void observe_subids(Host& host) {
  auto self = user_by_uid(host.uid);
  std::string_view name = self ? std::string_view(self->name) : std::string_view();
  host.subuids = find_subids(file("/etc/subuid"), name, host.uid);
  host.subgids = find_subids(file("/etc/subgid"), name, host.uid);
}

}  // namespace immure

// Names and numbers of users, groups and subordinate ids, read from the files themselves: no NSS, so no
// library is loaded into a static program and no network is asked. Users of a directory service are therefore
// only known by number. Source: passwd(5), group(5), subuid(5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/features.h"

namespace immure {

struct User {
  std::string name;
  uint32_t uid = 0, gid = 0;
  std::string home, shell;
};
struct UserGroup {
  std::string name;
  uint32_t gid = 0;
};

// Pure parsers of one file's text. A line that is broken is passed over. The first match wins, as in
// nss_files.
std::optional<User> find_user(std::string_view passwd, std::string_view name);
std::optional<User> find_user(std::string_view passwd, uint32_t uid);
std::optional<UserGroup> find_group(std::string_view group, std::string_view name);
std::optional<UserGroup> find_group(std::string_view group, uint32_t gid);
// The ranges of /etc/subuid or /etc/subgid that belong to the user, by name or by number; `inside` is 0.
std::vector<Host::Range> find_subids(std::string_view subids, std::string_view name, uint32_t uid);

// The same on this host's files; a number in decimal digits is also a name.
std::optional<User> user_by_name(std::string_view name_or_number);
std::optional<User> user_by_uid(uint32_t uid);
std::optional<UserGroup> group_by_name(std::string_view name_or_number);
std::optional<UserGroup> group_by_gid(uint32_t gid);

// What newuidmap and newgidmap grant the user `uid`: fills host.subuids and host.subgids. Not part of
// observe(), since a start needs it only when a range of ids is asked for.
void observe_subids(Host& host);

}  // namespace immure

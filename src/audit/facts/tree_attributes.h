// What a file has besides its mode: file capabilities and lists of rights. Asked by name below an open
// folder, so that the file is not opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace immure::audit {

// The bytes of an attribute; empty: it has none. nullopt: it cannot be asked (errno). An empty name is the
// folder itself. By getxattrat(2) (Linux 6.13), before that by way of /proc/self/fd.
std::optional<std::string> attribute_of(int folder, const char* name, const char* attribute);

struct FileCapabilities {
  uint64_t permitted = 0, inheritable = 0;
  bool effective = false;
  uint32_t root = 0;  // the uid of the user namespace that it is valid in
};
// Of security.capability's bytes (struct vfs_ns_cap_data, linux/capability.h). nullopt: they are none.
std::optional<FileCapabilities> parse_file_capabilities(std::string_view bytes);

// Whom a list of rights (system.posix_acl_access) gives `wanted` (4 read, 2 write) beside owner, group and
// others: "user 1001, group 33"; empty: nobody but root and `keeper`. Any bytes are taken.
std::string opened_by_acl(std::string_view bytes, uint16_t wanted, uint32_t keeper);

}  // namespace immure::audit

// Texts that a root gets from immure instead of the host's own: with the names that the root has and no
// others, no hashes of passwords, no host names. What they need of the host is read from the source.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootfs/collection.h"
#include "rootfs/source.h"

namespace immure::rootfs {

// `name`: what a family's `make` says: "passwd", "group", "shadow", "nsswitch.conf", "hosts", "resolv.conf",
// "host.conf", "shells". `users`: names that are in passwd and group besides root and nobody. nullopt: no
// such text is known.
std::optional<std::string> made_text(std::string_view name, const Source& source,
                                     const std::vector<std::string>& users, const Collection& files);
// All names that made_text() knows.
std::vector<std::string_view> made_names();

// The names that the source's passwd has; for messages about one that it lacks.
std::vector<std::string> known_users(const Source& source);

}  // namespace immure::rootfs

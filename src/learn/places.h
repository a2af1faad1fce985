// Paths that are known: what every jail has, what is secret, what is too much to grant as a whole. Const
// tables.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace immure::learn {

// Of the default jail: the host's programs, its own /proc and /dev, /tmp, a made-up /etc.
bool given(std::string_view path);
std::span<const std::string_view> given_places();
// A link that the default jail has, such as /bin and /var/run: what is behind it is at its target.
bool given_link(std::string_view path);
// Why it is secret; null: it is not known to be.
const char* secret(std::string_view path);
// Names in a project's or a user's folder that are secret by custom.
std::span<const std::string_view> secret_names();
// A folder that is never granted as a whole, because of what else is in it.
bool too_wide(std::string_view folder);
// Things that are gone after a reboot: granted as memory.
bool transient(std::string_view path);

bool below(std::string_view path, std::string_view folder);  // or the same
std::string folder_of(std::string_view path);                // "/a/b" → "/a"; "/a" → "/"
std::string_view name_of(std::string_view path);
unsigned depth(std::string_view path);

}  // namespace immure::learn

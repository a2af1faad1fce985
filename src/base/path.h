// Paths as text: no system call is made, so nothing here knows of links. Never use it to decide what a path
// leads to; use it to say what was meant.
#pragma once

#include <string>
#include <string_view>

namespace immure {

// "/a//b/./c/../d/" → "/a/b/d"; a relative path stays relative ("./a" → "a", "" → ".").
std::string path_normal(std::string_view path);
// `path` itself when it is absolute, else below `folder`; normalised.
std::string path_join(std::string_view folder, std::string_view path);
std::string_view path_folder(std::string_view path);  // "/a/b" → "/a", "/a" → "/", "a" → "."
std::string_view path_name(std::string_view path);    // "/a/b" → "b"
// Is `path` equal to `folder` or below it? Both normalised and absolute.
bool path_within(std::string_view path, std::string_view folder);

}  // namespace immure

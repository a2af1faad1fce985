// For the children of a stage: calls that are told as they are made, in the form that strace has. All write
// to descriptor 1.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace immure::demo {

// A child ends with it when the demo cannot be replayed here; its last line says why.
inline constexpr int kNotHere = 253;

void say(std::string_view text);
// `chroot("/x") = 0`, or `= -1 EPERM (Operation not permitted)`; true when it succeeded.
bool told(const std::string& call, long result);
// The same for what only prepares: a failure ends the child with kNotHere.
void needed(const std::string& call, long result);
[[noreturn]] void not_here(const std::string& why);

// Root with a mount namespace of its own; a user becomes the root of a user namespace, and root too when
// `always`.
void become_root(bool always = false);
// Without a word; the caller's groups, too. For real root only.
void become_nobody();
// chroot and chdir, told.
bool change_root(const std::string& folder);
// The first line of a file is told; false: it could not be read.
bool read_line_of(int folder, const std::string& path);

// Its status as a shell shows it.
int in_a_child(const std::function<int()>& body);
// Does not return when the program starts; else 127 or 126, told.
int become(const std::vector<std::string>& argv);

// A call's argument: `"/tmp/x"`.
std::string in_quotes(std::string_view text);

}  // namespace immure::demo

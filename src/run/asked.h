// What a call that waits at the listener asks for: the path in its caller's memory, made absolute as the jail
// sees it. A hint and never a decision: the memory may say something else when the kernel reads it, and what
// a name leads to is not looked at. Everything read here is hostile; nothing waits for the program, whose
// filter is checked for that (filter/filter.h, check_recording).
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace immure::run {

struct Asked {
  std::string path;  // begins with "/"; bytes as they came
  // What for, by the call and its flags; O_PATH and folders count as reading. Looked: stat, access, readlink.
  bool read = false, written = false, run = false, looked = false;
};

enum class Reading : uint8_t {
  Told,
  Nothing,     // no call that asks for a file, or one that fails whatever the path leads to (EFAULT, EBADF,
               // ENAMETOOLONG)
  Unreadable,  // the kernel may know the path, but does not let us read it
};

// `thread`: as the supervisor numbers it. What was read is that thread's only if the notification is still
// valid afterwards. `asked` keeps its memory from call to call.
Reading what_is_asked(const seccomp_data& call, uint32_t thread, Asked& asked);

// The path of a thread's working directory, as the jail sees it; "": it cannot be read.
std::string working_directory(uint32_t thread);

// `path` below `folder`, which has no links in it: "." and empty names go, and leading ".." climb no further
// than to `top` (a folder above it, or it itself). A later ".." stays, since a link may stand before it.
void path_below(std::string& out, std::string_view folder, std::string_view path, std::string_view top);

}  // namespace immure::run

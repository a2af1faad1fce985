// Rights in the words of those who enforce them: one file each below emit/, a row in the table of
// emit/table.cc. Pure. Every text is whole by itself, and what its target cannot say is a list, never left
// out in silence.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "learn/rights.h"

namespace immure::learn {

struct Emitter {
  const char* id;     // "systemd"
  const char* shown;  // one line: "a drop-in for a unit of systemd"
  const char* use;    // how it is used; {file}: where the text is
  std::string (*text)(const Rights& rights);
  std::vector<std::string> (*lacks)(const Rights& rights);  // what the target cannot say of these rights
};
std::span<const Emitter> emitters();
const Emitter* find_emitter(std::string_view id);  // null: none

// ---- what several of them write
// The filter as OCI runtimes read it: linux.seccomp, also a file for docker and for `seccomp =` of a profile.
std::string seccomp_json(const Rights& rights);
// The same with what a container's runtime calls itself between the filter and the program.
std::string seccomp_json_of_runtime(Rights rights);
// Between quotes, as TOML and JSON read it back.
std::string toml_text(std::string_view text);
// A word for a POSIX shell; plain words stay as they are.
std::string shell_word(std::string_view text);
// For a comment: printable, on one line.
std::string comment(std::string_view text);
// "CAP_NET_BIND_SERVICE".
std::string capability_upper(std::string_view name);
// Folders of the host that hold its programs, as every emitter without a root of its own shows them.
std::span<const std::string_view> program_folders();
// Those of /etc that programs of the C library read, which immure makes up and others show.
std::span<const std::string_view> library_settings();

}  // namespace immure::learn

// The mount table of a process, read without a copy: /proc/PID/mountinfo. Views stay valid as long as the
// text. Paths are escaped in the file (\040 for a blank); they stay so until unescape() or path_equal() is
// asked. Source: proc_pid_mountinfo(5), fs/proc_namespace.c. Takes any bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace immure {

struct MountEntry {
  uint64_t id = 0, parent = 0;
  uint32_t major = 0, minor = 0;
  std::string_view root;           // of the mount within its filesystem, escaped
  std::string_view target;         // below the reader's root, escaped
  std::string_view options;        // of the mount: "rw,nosuid,nodev"
  std::string_view propagation;    // "shared:1 master:2", empty: private
  std::string_view fstype;         // escaped; "fuse.sshfs"
  std::string_view source;         // escaped
  std::string_view super_options;  // of the filesystem, escaped

  // The mount's own options as kAttr* bits of uapi/kernel.h; read-only counts only when it is the mount's.
  uint64_t attributes() const;
  bool has_option(std::string_view name) const;
  bool is(std::string_view path) const;  // target, unescaped, is `path`
};

// nullopt: the line is no mountinfo line.
std::optional<MountEntry> parse_mount_line(std::string_view line);

// Walks a text: `while (auto mount = reader.next())`. Lines that are none are counted, not returned.
class MountReader {
 public:
  explicit MountReader(std::string_view text) : rest_(text) {}
  std::optional<MountEntry> next();
  unsigned bad_lines() const { return bad_; }

 private:
  std::string_view rest_;
  unsigned bad_ = 0;
};

// Octal escapes as the kernel writes them: a backslash and exactly three octal digits up to \377. Anything
// else stays as it is.
std::string unescape(std::string_view text);
bool path_equal(std::string_view escaped, std::string_view plain);

// The last mount whose target is `path`, that is, the one on top; the text is walked once.
std::optional<MountEntry> find_mount(std::string_view mountinfo, std::string_view path);

// Is `word` one of the comma-separated words of `list`?
bool list_has(std::string_view list, std::string_view word, char separator = ',');

}  // namespace immure

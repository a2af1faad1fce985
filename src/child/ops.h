// The groups of operations; each returns 0 or a negated errno. Internal to this room.
#pragma once

#include "child/child.h"
#include "kernel/sys.h"

namespace immure::child {

inline int slot(const View& view, int8_t index) { return index < 0 ? -100 /* AT_FDCWD */ : view.fds[index]; }
inline const char* text(const View& view, uint32_t offset) { return view.arena + offset; }
inline long keep(View& view, int8_t index, long fd) {
  if (fd < 0) return fd;
  view.fds[index] = static_cast<int>(fd);
  return 0;
}
inline unsigned long length(const char* s) {
  unsigned long n = 0;
  while (s[n] != '\0') n++;
  return n;
}

long file_op(const Step& step, View& view);
long mount_op(const Step& step, View& view);
long namespace_op(const Step& step, View& view);
long identity_op(const Step& step, View& view);
long limit_op(const Step& step, View& view);
long terminal_op(const Step& step, View& view);
long landlock_op(const Step& step, View& view);
long exec_op(const Step& step, View& view);

// A user namespace with these maps and nobody in it; a descriptor of it, or -errno.
long owner_map(const char* users, const char* groups);
// "/proc/PID/NAME" into buffer (at least 48 bytes).
void proc_path(char* buffer, long pid, const char* name);

// A path below a directory, without following any symbolic link on the way or at the end. O_PATH descriptor.
long open_beneath(int dir, const char* path);
// "/proc/self/fd/N" into buffer (at least 32 bytes); returns its length.
unsigned fd_path(char* buffer, int fd);

}  // namespace immure::child

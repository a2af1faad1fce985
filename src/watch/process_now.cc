#include <unistd.h>

#include <array>

#include "kernel/proc.h"
#include "watch/world.h"

namespace immure::watch {

Process process_now(int32_t pid) {
  Process process;
  process.pid = pid;
  const std::string folder = "/proc/" + std::to_string(pid) + "/";
  std::array<char, World::kMostWords> buffer;
  const ProcStatus status = parse_status(read_view((folder + "status").c_str(), buffer));
  if (status.pid < 0) return process;
  process.parent = status.ppid;
  process.uid = status.uid[0];
  const ssize_t length = readlink((folder + "exe").c_str(), buffer.data(), buffer.size());
  if (length > 0) process.program.assign(buffer.data(), static_cast<size_t>(length));
  process.words = read_view((folder + "cmdline").c_str(), buffer);
  return process;
}

}  // namespace immure::watch

// Any bytes as a file of system call numbers: read as a stream, and compared with what a plain reading gives.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "watch/model/call_files.h"

namespace {

// None: these bytes are no calls.
std::optional<std::vector<uint32_t>> plainly(std::string_view bytes) {
  std::vector<uint32_t> calls;
  size_t at = 0;
  while (at < bytes.size()) {
    if (std::string_view(" \n\t\r").find(bytes[at]) != std::string_view::npos) {
      ++at;
      continue;
    }
    uint64_t value = 0;
    for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at) {
      value = value * 10 + static_cast<uint64_t>(bytes[at] - '0');
      if (value > immure::watch::kMostCallNumber) return {};
    }
    if (at < bytes.size() && std::string_view(" \n\t\r").find(bytes[at]) == std::string_view::npos) return {};
    calls.push_back(static_cast<uint32_t>(value));
  }
  if (calls.empty()) return {};
  return calls;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  int fd = memfd_create("calls", MFD_CLOEXEC);
  if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  std::vector<uint32_t> calls;
  auto read = immure::watch::read_calls("/proc/self/fd/" + std::to_string(fd),
                                        [&](uint32_t call) { calls.push_back(call); });
  close(fd);
  auto wanted = plainly({reinterpret_cast<const char*>(data), size});
  if (read.has_value() != wanted.has_value()) std::abort();
  if (read && (*wanted != calls || *read != calls.size())) std::abort();
  return 0;
}

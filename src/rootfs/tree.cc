#include "rootfs/tree.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/path.h"
#include "kernel/sys.h"
#include "uapi/kernel.h"

namespace immure::rootfs {

int open_within(int folder, const char* relative, int flags, unsigned mode) {
  constexpr uint64_t kWithin =
      uapi::kResolveBeneath | uapi::kResolveNoSymlinks | uapi::kResolveNoMagiclinks | uapi::kResolveNoXdev;
  uapi::OpenHow how{static_cast<uint64_t>(flags | O_CLOEXEC), mode, kWithin};
  long fd = sys::call(__NR_openat2, folder, sys::arg(relative), sys::arg(&how), sizeof how);
  if (sys::failed(fd)) errno = static_cast<int>(-fd);
  return static_cast<int>(fd);
}

const char* relative_to_top(const std::string& path) { return path.size() > 1 ? path.c_str() + 1 : "."; }

int FolderAt::of(const std::string& path) {
  std::string_view folder = path_folder(path);
  if (known_ && folder == folder_) return fd_.get();
  std::string wanted(folder);
  int fd = open_within(top_, relative_to_top(wanted), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (fd < 0) return fd;
  fd_.reset(fd);
  folder_ = std::move(wanted);
  known_ = true;
  return fd;
}

bool is_harmless_device(uint64_t rdev) {
  constexpr uint64_t kMinors[] = {3, 5, 7, 8, 9};
  return rdev >> 32 == 1 &&
         std::find(std::begin(kMinors), std::end(kMinors), rdev & 0xffffffff) != std::end(kMinors);
}

}  // namespace immure::rootfs

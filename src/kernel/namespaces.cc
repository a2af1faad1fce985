#include "kernel/namespaces.h"

#include <fcntl.h>
#include <linux/stat.h>

#include <cstring>
#include <iterator>

#include "kernel/proc.h"
#include "kernel/sys.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

// Their places are the numbers of the requests, from 1. Source: include/uapi/linux/pidfd.h.
constexpr const char* kByRequest[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children",
                                      "user", "uts"};

long request_of(const char* name) {
  for (size_t i = 0; i < std::size(kByRequest); i++)
    if (std::strcmp(kByRequest[i], name) == 0) return uapi::kPidfdGetNamespace + static_cast<long>(i);
  return 0;
}

}  // namespace

Namespaces Namespaces::own() {
  Namespaces self;
  self.own_.reset(static_cast<int>(sys::call(__NR_pidfd_open, sys::call(__NR_getpid), 0)));
  self.pidfd_ = self.own_.get();
  return self;
}

Namespaces Namespaces::of(int pidfd, int pid) {
  Namespaces other;
  other.pidfd_ = pidfd;
  other.pid_ = pid;
  return other;
}

UniqueFd Namespaces::open(const char* name) const {
  return UniqueFd(static_cast<int>(sys::call(__NR_ioctl, pidfd_, request_of(name), 0)));
}

uint64_t Namespaces::inode(const char* name) const {
  struct statx st {};
  if (UniqueFd opened = open(name)) {
    const bool known = !sys::failed(sys::call(__NR_statx, opened.get(), sys::arg(""), AT_EMPTY_PATH, STATX_INO, sys::arg(&st)));
    return known ? st.stx_ino : 0;
  }
  return ns_inode(pid_, name);
}

}  // namespace immure

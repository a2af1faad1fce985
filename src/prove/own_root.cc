#include "prove/own_root.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"

namespace immure::prove {
namespace {

bool write_text(const char* path, const std::string& text) {
  UniqueFd fd(open(path, O_WRONLY | O_CLOEXEC));
  return fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

const char* become_root(bool user_namespace, int more) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWNS | more | (user_namespace ? CLONE_NEWUSER : 0)) != 0)
    return user_namespace ? "making a user namespace" : "making a mount namespace";
  if (user_namespace && !write_text("/proc/self/setgroups", "deny")) return "writing /proc/self/setgroups";
  if (user_namespace && !write_text("/proc/self/uid_map", "0 " + num(uid) + " 1"))
    return "writing /proc/self/uid_map";
  if (user_namespace && !write_text("/proc/self/gid_map", "0 " + num(gid) + " 1"))
    return "writing /proc/self/gid_map";
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "making the mounts private";
  return nullptr;
}

}  // namespace immure::prove

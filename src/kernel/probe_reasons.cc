#include <fcntl.h>
#include <linux/capability.h>
#include <linux/stat.h>

#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "kernel/capabilities.h"
#include "kernel/mountinfo.h"
#include "kernel/probe.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure {
namespace {

std::optional<uint64_t> sysctl(const char* path) {
  char buffer[32];
  std::string_view text = read_view(path, buffer);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return parse_u64(text);
}

bool exists(const char* path) { return !sys::failed(sys::call(__NR_faccessat, AT_FDCWD, sys::arg(path), 0)); }

// The root of a mount says so in its attributes (5.8); elsewhere "/" is only a directory in a mount, as
// chroot(2) leaves it.
bool is_chrooted() {
  constexpr unsigned long kAttrMountRoot = 0x2000;
  struct statx st {};
  if (sys::failed(sys::call(__NR_statx, AT_FDCWD, sys::arg("/"), 0, STATX_TYPE, sys::arg(&st)))) return false;
  if ((st.stx_attributes_mask & kAttrMountRoot) == 0) return false;
  return (st.stx_attributes & kAttrMountRoot) == 0;
}

// Container managers mount over parts of /proc; the kernel then refuses a new, unmasked one.
bool is_proc_masked() {
  auto text = read_file("/proc/self/mountinfo");
  if (!text) return false;
  MountReader reader(*text);
  while (auto mount = reader.next())
    if (mount->target.starts_with("/proc/") && mount->fstype != "binfmt_misc" && mount->fstype != "autofs")
      return true;
  return false;
}

Fact no(int error, std::string reason, std::string remedy) {
  return Fact{false, error, std::move(reason), std::move(remedy)};
}

constexpr const char* kOutsideFilter =
    "start the container with a filter that allows it (docker, podman: --security-opt seccomp=FILE or "
    "unconfined)";
constexpr const char* kAppArmorRemedy = "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";

std::string by_errno(std::string_view what, int error) {
  std::string out(what);
  out += ' ';
  return out += errno_name(error);
}

Fact refused(std::string_view what, int error, const Surroundings& around) {
  if (around.seccomp_filter)
    return no(error, "a seccomp filter that the caller runs under refuses it", kOutsideFilter);
  if (around.container)
    return no(
        error, "the container that the caller runs in refuses it",
        "give the container the right (docker, podman: --security-opt label=disable, apparmor=unconfined)");
  return no(error, by_errno(what, error), "ask a security module: its name is in /proc/self/attr/current");
}

// Nothing can be tried without a process: the namespaces themselves are not to blame.
bool is_out_of_processes(int error) { return error == EAGAIN || error == ENOMEM; }
Fact not_tried(int error) {
  return no(error, "no more processes may be made: a limit of the user, of its control group or of the host is reached",
            "end some processes, or raise the limit (ulimit -u; sysctl kernel.pid_max)");
}

}  // namespace

Surroundings observe_surroundings() {
  Surroundings around;
  around.privileged = (own_capabilities().value_or(CapabilitySets{}).effective >> CAP_SYS_ADMIN & 1) != 0;
  char buffer[4096];
  around.seccomp_filter = parse_status(read_view("/proc/self/status", buffer)).seccomp > 0;
  around.chrooted = is_chrooted();
  around.container = exists("/.dockerenv") || exists("/run/.containerenv");
  around.proc_masked = is_proc_masked();
  around.userns_clone = sysctl("/proc/sys/kernel/unprivileged_userns_clone");
  around.apparmor_restricts = sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  around.max_user_ns = sysctl("/proc/sys/user/max_user_namespaces");
  return around;
}

Fact user_ns_fact(UserNsStage stage, int error, const Surroundings& around) {
  if (error == 0) return {};
  if (is_out_of_processes(error)) return not_tried(error);
  bool apparmor = around.apparmor_restricts.value_or(0) != 0 && !around.privileged;
  if (stage != UserNsStage::Create) {
    if (apparmor)
      return no(error, "AppArmor takes all privilege away in a user namespace that a user makes",
                kAppArmorRemedy);
    return refused(
        stage == UserNsStage::WriteMap ? "writing the id map fails with" : "its privilege is refused with",
        error, around);
  }
  if (error == ENOSYS && around.seccomp_filter)
    return no(error, "a seccomp filter that the caller runs under hides unshare(2)", kOutsideFilter);
  if (error == ENOSYS || error == EINVAL)
    return no(error, "the kernel was built without user namespaces", "a kernel with CONFIG_USER_NS=y");
  if (around.max_user_ns == 0)
    return no(error, "sysctl user.max_user_namespaces is 0",
              "as root: sysctl -w user.max_user_namespaces=15000");
  if (error == ENOSPC || error == EUSERS)
    return no(error, "the limit of user namespaces is reached, or they are nested 32 deep",
              "as root: sysctl -w user.max_user_namespaces=65536");
  if (around.userns_clone == 0 && !around.privileged)
    return no(error, "sysctl kernel.unprivileged_userns_clone is 0",
              "as root: sysctl -w kernel.unprivileged_userns_clone=1");
  if (around.chrooted)
    return no(error, "the caller is in a chroot, where the kernel gives no user namespaces",
              "start immure outside the chroot, or enter the tree with pivot_root(2) instead");
  if (apparmor) return no(error, "AppArmor restricts the user namespaces of users", kAppArmorRemedy);
  return refused("unshare(2) fails with", error, around);
}

Fact ns_fact(std::string_view kind, int error, const Fact& user, const Surroundings& around) {
  if (error == 0) return {};
  if (is_out_of_processes(error)) return not_tried(error);
  if (!around.privileged && !user.ok)
    return no(error, "it needs a user namespace: " + user.reason, user.remedy);
  std::string name(kind);
  if (error == EINVAL || (error == ENOSYS && !around.seccomp_filter)) {
    std::string option = kind == "mount" ? "" : name + "_NS";
    for (char& c : option) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return no(error, "the kernel has no " + name + " namespaces",
              option.empty() ? std::string("another kernel") : "a kernel with CONFIG_" + option + "=y");
  }
  if (error == ENOSPC) {
    // The sysctl is named after the short form: user.max_mnt_namespaces.
    std::string key = "user.max_" + (kind == "mount" ? std::string("mnt") : name) + "_namespaces";
    return no(error, "the limit of " + name + " namespaces is reached",
              "as root: sysctl -w " + key + "=65536");
  }
  if (around.apparmor_restricts.value_or(0) != 0 && !around.privileged)
    return no(error, "AppArmor takes all privilege away in a user namespace that a user makes",
              kAppArmorRemedy);
  return refused("unshare(2) fails with", error, around);
}

Fact proc_mount_fact(int error, const Fact& user, const Surroundings& around) {
  if (error == 0) return {};
  if (!around.privileged && !user.ok)
    return no(error, "it needs a user namespace: " + user.reason, user.remedy);
  if (around.proc_masked && (error == EPERM || error == EACCES))
    return no(
        error, "parts of /proc are covered here, so the kernel gives no uncovered one",
        "show the container all of it (podman: --security-opt unmask=ALL; docker: systempaths=unconfined)");
  if (error == EPERM || error == EACCES) return refused("mounting procfs fails with", error, around);
  return no(error, by_errno("mounting procfs fails with", error),
            "a kernel with CONFIG_PROC_FS=y and PID_NS=y");
}

}  // namespace immure

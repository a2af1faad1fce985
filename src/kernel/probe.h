// Why a namespace cannot be had: the errno of a trial and what stands around the caller, put into words. The
// words are a pure function, so that tests can stand on hosts that are not there. Features::probe() uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "kernel/features.h"

namespace immure {

// What may refuse namespaces to this caller. A number that cannot be read is empty.
struct Surroundings {
  bool privileged = false;                     // CAP_SYS_ADMIN in its user namespace
  bool seccomp_filter = false;                 // the caller runs under a filter already
  bool chrooted = false;                       // the root directory is not the root of a mount
  bool container = false;                      // the user namespace or pid 1's marks are a container's
  bool proc_masked = false;                    // something is mounted over parts of /proc
  std::optional<uint64_t> userns_clone;        // kernel.unprivileged_userns_clone (Debian, Ubuntu)
  std::optional<uint64_t> apparmor_restricts;  // kernel.apparmor_restrict_unprivileged_userns
  std::optional<uint64_t> max_user_ns;         // user.max_user_namespaces
};
Surroundings observe_surroundings();

// How far the trial of a user namespace came.
enum class UserNsStage : uint8_t { Create, WriteMap, UsePrivilege };
Fact user_ns_fact(UserNsStage stage, int error, const Surroundings& around);

// Of another namespace: `kind` is "mount", "pid", "net", "ipc", "uts", "cgroup" or "time". `user` is the fact
// of the user namespace, without which an unprivileged caller can make no other.
Fact ns_fact(std::string_view kind, int error, const Fact& user, const Surroundings& around);
Fact proc_mount_fact(int error, const Fact& user, const Surroundings& around);

}  // namespace immure

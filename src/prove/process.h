// A running process, whoever started it, as a place for probes: the same namespaces, root, identity,
// capabilities, no_new_privs, system call filters and limits of a process. What the kernel does not tell of
// another process is not had: Landlock rules, the label of a security module, securebits, and its open
// descriptors.
//
// The process goes on as it is; only to read its filters it is stopped for a moment (ptrace), by root. Its
// control groups are not entered: what the probes use is not charged to it.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace immure::prove {

class LikeProcess {
 public:
  // Takes what there is to take. An error says what could not be read and why.
  static Result<std::shared_ptr<const LikeProcess>> of(pid_t pid);

  // In a forked child with the privilege that it needs: becomes like it, but for the pid namespace, in which
  // only a child is: enter() first, then in a child of it finish(). Both end the process with a message when
  // the kernel refuses.
  void enter() const;
  void finish() const;

 private:
  LikeProcess() = default;
  Status read_status();
  Status read_filters();

  pid_t pid_ = 0;
  UniqueFd pidfd_, root_;
  int flags_ = 0;  // CLONE_NEW… of the namespaces that are not the caller's
  uid_t uid_[3] = {};
  gid_t gid_[3] = {};
  std::vector<gid_t> groups_;
  uint64_t permitted_ = 0, effective_ = 0, inheritable_ = 0, bounding_ = 0;
  bool no_new_privs_ = false;
  mode_t umask_ = 022;
  std::vector<std::vector<sock_filter>> filters_;  // the oldest first
  rlimit limits_[RLIM_NLIMITS] = {};
};

}  // namespace immure::prove

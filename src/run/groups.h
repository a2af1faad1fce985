// The control groups of one run: made before the clone, removed when the jail has ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/cgroup.h"
#include "plan/plan.h"

namespace immure::run {

class Groups {
 public:
  Groups() = default;
  Groups(Groups&& other) noexcept { *this = std::move(other); }
  Groups& operator=(Groups&& other) noexcept;
  ~Groups();   // removes what was made

  // A group that holds processes hands nothing down: who is alone in the group that is to hold the jail's moves to one
  // below it. Before any other process is started, which would stay behind.
  static Status step_aside(const Plan& plan);
  // Makes the plan's directories and writes their limits. The descriptors that the child joins by go into
  // `slots`; into() is the one that clone3 takes.
  static Result<Groups> make(const Plan& plan, int* slots);
  int into() const { return into_.get(); }
  void close_descriptors();
  // The paths, alive as long as this object; for the watchdog and the state file.
  const std::vector<std::string>& paths() const { return paths_; }
  CgroupUsage usage() const;
  // What all that were ever in it have used, when the plan counts processor time there; nullopt: it cannot be read.
  // Nothing is allocated.
  std::optional<uint64_t> cpu_ns() const;
  // How often the limit of processes refused one, without reading all the rest.
  std::optional<uint64_t> pids_refused() const;
  Status kill() const;
  void remove();

 private:
  std::vector<std::string> paths_, controllers_;
  std::vector<UniqueFd> joins_;
  UniqueFd into_, cpu_;
};

}  // namespace immure::run

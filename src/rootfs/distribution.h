// A root of a whole distribution, made by mmdebstrap(1) and taken over as an archive: what it writes is read
// in the same jail as everybody's. It runs as the root of a user namespace, with process ids and mounts of
// its own, so that the scripts of packages are nobody on the host and see their own /proc. Packages come
// signed: the distribution's keyring must be here, and no source without it is named. Suites whose support
// has ended are refused, as is one that the table does not know.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace immure::rootfs {

struct DistributionOptions {
  std::string mirror;                 // https:// or http://; empty: the distribution's own
  bool allow_ended = false;           // also suites that get no more updates, or are not known
  std::vector<std::string> packages;  // besides what makes a system at all
  int64_t epoch = 0;                  // SOURCE_DATE_EPOCH for it
};

// What the plan asks of this host.
struct DistributionHost {
  std::function<bool(const std::string& path)> exists;
  std::string today;  // "2026-11-22", UTC
};
DistributionHost this_host();

struct DistributionPlan {
  std::string source;              // "debian:bookworm"
  std::vector<std::string> words;  // the command; the tar goes to its standard output
  std::vector<std::string> environment;
  std::string note;  // what a person should know; empty
};

// Whether a source's word means a distribution: "debian:…", "ubuntu:…".
bool is_distribution(std::string_view source);
// Pure but for what it asks of `host`. Errors: kBadValue for an unknown suite, one that has ended, a mirror
// or a package that is none; kMissingSource with the package's name when mmdebstrap or the keyring is not
// there.
Result<DistributionPlan> plan_distribution(std::string_view source, const DistributionOptions& options,
                                           const DistributionHost& host);

// Runs it. As root in a user namespace with ids that nobody has, and with `work` (an open folder of the
// caller's, empty) as its /tmp; as a user with those of /etc/subuid, by newuidmap(1), and with /tmp. Start it
// before any thread is made.
class DistributionRun {
 public:
  static Result<DistributionRun> start(const DistributionPlan& plan, int work);
  ~DistributionRun();
  DistributionRun(DistributionRun&& other) noexcept;
  DistributionRun& operator=(DistributionRun&&) = delete;

  int output() const { return out_.get(); }  // its tar, a pipe
  // Whether it has ended, or does so soon.
  bool ended(int milliseconds) const;
  // Waits for its end, when the output has ended. An error has the last lines that it said.
  Status finish();

 private:
  DistributionRun() = default;
  pid_t pid_ = -1;
  UniqueFd out_, errors_;
};

}  // namespace immure::rootfs

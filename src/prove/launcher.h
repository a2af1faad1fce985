// Starts one process of the battery, the way a careless launcher would, and hears what it says. Several run
// at once.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "prove/process.h"
#include "prove/yard.h"

namespace immure::prove {

// Where it runs when no jail is asked to hold it.
enum class Place : uint8_t {
  Here,        // the caller's namespaces: a jail's launcher, or nothing at all
  Namespaced,  // root of namespaces of its own with every capability
  Chroot,      // in the planted root by chroot, as root (of a user namespace)
  Process,     // like a running process
};

// A place where probes run.
struct Site {
  Place place = Place::Here;
  std::vector<std::string> launcher;  // words before the program inside; empty: nothing holds it
  std::string program;  // immure-probe, as the place sees it; empty: the launcher's words name it
  std::string root;     // of Place::Chroot; elsewhere the planted root's path, "" where it is "/"
  std::shared_ptr<const LikeProcess> like;  // of Place::Process
  bool planted = false;                     // the probes are told of planted things
  bool expendable = false;  // standard input is /proc/cmdline, for a probe that does damage to see itself
  std::string locked_root;  // somebody else's sandbox may keep others out of it while it runs; empty: none
  auto operator<=>(const Site&) const = default;
};

class Launch {
 public:
  // The site's launcher and program, with these arguments. A process that cannot be started ends with 125 and
  // says why in `errors`.
  Launch(const Yard& yard, const Site& site, const std::vector<std::string>& arguments, int patience_ms);
  ~Launch();
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  // To poll for input: what it says, and its end. -1: closed, or ended.
  int output_fd() const { return out_.get(); }
  int end_fd() const { return end_.get(); }
  int64_t deadline() const { return deadline_; }  // CLOCK_MONOTONIC in ms
  // Takes what came. True: it has ended, and `output`, `errors` and `status` are final.
  bool hear();
  // Ends it, and what is below it; does not wait for that.
  void tell_to_end() const;
  // Too long: the same, and waits.
  void stop();
  pid_t pid() const { return pid_; }  // of its minder (prove/minder.h)

  std::string output, errors;
  int status = -1;  // as a shell shows it
  bool timed_out = false;

 private:
  void drain();
  void finish();
  pid_t pid_ = -1;
  Terminal terminal_;
  UniqueFd out_, err_, end_;
  int64_t deadline_ = 0;
};

// Milliseconds of CLOCK_MONOTONIC.
int64_t now_ms();
// Every process that was left to this one by those that ended (it must be a subreaper), except `keep`:
// killed. How many. Mostly none, for each launcher's minder ends what it leaves.
int end_orphans(const std::vector<pid_t>& keep, const std::vector<pid_t>& running);

}  // namespace immure::prove

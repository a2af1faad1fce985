// What a jail leaves on the host: taken before, compared after. "Nothing is left" means processes, mounts, control
// groups, files of the state folder and of the temporary folder. Groups and state files are looked for by the mark that
// the tests' jails have in their names, so that somebody else's jails do not matter; a pseudo terminal lives no longer
// than the process that holds it.
#pragma once

#include <string>
#include <vector>

namespace immure::test {

class Leftovers {
 public:
  // Takes the picture. The test program is a subreaper (jail_main.cc): whatever outlives immure becomes its child.
  Leftovers();
  // What has come and not gone, one line each, after waiting up to `seconds` for it to go; empty is good.
  std::string since(double seconds = 3) const;
  // Kills the processes that have come since: what one test left must not disturb the next.
  void end_processes() const;
  // And removes the groups and files that have come since.
  void clear() const;

 private:
  std::vector<std::string> before_;
};

// The picture itself: "process 123 (sh)", "mount /x", "cgroup /sys/fs/cgroup/…", "file …"; sorted.
std::vector<std::string> host_things();
// In the name of every jail of this test program, and in no other's.
std::string name_mark();
// immure's own folder for the state of its runs, as the tests set it up.
std::string state_dir();

}  // namespace immure::test

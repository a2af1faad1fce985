// What a jail leaves on the host: taken before, compared after. "Nothing is left" means processes, mounts, control
// groups, pseudo terminals, files of the state folder and of the temporary folder.
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

 private:
  std::vector<std::string> before_;
};

// The picture itself: "process 123 (sh)", "mount /x", "cgroup /sys/fs/cgroup/…", "pty 3", "file …"; sorted.
std::vector<std::string> host_things();
// immure's own folder for the state of its runs, as the tests set it up.
std::string state_dir();

}  // namespace immure::test

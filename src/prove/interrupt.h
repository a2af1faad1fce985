// Ctrl-C and its like while canaries stand on the host: noted, so that everything is put away before immure
// ends.
#pragma once

#include <csignal>
#include <iterator>

namespace immure::prove {

// While it lives, SIGINT, SIGTERM and SIGHUP are noted instead of obeyed, SIGPIPE is ignored, and SIGCHLD is
// not, whatever a caller left: how a process ended must be heard. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  static bool came();
  static int signal();  // 0: none

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD};
  struct sigaction before_[std::size(kSignals)];
};

}  // namespace immure::prove

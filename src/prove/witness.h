// A process outside of every jail that waits to be reached: it answers connections with a canary's line and
// counts what comes to it. What it counted is the proof that a probe's signal or datagram really arrived.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace immure::prove {

// In memory shared with the witness.
struct Counted {
  std::atomic<uint32_t> signals, connections;
};

// What it listens at. Descriptors are the yard's, which the witness inherits.
struct Ears {
  std::vector<int> streams;    // listening: each connection gets the line
  std::vector<int> datagrams;  // each datagram from somebody with an address gets the line
  int asked_for_folder =
      -1;  // listening: who connects may ask "fd?", and is answered with `folder` by SCM_RIGHTS
  int folder = -1;
};

class Witness {
 public:
  Witness() = default;
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  Status start(const Ears& ears, const std::string& line);
  int pid() const { return pid_; }
  bool is_alive() const;
  uint32_t signals() const { return counts_->signals; }
  uint32_t connections() const { return counts_->connections; }

 private:
  int pid_ = 0;
  Counted* counts_ = nullptr;
};

}  // namespace immure::prove

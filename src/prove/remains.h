// What a yard makes on the host that outlives a process, by name and number. A process of its own, the
// keeper, knows it, too, and takes it away when the battery ended without doing so, by whatever signal. It
// trusts no name that stands anywhere: all that it goes by is memory shared with the battery.
#pragma once

#include <sys/types.h>

#include <climits>
#include <string>

#include "base/result.h"

namespace immure::prove {

// Whoever makes one writes it down at once; a folder before it is there.
struct Left {
  char folder[PATH_MAX];
  int shm = -1, sem = -1, msg = -1;
  char queue[64], shm_file[80];
  long user_key = -1;  // in the user's keyring
};

class Remains {
 public:
  Remains() = default;
  ~Remains();  // takes everything away, and ends the keeper
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;

  // Starts the keeper. Before anything is made, so that it holds no descriptor of the yard's.
  Status start();
  // After start() only.
  Left& left() { return *left_; }

 private:
  Left* left_ = nullptr;  // shared with the keeper
  pid_t keeper_ = -1;
};

// Into one of Left's texts; false: it is too long.
template <size_t N>
bool write_down(char (&where)[N], const std::string& text) {
  if (text.size() >= N) return false;
  text.copy(where, N - 1);
  where[text.size()] = '\0';
  return true;
}

}  // namespace immure::prove

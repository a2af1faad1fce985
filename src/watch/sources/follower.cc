#include "watch/sources/follower.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "kernel/proc.h"

namespace immure::watch {

int processor_of(pid_t tid) {
  constexpr int kField = 39;
  std::array<char, 1024> buffer;
  std::string_view text = read_view(("/proc/" + std::to_string(tid) + "/stat").c_str(), buffer);
  const size_t name = text.rfind(')');  // what follows is the kernel's own
  if (name == std::string_view::npos) return -1;
  text.remove_prefix(name);
  for (int field = 2; field < kField; field++) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos) return -1;
    text.remove_prefix(space + 1);
  }
  const auto number = parse_u64(text.substr(0, text.find(' ')));
  return number && *number < CPU_SETSIZE ? static_cast<int>(*number) : -1;
}

Follower::Follower() { known_ = sched_getaffinity(0, sizeof allowed_, &allowed_) == 0; }

void Follower::move(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(processor), &one);
  if (sched_setaffinity(0, sizeof one, &one) == 0) processor_ = processor;
}

void Follower::free() {
  sched_setaffinity(0, sizeof allowed_, &allowed_);
  processor_ = -1;
  until_look_ = kRest;
  step_ = kSoon;
  tried_ = moved_ = 0;
}

void Follower::look(pid_t tid) {
  constexpr int kWindow = 8, kMostMoves = 3;
  until_look_ = step_;
  const int processor = processor_of(tid);
  if (!known_ || processor < 0 || !CPU_ISSET(static_cast<size_t>(processor), &allowed_)) {
    if (known_ && processor_ >= 0) free();
    return;
  }
  if (++tried_ > kWindow) tried_ = moved_ = 0;
  if (processor == processor_) {
    until_look_ = step_ = std::min(step_ * 2, kLate);
    return;
  }
  if (++moved_ > kMostMoves) {
    free();
    return;
  }
  until_look_ = step_ = kSoon;
  move(processor);
}

}  // namespace immure::watch

// Records from a thread that collects them to the one that drains: bounded, in order, none lost. Who puts
// waits when it is full, and with it the program that is watched.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/fd.h"
#include "watch/source.h"

namespace immure::watch {

class RecordQueue {
 public:
  static constexpr size_t kMost = 4 << 20;    // bytes
  static constexpr size_t kSoon = 64 << 10;   // from here on who drains is woken at once
  static constexpr long kLater = 20'000'000;  // nanoseconds after the first record otherwise
  RecordQueue();
  int descriptor() const { return timer_.get(); }  // readable when there is something to drain

  void put(std::span<const uint8_t> record);
  void close();  // nothing comes any more
  // False: it was closed, and everything is handed over.
  bool drain(Taker& taker);
  void abandon();  // nobody drains any more: what is put is dropped, and nobody waits

 private:
  void wake(long nanoseconds) const;
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<uint8_t> filling_, draining_;
  UniqueFd timer_;
  bool closed_ = false, abandoned_ = false;
};

}  // namespace immure::watch

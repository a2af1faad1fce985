#include "watch/sources/record_queue.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cstring>

namespace immure::watch {

RecordQueue::RecordQueue() : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {}

// A wake-up of another processor costs more than a record: so many are handed over together.
void RecordQueue::wake(long nanoseconds) const {
  const itimerspec when{{0, 0}, {0, nanoseconds}};
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void RecordQueue::put(std::span<const uint8_t> record) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return abandoned_ || filling_.size() + record.size() <= kMost; });
  if (abandoned_) return;
  const size_t before = filling_.size();
  filling_.insert(filling_.end(), record.begin(), record.end());
  if (before == 0) wake(kLater);
  if (before < kSoon && filling_.size() >= kSoon) wake(1);
}

void RecordQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  wake(1);
}

void RecordQueue::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  filling_.clear();
  room_.notify_all();
}

bool RecordQueue::drain(Taker& taker) {
  bool closed = false;
  {
    std::lock_guard lock(mutex_);
    uint64_t expirations = 0;
    // Nothing to read means that it has not fired: what there is, is taken all the same.
    [[maybe_unused]] const ssize_t ignored = ::read(timer_.get(), &expirations, sizeof expirations);
    draining_.clear();
    draining_.swap(filling_);
    closed = closed_;
    room_.notify_all();
  }
  for (size_t at = 0; at + sizeof(CallRecord) <= draining_.size();) {
    uint32_t size;
    std::memcpy(&size, draining_.data() + at, sizeof size);
    if (size < sizeof(CallRecord) || size > draining_.size() - at) break;  // never: put() had it whole
    taker.take({draining_.data() + at, size});
    at += size;
  }
  return !closed;
}

}  // namespace immure::watch

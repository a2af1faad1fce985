#include "watch/sources/joined.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "watch/clock.h"

namespace immure::watch {
namespace {

// So long what has a time may take until it can be seen: the supervisor reads memory in between. Only the
// order of what different threads did depends on it.
constexpr uint64_t kSettles = 1'000'000;  // nanoseconds
constexpr long kNap = 4'000'000;

uint64_t time_of(std::span<const uint8_t> record) {
  CallRecord head{};
  if (record.size() >= sizeof head) std::memcpy(&head, record.data(), sizeof head);
  return head.time;
}

// Before each record of the ring come those of the tracer that are older.
template <class Held>
class Merging final : public Taker {
 public:
  Merging(Held& held, Taker& taker) : held_(held), taker_(taker) {}
  void take(std::span<const uint8_t> record) override {
    held_.give(taker_, time_of(record));
    taker_.take(record);
  }

 private:
  Held& held_;
  Taker& taker_;
};

}  // namespace

void JoinedSource::Held::give(Taker& taker, uint64_t until) {
  while (at_ + sizeof(CallRecord) <= bytes_.size()) {
    uint32_t size = 0;
    std::memcpy(&size, bytes_.data() + at_, sizeof size);
    if (size < sizeof(CallRecord) || size > bytes_.size() - at_)
      size = static_cast<uint32_t>(bytes_.size() - at_);
    const std::span<const uint8_t> record(bytes_.data() + at_, size);
    if (time_of(record) > until) return;
    taker.take(record);
    at_ += size;
  }
}

void JoinedSource::Held::forget_given() {
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(at_));
  at_ = 0;
}

Result<std::unique_ptr<JoinedSource>> JoinedSource::make(std::unique_ptr<NotifySource> ring,
                                                         std::unique_ptr<Source> tracer) {
  std::unique_ptr<JoinedSource> source(new JoinedSource(std::move(ring), std::move(tracer)));
  source->all_.reset(epoll_create1(EPOLL_CLOEXEC));
  source->timer_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  bool ready = source->all_ && source->timer_;
  for (int fd : {source->ring_->descriptor(), source->tracer_->descriptor(), source->timer_.get()}) {
    epoll_event event{EPOLLIN, {}};
    ready = ready && epoll_ctl(source->all_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }
  if (!ready) return fail(Code::kSystem, "the jail's records cannot be waited for", {}, {}, {}, errno);
  return source;
}

void JoinedSource::look_again() {
  const itimerspec once{{0, 0}, {0, kNap}};
  timerfd_settime(timer_.get(), 0, &once, nullptr);
}

void JoinedSource::leave_out(int descriptor) const {
  epoll_ctl(all_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

// What happened before `until` is in one of the two by now, and of each its whole beginning: a call that
// waited for its record was let go on later than that.
Result<bool> JoinedSource::drain(Taker& taker) {
  uint64_t ticks = 0;
  (void)!read(timer_.get(), &ticks, sizeof ticks);
  uint64_t until = monotonic_now() - kSettles;
  held_.forget_given();
  if (!tracer_ended_) {
    Result<bool> more = tracer_->drain(held_);
    if (!more) return more;
    tracer_ended_ = !*more;
    if (tracer_ended_) leave_out(tracer_->descriptor());
  }
  if (!ring_ended_) {
    Merging<Held> merging(held_, taker);
    Result<bool> more = ring_->drain_until(merging, until);
    if (!more) return more;
    ring_ended_ = !*more;
    if (ring_ended_) leave_out(ring_->descriptor());
  }
  if (ring_ended_) until = ~uint64_t{0};  // nothing of it comes any more
  held_.give(taker, until);
  if (!held_.empty()) look_again();
  return !ring_ended_ || !tracer_ended_ || !held_.empty();
}

}  // namespace immure::watch

// What the supervisor of a jail writes into the ring (kernel/call_ring.h): calls that waited at the listener
// of the jail's filter, and those that the filter denied. Needs no privilege, and loses nothing: a full ring
// makes the jail wait. Sees no results of what went on, no ends of processes, and no call that the table does
// not have.
//
// Its descriptor also tells of the link (kernel/watch_link.h), whose end is the end of the watch, so it is a
// source of every watched jail, whoever sees the calls.
#pragma once

#include <string_view>

#include "base/fd.h"
#include "kernel/call_ring.h"
#include "watch/source.h"

namespace immure::watch {

// What is watched at a level, as the supervisor needs it.
CaptureTable capture_table(Level level, CallsGo go);

class NotifySource final : public Source {
 public:
  // Both outlive this. `link` -1: the jail has ended, and what is left is read. `keeper`: a pidfd whose end
  // ends the jail as well; -1: none. What was handed over is let go of when drain() is called again, so
  // whoever drains must have flushed its sinks before; let_go() for the last time.
  static Result<std::unique_ptr<NotifySource>> make(CallRing& ring, int link, int keeper);

  std::string_view name() const override { return "notify"; }
  int descriptor() const override { return all_.get(); }
  Result<bool> drain(Taker& taker) override {
    uint64_t until = ~uint64_t{0};
    return drain_until(taker, until);
  }
  // Hands over no record that is later; `until` is made earlier where more is there than was handed over.
  // What is later stays in the ring.
  Result<bool> drain_until(Taker& taker, uint64_t& until);
  // Records up to that time were handed over by another, who was killed.
  void skip(uint64_t until) { skipped_ = until; }
  uint64_t lost() const override { return 0; }

  bool ended_well() const { return told_; }  // the supervisor has said that the jail has ended
  bool over() const { return over_; }        // that, or it has gone

 private:
  NotifySource(CallRing& ring, int link, int keeper)
      : ring_(ring), link_(link), keeper_(keeper), over_(link < 0) {}
  void look_at_the_others();
  void nap();

  CallRing& ring_;
  int link_, keeper_;
  UniqueFd all_, timer_;
  bool over_, told_ = false;
  uint64_t skipped_ = 0;
};

}  // namespace immure::watch

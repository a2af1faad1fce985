// A tracer and the supervisor's ring as one source: of a jail whose filter stops what is watched for the
// tracer, and sends what it denies to the supervisor, which writes it down. Neither stream has what the other
// has, so together nothing is lost and nothing comes twice.
//
// Both have their times from one clock, and each is in order. A record is handed over when everything before
// it is there: what a thread has done comes in the order in which it was done, whichever way it came.
#pragma once

#include <memory>
#include <vector>

#include "watch/sources/notify.h"

namespace immure::watch {

class JoinedSource final : public Source {
 public:
  // `name`, as the tracer has it.
  static Result<std::unique_ptr<JoinedSource>> make(std::unique_ptr<NotifySource> ring,
                                                    std::unique_ptr<Source> tracer);

  std::string_view name() const override { return tracer_->name(); }
  int descriptor() const override { return all_.get(); }
  Result<bool> drain(Taker& taker) override;
  bool ends_with_target() const override { return true; }
  uint64_t lost() const override { return ring_->lost() + tracer_->lost(); }

 private:
  // What the tracer has told and was not handed over yet, one record behind the other.
  class Held final : public Taker {
   public:
    void take(std::span<const uint8_t> record) override {
      bytes_.insert(bytes_.end(), record.begin(), record.end());
    }
    void give(Taker& taker, uint64_t until);  // what is not later than that
    void forget_given();
    bool empty() const { return at_ == bytes_.size(); }

   private:
    std::vector<uint8_t> bytes_;
    size_t at_ = 0;
  };

  JoinedSource(std::unique_ptr<NotifySource> ring, std::unique_ptr<Source> tracer)
      : ring_(std::move(ring)), tracer_(std::move(tracer)) {}
  void look_again();
  void leave_out(int descriptor) const;

  std::unique_ptr<NotifySource> ring_;
  std::unique_ptr<Source> tracer_;
  bool ring_ended_ = false, tracer_ended_ = false;
  Held held_;
  UniqueFd all_, timer_;
};

}  // namespace immure::watch

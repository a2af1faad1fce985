// The supervisor's end of `immure policy ask`: calls that the filter denied wait here until the user has
// answered.
//
// What is let through is weighed by registers alone, which cannot change while a call waits (plan/asking.h):
// whoever answers gives no more than --allow-syscall of that call would, and for one kind of it
// (denied_names.h) instead of all.
//
// Nothing here waits: whoever answers late keeps the callers waiting and nobody else. Memory is bounded;
// beyond it, and beyond kMostAMinute questions, calls are denied as if there were nobody to ask. One thread.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/ask_link.h"
#include "plan/asking.h"

struct seccomp_notif;

namespace immure::run {

class Asker {
 public:
  static constexpr size_t kMostWaiting = 64, kMostKinds = 256;
  static constexpr unsigned kMostAMinute = 30;
  // Messages in one hear(): who sends without end keeps no limit waiting.
  static constexpr int kMostHeard = 16;
  static constexpr int kLookAgain =
      200;  // milliseconds, between looks whether the call that is asked about still waits

  // `link`: from immure-full, which is the parent of this process. kUsage when its other end is another's.
  static Result<Asker> open(int link);
  void begin(int listener, const Plan& plan);

  enum class Says : uint8_t { Denied, GoesOn, Waits };
  // A call that the filter denied.
  Says ask(const seccomp_notif& call);

  struct Answered {
    AskMessage question;
    bool goes_on = false;
  };
  // Calls that waited and need not any more, one after the other; those that are gone are left out.
  std::optional<Answered> next_answered();

  // Interrupt: the program is to be; End: the jail shall end; Gone: nobody answers any more.
  enum class Heard : uint8_t { Nothing, Interrupt, End, Gone };
  Heard hear();
  // Takes back what was asked for somebody who has gone.
  void look();
  // Something waits, and nothing is asked at the moment: when the terminal is the asker's, put() asks.
  bool wants_to_ask() const { return !put_ && !waiting_.empty(); }
  void put();
  bool asking() const { return !waiting_.empty(); }
  int link() const { return link_.get(); }
  uint64_t unasked() const { return unasked_; }  // denied because too much was asked

 private:
  struct Kind {
    uint32_t arch = 0, nr = 0;
    uint64_t detail = 0;
    bool allowed = false;
  };
  const Kind* known(const AskMessage& question) const;
  bool too_often();
  bool still_waits(const AskMessage& question) const;

  UniqueFd link_;
  int listener_ = -1;
  std::optional<Questions> questions_;
  std::vector<AskMessage> waiting_;  // the first one is asked about
  std::vector<Answered> answered_;
  std::vector<Kind> kinds_;  // of which the answer is known
  uint64_t asked_since_ = 0, unasked_ = 0;
  unsigned asked_ = 0;
  bool put_ = false;  // the first one has been sent
};

}  // namespace immure::run

// The terminal of `immure policy ask`, with one question at a time on it.
//
// A terminal answers by keys what the program's output has asked it (colours, titles, the clipboard), and
// some of that are the program's own words. So keys count only when a question has stood for a while, when
// nothing else came right before them, and when they are the answer and nothing more; after three that were
// not, the question comes again with another code.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "cli/ask_page.h"
#include "kernel/ask_link.h"

namespace immure::cli {

class Desk {
 public:
  // `terminal`: opened with O_NONBLOCK. `patience`: how long a question waits, in milliseconds; none: for
  // ever.
  Desk(UniqueFd terminal, std::optional<int64_t> patience)
      : terminal_(std::move(terminal)), patience_(patience) {}

  bool waits() const { return waits_; }
  bool gone() const;       // the terminal has: nobody will answer
  int descriptor() const;  // to read from; -1: nothing is asked, or keys are for another job
  bool too_late() const;   // nobody has answered in time
  void put(const AskMessage& question);
  // Puts what waits on the terminal when that is ours, and again when it was another job's meanwhile. Never
  // waits long.
  Status show();
  void put_again() { open_ = false; }   // others may have written over it: with another code
  void take_back();
  std::optional<Typed> listen();
  void close(std::string_view said);

  const AskMessage& question() const { return question_; }
  const Asked& asked() const { return asked_; }
  unsigned questions() const { return number_; }

 private:
  static constexpr int64_t kQuiet = 300;  // milliseconds without a key before one counts
  static constexpr int kMostWrong = 3;
  static constexpr size_t kRecent = 16;

  bool is_ours() const;
  bool write_all(std::string_view text);
  Result<std::string> new_code();
  size_t columns() const;
  void say(std::string_view text) { write_all(std::string(text) + "\r\n"); }

  UniqueFd terminal_;
  std::optional<int64_t> patience_;
  AskMessage question_;
  Asked asked_;
  std::string code_, keys_;
  std::deque<std::string> recent_;  // codes
  unsigned number_ = 0;
  int wrong_ = 0;
  int64_t deaf_until_ = 0, put_at_ = 0;
  bool waits_ = false, open_ = false;
};

}  // namespace immure::cli

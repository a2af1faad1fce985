// The lines of `immure watch --json` (schema immure.watch/1), read back as events. Nothing of them is
// believed: whoever may write the file may write anything, and what does not fit the schema is an error.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "watch/event.h"

namespace immure::learn {

// One line. The event's texts are in this object, until the next line. What a line leaves out (bytes of
// structs, a process's end) stays empty. Not thread-safe.
class EventLine {
 public:
  enum class What : uint8_t {
    Head,   // the line that a watch begins with
    Event,  // event() has it
    Other,  // an alert, an end: nothing to learn from
  };
  // kBadValue: it is no such line; `why` says what is wrong with it.
  Result<What> read(std::string_view line);
  const watch::Event& event() const { return event_; }

 private:
  struct Reader;
  watch::Event event_;
  std::string path_, second_, resolved_, text_, words_, address_;
};

// Whether the file begins as lines of JSON do; nothing of it is used up. A pipe waits for its first byte.
bool begins_as_json(int fd);

// Line by line, with bounded memory. What a killed writer left after the last line feed is left out.
class EventLines {
 public:
  EventLines(UniqueFd file, std::string shown_as) : file_(std::move(file)), shown_as_(std::move(shown_as)) {}
  // False: no more. kBadValue: a line that is none, with its number; kSystem: it cannot be read.
  Result<bool> next();
  // Of the line that next() found; valid until it is called again.
  const watch::Event& event() const { return line_.event(); }

 private:
  Result<bool> next_line(std::string_view& line);

  UniqueFd file_;
  std::string shown_as_, ahead_;
  size_t at_ = 0;
  uint64_t number_ = 0;
  bool headed_ = false;
  EventLine line_;
};

}  // namespace immure::learn

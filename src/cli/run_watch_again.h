// A watch whose watcher was killed is taken up again: what it had written, and what it had not.
#pragma once

#include <cstdint>
#include <memory>

#include "watch/sink.h"

namespace immure::cli {

struct Written {
  uint64_t events = 0;  // the number of the last one
  uint64_t denied = 0;  // the time of the last call that the filter denied; 0: there is none
};

// Of a file of lines (watch/sinks/json.h), opened to read and write: a line that was being written goes, the
// rest is told.
Written mend_lines(int file);

// Gives on what comes after an event that is written already.
std::unique_ptr<watch::Sink> after(std::unique_ptr<watch::Sink> sink, uint64_t last);

}  // namespace immure::cli

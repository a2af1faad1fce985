// What came of one attempt at one place, before anybody judges it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "probes/probe.h"

namespace immure::prove {

enum class Ending : uint8_t {
  NotRun,      // nothing was tried here
  Said,        // the probe told how it ended
  Killed,      // a signal ended the probe (`error`)
  Hangs,       // it did not end by itself
  Lost,        // it ended without a word
  EndedAll,    // what it ran in ended with it (`status`)
  NotStarted,  // what it was to run in did not start; `text` has the reason
};

struct Observation {
  Ending ending = Ending::NotRun;
  probes::Outcome outcome = probes::Outcome::Stopped;  // when it said so
  int error = 0;                                       // errno of the deciding call, or a signal
  int status = 0;                                      // of EndedAll
  std::string where, text;
  bool proven = false;  // an escape with its proof
  uint32_t layers = 0;  // of immure's jail, that held there; 0: not known
  bool for_planted = false;  // of NotStarted: with another planted root, without hard links, it did start
  bool denied = false;  // the jail's own record names `where` among the calls that its filter denied
};

struct Line {
  std::string_view id;
  Observation seen;
};
// A line of immure-probe; false when it is none.
bool read_line(std::string_view text, Line& line);

}  // namespace immure::prove

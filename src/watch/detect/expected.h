// What a profile or a baseline allows: what detectors of new things compare with. Made by whoever starts a
// watch (from a learned profile, from a baseline's file), constant while it runs.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "watch/calls.h"
#include "watch/event.h"
#include "watch/model/model.h"

namespace immure::watch {

// Paths as the jail sees them. A name that ends in "/" stands for the folder and everything below it; one in
// `patterns` for all that fits it (path_fits()): names that change from run to run.
struct ExpectedPaths {
  std::set<std::string, std::less<>> names, patterns;
  bool covers(std::string_view path) const;
};

// The sequences of calls of one program's threads.
struct ExpectedSequence {
  Model model;
  double most = 0;  // a window that scores above it is stranger than any that was learned without it
};

struct Expected {
  static constexpr size_t kMostNames = 100'000, kMostPatterns = 512, kMostPrograms = 4096;

  // What was not watched when this was learned is not known: calls beyond this level are new to nobody.
  Level level = Level::All;
  ExpectedPaths reads, writes, executables;
  // "10.0.0.1:443", "[::1]:80", "unix:/run/x", "unix:@name"; "10.0.0.1:*" for every port, "*:443" for every
  // address, "*" for both, "unix:/run/" for everything below, "unix:@*" for every abstract name.
  std::set<std::string, std::less<>> hosts;
  // How many calls that are watched one process makes in a second at most; 0: not known. And by executable.
  double most_events_a_second = 0;
  std::map<std::string, double, std::less<>> rates;
  std::map<std::string, ExpectedSequence, std::less<>> sequences;  // by executable

  bool covers_host(std::string_view host) const;
  // Takes in what another knows: what either of them expects is expected. Of a program that both have
  // sequences of, its own stay.
  void join(Expected other);
};

// Whether each name of a path fits that of a pattern: '*' is anything, '#' a number.
bool path_fits(std::string_view path, std::string_view pattern);
// The path that an event is about, as it is compared: what it led to, where that is known. "": it is
// relative, or there is none.
std::string expected_path(const Event& event);
// Whether a call of that kind was seen at that level. Births, ends and signals are, at each.
bool seen_at(Level level, const Event& event);

}  // namespace immure::watch

// The pictures of a report's page, as SVG. Pure.
#pragma once

#include <string>

#include "watch/report/summary.h"

namespace immure::watch {

// Events a second by kind, stacked, with alerts marked; each column says its numbers when it is pointed at.
std::string timeline(const Summary& summary);
// A row a call, the most frequent first; darker where it was made more often (logarithmic).
std::string heat_map(const Summary& summary);
// A row a process below its parent, with the time that it lived.
std::string process_tree(const Summary& summary, size_t most);

}  // namespace immure::watch

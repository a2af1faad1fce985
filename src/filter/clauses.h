// From a call's rules, with their 64-bit tests, to decisions about 32-bit words, which is all that classic BPF
// can compare.
#pragma once

#include "filter/filter.h"
#include "filter/graph.h"

namespace immure::filter {

// The node that decides about a call; the accumulator's content is of no matter. kFilter for rules that are
// not well-formed, or too many.
Result<NodeId> decide_by_rules(Graph& graph, const CallPolicy& call);

}  // namespace immure::filter

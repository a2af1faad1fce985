// A filter as a graph of decisions, before it has addresses: equal nodes are one node, so that equal ends of
// different calls are shared. Memory only grows; a graph lives for one compilation.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace immure::filter {

using NodeId = uint32_t;

// An instruction whose successors are nodes. RET has none; LD and AND have one (yes); jumps have two.
struct Node {
  uint16_t code;
  uint32_t k;
  NodeId yes, no;
};

class Graph {
 public:
  NodeId ret(uint32_t value) { return node({BPF_RET | BPF_K, value, 0, 0}); }
  NodeId load(uint32_t offset, NodeId next) { return node({BPF_LD | BPF_W | BPF_ABS, offset, next, 0}); }
  NodeId mask(uint32_t bits, NodeId next) { return node({BPF_ALU | BPF_AND | BPF_K, bits, next, 0}); }
  // test: BPF_JEQ, BPF_JGE, BPF_JGT or BPF_JSET
  NodeId jump(uint16_t test, uint32_t k, NodeId yes, NodeId no) {
    return yes == no ? yes : node({static_cast<uint16_t>(BPF_JMP | test | BPF_K), k, yes, no});
  }
  const Node& operator[](NodeId id) const { return nodes_[id]; }
  size_t size() const { return nodes_.size(); }

 private:
  NodeId node(const Node& wanted);
  void grow();
  std::vector<Node> nodes_;
  std::vector<NodeId> slots_;  // open addressing; kEmpty or a node
};

// From `first` on, up to the next segment's, a value leads to `target`.
struct Segment {
  uint32_t first;
  NodeId target;
};

// Decides about the value in the accumulator. `segments` is sorted, begins at 0, and neighbours differ. Values
// below `horizon` are equally likely and get the short ways: when a filter is loaded the kernel tries every
// call's number. 0: every segment is equally likely.
NodeId decide_by_range(Graph& graph, std::span<const Segment> segments, uint32_t horizon);

// Gives the nodes that `root` reaches their addresses; successors come behind, jumps over more than 255
// instructions go through another one. kFilter beyond BPF_MAXINSNS.
Result<std::vector<sock_filter>> linearise(const Graph& graph, NodeId root);

}  // namespace immure::filter

#include "filter/graph.h"

#include "base/text.h"

namespace immure::filter {
namespace {

constexpr NodeId kEmpty = ~NodeId{0};

size_t hash(const Node& node) {
  uint64_t h = node.code;
  for (uint32_t part : {node.k, node.yes, node.no}) h = (h ^ part) * 0x9e3779b97f4a7c15U;
  return static_cast<size_t>(h >> 32);
}

bool equal(const Node& a, const Node& b) {
  return a.code == b.code && a.k == b.k && a.yes == b.yes && a.no == b.no;
}

}  // namespace

NodeId Graph::node(const Node& wanted) {
  if (nodes_.size() * 2 >= slots_.size()) grow();
  size_t at = hash(wanted) & (slots_.size() - 1);
  for (; slots_[at] != kEmpty; at = (at + 1) & (slots_.size() - 1))
    if (equal(nodes_[slots_[at]], wanted)) return slots_[at];
  slots_[at] = static_cast<NodeId>(nodes_.size());
  nodes_.push_back(wanted);
  return slots_[at];
}

void Graph::grow() {
  slots_.assign(slots_.empty() ? 512 : slots_.size() * 2, kEmpty);
  for (NodeId id = 0; id < nodes_.size(); id++) {
    size_t at = hash(nodes_[id]) & (slots_.size() - 1);
    while (slots_[at] != kEmpty) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = id;
  }
}

namespace {

// ---- ranges -----------------------------------------------------------------------------------------------------

// A range that has one target but for a few single values: one comparison for each of them, where cutting the
// range there would take two.
struct Cell {
  uint32_t first;
  NodeId target;
  size_t exceptions, count;  // in Ranges::exceptions
};

constexpr size_t kMostExceptions = 3;  // in one cell: they are tried one after the other

class Ranges {
 public:
  Ranges(Graph& graph, std::span<const Segment> segments) : graph_(graph), segments_(segments) {}
  NodeId build(uint32_t horizon) {
    make_cells();
    weigh(horizon);
    return tree(0, cells_.size());
  }

 private:
  void make_cells();
  void add_cells(size_t first, size_t last);
  size_t longest_group(size_t first) const;
  void weigh(uint32_t horizon);
  size_t middle(size_t first, size_t end) const;
  NodeId leaf(const Cell& cell);
  NodeId tree(size_t first, size_t end);

  Graph& graph_;
  std::span<const Segment> segments_;
  std::vector<Cell> cells_;
  std::vector<Segment> exceptions_;
  std::vector<uint64_t> before_;  // [i]: the weight of the cells before cell i
};

// The last segment of a group that begins with `first`: every second one has the same target, what is between
// is one value wide.
size_t Ranges::longest_group(size_t first) const {
  size_t last = first;
  while (last + 2 < segments_.size() && segments_[last + 2].target == segments_[first].target &&
         segments_[last + 1].first + 1 == segments_[last + 2].first)
    last += 2;
  return last;
}

// Cuts the segments into groups so that comparisons are fewest, from the end to the beginning.
void Ranges::make_cells() {
  size_t n = segments_.size();
  std::vector<size_t> cost(n + 1), last(n);
  cost[n] = 0;
  for (size_t i = n; i-- > 0;) {
    cost[i] = ~size_t{0};
    for (size_t end = i; end <= longest_group(i); end += 2) {
      size_t exceptions = (end - i) / 2;
      size_t cuts = exceptions == 0 ? 0 : (exceptions - 1) / kMostExceptions;
      size_t total = exceptions + cuts + (end + 1 < n ? 1 + cost[end + 1] : 0);
      if (total > cost[i]) continue;
      cost[i] = total;
      last[i] = end;
    }
  }
  for (size_t i = 0; i < n; i = last[i] + 1) add_cells(i, last[i]);
}

void Ranges::add_cells(size_t first, size_t last) {
  size_t exceptions = (last - first) / 2;
  size_t pieces = exceptions == 0 ? 1 : (exceptions + kMostExceptions - 1) / kMostExceptions;
  for (size_t piece = 0; piece < pieces; piece++) {
    size_t begin = piece * exceptions / pieces, end = (piece + 1) * exceptions / pieces;
    cells_.push_back({segments_[first + 2 * begin].first, segments_[first].target, exceptions_.size(), end - begin});
    for (size_t i = begin; i < end; i++) exceptions_.push_back(segments_[first + 2 * i + 1]);
  }
}

NodeId Ranges::leaf(const Cell& cell) {
  NodeId node = cell.target;
  for (size_t i = cell.exceptions + cell.count; i-- > cell.exceptions;)
    node = graph_.jump(BPF_JEQ, exceptions_[i].first, exceptions_[i].target, node);
  return node;
}

void Ranges::weigh(uint32_t horizon) {
  before_ = {0};
  for (size_t i = 0; i < cells_.size(); i++) {
    uint64_t end = i + 1 < cells_.size() && cells_[i + 1].first < horizon ? cells_[i + 1].first : horizon;
    uint64_t width = end > cells_[i].first ? end - cells_[i].first : 0;
    before_.push_back(before_[i] + width + 1);
  }
}

// Where to cut so that both sides weigh the same.
size_t Ranges::middle(size_t first, size_t end) const {
  uint64_t half = (before_[first] + before_[end]) / 2;
  size_t at = first + 1;
  while (at + 1 < end && before_[at] < half) at++;
  bool earlier_is_nearer = at > first + 1 && half - before_[at - 1] < before_[at] - half;
  return before_[at] > half && earlier_is_nearer ? at - 1 : at;
}

NodeId Ranges::tree(size_t first, size_t end) {
  if (end - first == 1) return leaf(cells_[first]);
  size_t cut = middle(first, end);
  NodeId low = tree(first, cut);
  NodeId high = tree(cut, end);
  return graph_.jump(BPF_JGE, cells_[cut].first, high, low);
}

// ---- addresses --------------------------------------------------------------------------------------------------

// Writes from the end to the beginning: when a node is written, where its successors are is known.
class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph), place_(graph.size(), kNowhere) {}
  void write(NodeId id);
  std::vector<sock_filter> backwards;

 private:
  static constexpr size_t kNowhere = ~size_t{0}, kReach = 255;

  // How many instructions lie between the next one to be written and the node.
  size_t distance(NodeId id) const { return backwards.size() - 1 - place_[id]; }
  void put(NodeId id, sock_filter instruction) {
    place_[id] = backwards.size();
    backwards.push_back(instruction);
  }
  void bring_near(NodeId id);

  const Graph& graph_;
  std::vector<size_t> place_;
};

// Another way to a node that is far: a verdict again, or a jump without limit.
void Writer::bring_near(NodeId id) {
  const Node& node = graph_[id];
  if (BPF_CLASS(node.code) == BPF_RET) {
    put(id, {node.code, 0, 0, node.k});
  } else {
    put(id, {BPF_JMP | BPF_JA, 0, 0, static_cast<uint32_t>(distance(id))});
  }
}

void Writer::write(NodeId id) {
  if (place_[id] != kNowhere || backwards.size() > BPF_MAXINSNS) return;
  const Node& node = graph_[id];
  if (BPF_CLASS(node.code) == BPF_RET) {
    put(id, {node.code, 0, 0, node.k});
    return;
  }
  if (BPF_CLASS(node.code) != BPF_JMP) {
    write(node.yes);
    if (distance(node.yes) != 0) bring_near(node.yes);
    put(id, {node.code, 0, 0, node.k});
    return;
  }
  write(node.yes);
  write(node.no);
  while (distance(node.yes) > kReach || distance(node.no) > kReach)
    bring_near(distance(node.yes) > kReach ? node.yes : node.no);
  put(id, {node.code, static_cast<uint8_t>(distance(node.yes)), static_cast<uint8_t>(distance(node.no)), node.k});
}

}  // namespace

NodeId decide_by_range(Graph& graph, std::span<const Segment> segments, uint32_t horizon) {
  return Ranges(graph, segments).build(horizon);
}

Result<std::vector<sock_filter>> linearise(const Graph& graph, NodeId root) {
  Writer writer(graph);
  writer.write(root);
  if (writer.backwards.size() > BPF_MAXINSNS) {
    return fail(Code::kFilter, "the filter is too large",
                "the kernel loads at most " + num(BPF_MAXINSNS) + " instructions",
                "decide about fewer calls by their arguments");
  }
  return std::vector<sock_filter>(writer.backwards.rbegin(), writer.backwards.rend());
}

}  // namespace immure::filter

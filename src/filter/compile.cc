#include <linux/audit.h>
#include <stddef.h>

#include "base/text.h"
#include "filter/clauses.h"
#include "filter/filter.h"
#include "filter/graph.h"
#include "uapi/syscalls.h"

namespace immure::filter {
namespace {

constexpr uint32_t kNrOffset = offsetof(seccomp_data, nr), kArchOffset = offsetof(seccomp_data, arch);

void append(std::vector<Segment>& segments, uint32_t first, NodeId target) {
  if (segments.empty() || segments.back().target != target) segments.push_back({first, target});
}

Status check(const ArchPolicy& arch) {
  for (size_t i = 0; i < arch.calls.size(); i++) {
    bool is_x32 = arch.calls[i].nr >= uapi::kX32Bit;
    if (is_x32 == (arch.arch == Arch::X32) && (i == 0 || arch.calls[i - 1].nr < arch.calls[i].nr)) continue;
    return fail(Code::kFilter, "call number " + num(arch.calls[i].nr) + " of a filter policy is out of order");
  }
  return {};
}

// Fills [first, end) with what the policy says of numbers that it does not list.
void append_unlisted(std::vector<Segment>& segments, const ArchPolicy& arch, Graph& graph, uint64_t first,
                     uint64_t end) {
  if (first < end && first < arch.first_unknown)
    append(segments, static_cast<uint32_t>(first), graph.ret(arch.unlisted));
  uint64_t unknown = first < arch.first_unknown ? arch.first_unknown : first;
  if (unknown < end) append(segments, static_cast<uint32_t>(unknown), graph.ret(arch.unknown));
}

Status append_arch(std::vector<Segment>& segments, const ArchPolicy& arch, Graph& graph, uint64_t first,
                   uint64_t end) {
  IMMURE_TRY(check(arch));
  uint64_t next = first;
  for (const CallPolicy& call : arch.calls) {
    append_unlisted(segments, arch, graph, next, call.nr);
    Result<NodeId> node = decide_by_rules(graph, call);
    if (!node) return tl::unexpected<Error>(std::move(node.error()));
    append(segments, call.nr, *node);
    next = uint64_t{call.nr} + 1;
  }
  append_unlisted(segments, arch, graph, next, end);
  return {};
}

const ArchPolicy* find(const Policy& policy, Arch arch) {
  for (const ArchPolicy& candidate : policy.arches)
    if (candidate.arch == arch) return &candidate;
  return nullptr;
}

// Decides about everything that comes with one architecture's number: `low` below the x32 bit, `high` from it on.
Result<NodeId> decide_by_number(Graph& graph, const Policy& policy, const ArchPolicy* low, const ArchPolicy* high) {
  constexpr uint64_t kEnd = uint64_t{1} << 32;
  std::vector<Segment> segments;
  if (low != nullptr) {
    IMMURE_TRY(append_arch(segments, *low, graph, 0, high == low ? kEnd : uint64_t{uapi::kX32Bit}));
  } else {
    append(segments, 0, graph.ret(policy.foreign));
  }
  if (high == nullptr) {
    append(segments, uapi::kX32Bit, graph.ret(policy.foreign));
  } else if (high != low) {
    IMMURE_TRY(append_arch(segments, *high, graph, uapi::kX32Bit, kEnd));
  }
  if (segments.size() == 1) return segments[0].target;
  uint32_t horizon = low != nullptr ? low->first_unknown : 0;
  return graph.load(kNrOffset, decide_by_range(graph, segments, horizon));
}

}  // namespace

Result<std::vector<sock_filter>> compile(const Policy& policy) {
  for (size_t i = 0; i < policy.arches.size(); i++)
    if (find(policy, policy.arches[i].arch) != &policy.arches[i])
      return fail(Code::kFilter, "a filter policy lists an architecture twice");
  Graph graph;
  Result<NodeId> native =
      decide_by_number(graph, policy, find(policy, Arch::X86_64), find(policy, Arch::X32));
  if (!native) return tl::unexpected<Error>(std::move(native.error()));
  NodeId foreign = graph.ret(policy.foreign);
  NodeId other = foreign;
  if (const ArchPolicy* i386 = find(policy, Arch::I386)) {
    Result<NodeId> compat = decide_by_number(graph, policy, i386, i386);
    if (!compat) return tl::unexpected<Error>(std::move(compat.error()));
    other = graph.jump(BPF_JEQ, AUDIT_ARCH_I386, *compat, foreign);
  }
  return linearise(graph, graph.load(kArchOffset, graph.jump(BPF_JEQ, AUDIT_ARCH_X86_64, *native, other)));
}

}  // namespace immure::filter

#include "cli/learn_source.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace immure::cli {
namespace {

// A program in the kernel tells calls that decide nothing by their number alone; who stops at each call sees
// all of its arguments. To learn is worth the time that this takes.
constexpr std::array<std::string_view, 2> kInOrder = {"ptrace", "ebpf"};

const watch::SourceKind* find_kind(std::string_view name) {
  if (std::find(kInOrder.begin(), kInOrder.end(), name) == kInOrder.end()) return nullptr;
  for (const watch::SourceKind& kind : watch::source_kinds())
    if (kind.name == name && kind.attach != nullptr) return &kind;
  return nullptr;
}

Result<std::unique_ptr<watch::Source>> attach(const watch::SourceKind& kind, int program, int init) {
  watch::Target target;
  target.shown = "pid " + num_signed(program);
  target.roots = {program};
  target.init = init;
  return kind.attach(target, watch::Level::All);
}

}  // namespace

Result<std::unique_ptr<watch::Source>> learn_source(const std::string& name, int program, int init) {
  if (!name.empty()) {
    const watch::SourceKind* kind = find_kind(name);
    if (kind == nullptr) {
      std::vector<std::string_view> names(kInOrder.begin(), kInOrder.end());
      std::string_view near = nearest(name, names);
      return fail(
          Code::kUsage, "nothing sees a program by " + quoted(name), {},
          near.empty() ? "--source ptrace or --source ebpf" : "did you mean " + std::string(near) + "?");
    }
    if (Status there = kind->available(); !there) return tl::unexpected<Error>(std::move(there.error()));
    return attach(*kind, program, init);
  }
  std::string why;
  for (std::string_view one : kInOrder) {
    const watch::SourceKind* kind = find_kind(one);
    if (kind == nullptr) continue;
    if (Status there = kind->available(); !there) {
      why += (why.empty() ? "" : "; ") + std::string(one) + ": " + there.error().what;
      continue;
    }
    return attach(*kind, program, init);
  }
  return fail(Code::kLayer, "nothing can see what the program does here", why,
              "immure doctor says what is missing");
}

}  // namespace immure::cli

// `immure demo`: the classic mistakes of chroot recipes, replayed, and the same with immure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/verbs.h"
#include "demo/demo.h"

namespace immure::cli {

// 0: it went as told; 1: this host behaved otherwise.
Result<int> demo(const Invocation& call);

struct Replayed {
  const demo::Demo* demo;
  demo::Replay replay;
  std::string not_here = {};  // why it cannot be replayed here; then there is no replay
};
std::string demo_text(const Replayed& replayed, bool colour);
std::string demos_json(const std::vector<Replayed>& all);  // schema immure.demo/1

}  // namespace immure::cli

#include <algorithm>

#include "demo/demo.h"

namespace immure::demo {
namespace {

constexpr const Demo* kDemos[] = {&kSuBeforeChroot, &kLddCopy,  &kBindProc,   &kUnshareChroot,
                                  &kFchdir,         &kHardLink, &kCapshOrder, &kSeccompExample};

}  // namespace

std::span<const Demo* const> demos() { return kDemos; }

const Demo* find(std::string_view name) {
  for (const Demo* demo : kDemos)
    if (name == demo->name) return demo;
  return nullptr;
}

bool Part::as_told() const {
  return !claims.empty() &&
         std::all_of(claims.begin(), claims.end(), [](const Claim& claim) { return claim.held; });
}

}  // namespace immure::demo

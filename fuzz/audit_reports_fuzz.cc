// What an audit is told by files: accepted findings, an earlier report. Any bytes are read or refused; what
// was read back compares with itself without a change.
#include <cstdint>
#include <cstdlib>

#include "audit/baseline.h"
#include "audit/suppress.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure::audit;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    auto all = read_suppressions(text, "a.toml");
    if (!all) return 0;
    for (const Suppression& one : *all)
      if (one.rule == nullptr || one.reason.empty()) abort();
    std::vector<Audit> none;
    suppress(none, *all, 5);
    return 0;
  }
  auto baseline = read_baseline(text, "b.json");
  if (!baseline) return 0;
  const Comparison same = compare(*baseline, *baseline);
  if (!same.worse.empty() || !same.better.empty()) abort();
  comparison_text(same, "b.json");
  return 0;
}

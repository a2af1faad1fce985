// Any bytes as a policy: what the compiled program says of every border is what the policy says.
#include <cstdint>
#include <cstdlib>

#include "base/result.h"
#include "filter/filter.h"
#include "../tests/unit/filter_policy_from_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace filter = immure::filter;
  filter::Policy policy = filter::PolicyBytes({data, size}).policy();
  auto program = filter::compile(policy);
  if (!program) {  // too large for the kernel
    if (program.error().code != immure::Code::kFilter) std::abort();
    return 0;
  }
  filter::for_each_border(policy, [&](const seccomp_data& call) {
    auto verdict = filter::evaluate(*program, call);
    if (!verdict || *verdict != filter::decide(policy, call)) std::abort();
  });
  return 0;
}

// Any bytes as a filter file: read or refused with a place; what is read can be compiled or is too large.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/result.h"
#include "filter/filter.h"
#include "input/oci_seccomp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto policy = immure::read_oci_seccomp(text, "f.json", immure::OciSeccompFacts{1, 6, 1});
  if (!policy) {
    if (policy.error().what.empty() || policy.error().origin.empty()) std::abort();
    return 0;
  }
  auto program = immure::filter::compile(*policy);
  if (!program && program.error().code != immure::Code::kFilter) std::abort();
  if (program && !immure::filter::check_launch(*policy, false)) std::abort();
  return 0;
}

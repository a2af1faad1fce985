// Any bytes as a filter and a call: the interpreter and the disassembler take them all; a filter ends.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/result.h"
#include "filter/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  seccomp_data call{};
  size_t head = size < sizeof call ? size : sizeof call;
  if (head > 0) std::memcpy(&call, data, head);
  std::vector<sock_filter> program((size - head) / sizeof(sock_filter));
  if (!program.empty()) std::memcpy(program.data(), data + head, program.size() * sizeof(sock_filter));
  unsigned steps = 0;
  auto verdict = immure::filter::evaluate(program, call, &steps);
  if (steps > program.size()) std::abort();
  if (verdict && immure::filter::verdict_text(*verdict).empty()) std::abort();
  if (immure::filter::disassemble(program).empty() != program.empty()) std::abort();
  return 0;
}

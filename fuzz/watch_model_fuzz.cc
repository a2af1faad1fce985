// Any bytes as a model: as they are, and sealed as if they were what a model holds. Whatever is accepted is
// written again as the same bytes, and takes calls without end or fault.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "watch/model/model.h"

namespace {

void drive(std::string_view bytes, std::string_view calls) {
  auto model = immure::watch::read_model(bytes, "fuzz");
  if (!model) return;
  if (immure::watch::model_bytes(*model) != bytes) std::abort();
  immure::watch::Gauge gauge(*model);
  for (unsigned round = 0; round < 3; ++round)
    for (char call : calls.substr(0, 4096)) gauge.see(static_cast<uint8_t>(call) * (round + 1));
  gauge.end();
  (void)gauge.score();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  drive(bytes, bytes);
  std::string sealed = "immure model\n";
  auto put = [&](uint64_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) sealed += static_cast<char>(value >> (8 * i) & 0xff);
  };
  put(1, 4);
  put(size, 8);
  immure::Digest digest = immure::sha256(bytes);
  sealed.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  sealed += bytes;
  drive(sealed, bytes);
  return 0;
}

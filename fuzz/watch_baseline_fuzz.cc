// Any bytes as a baseline: as they are, and sealed as if they were what a baseline holds. Whatever is
// accepted is written again as the same bytes, and detectors that compare with it take any names.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "watch/detect/detector.h"
#include "watch/model/baseline.h"

namespace {

using namespace immure::watch;

struct Nowhere : Alerts {
  void raise(Alert) override {}
};

void drive(std::string_view bytes, std::string_view names) {
  auto baseline = read_baseline(bytes, "fuzz");
  if (!baseline) return;
  auto again = baseline_bytes(*baseline);
  if (!again || *again != bytes) std::abort();
  Nowhere nowhere;
  World world;
  Process process;
  process.pid = 7;
  if (!baseline->expected.sequences.empty()) process.program = baseline->expected.sequences.begin()->first;
  world.add(process);
  for (const Detector* detector : baseline_detectors()) {
    auto watching = detector->start(&baseline->expected);
    for (Action action : {Action::Open, Action::Exec, Action::Connect, Action::Call, Action::End}) {
      Event event;
      event.pid = event.tid = 7;
      event.arch = action == Action::End ? 0 : 0xc000003e;
      event.action = action;
      event.path = names.substr(0, 512);
      event.address.family = 1;
      event.address.path = event.path;
      for (char call : names.substr(0, 1024)) {
        event.nr = static_cast<uint8_t>(call);
        watching->see(event, world, nowhere);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  drive(bytes, bytes);
  std::string sealed(kBaselineMagic);
  auto put = [&](uint64_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) sealed += static_cast<char>(value >> (8 * i) & 0xff);
  };
  put(kBaselineVersion, 4);
  put(size, 8);
  const immure::Digest digest = immure::sha256(bytes);
  sealed.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  sealed += bytes;
  drive(sealed, "/" + std::string(bytes));
  return 0;
}

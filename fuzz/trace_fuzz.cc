// Any bytes as what a block of a trace holds: no crash, and what is taken for a record can be written again.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "watch/trace/entry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure::watch;
  alignas(immure::CallRecord) static std::array<uint8_t, immure::kMostRecord> room;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  TraceContext reading, writing;
  TraceEntry entry;
  std::string out;
  while (!rest.empty() && take_entry(rest, room, reading, entry)) {
    if (entry.what != TraceEntry::What::Record) continue;
    if (entry.record.size() > room.size() || !put_record(out, entry.record, writing)) std::abort();
  }
  return 0;
}

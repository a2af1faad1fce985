// Any lines "TYPE TEXT" as records of the kernel's audit: what comes of them is bounded, and every record
// that is made of it can be decoded and is safe to show.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "watch/decode.h"
#include "watch/sources/audit_event.h"
#include "watch/sources/audit_others.h"

namespace {

using namespace immure::watch;

void look_at(const AuditEvent& event) {
  if (event.words.size() > immure::kMostItemBytes || event.paths.size() > AuditAssembler::kMostPaths)
    std::abort();
  if (event.what != AuditEvent::What::Call && event.what != AuditEvent::What::Denied) return;
  for (const Level level : {Level::Process, Level::Files}) audit_watched(event, level);
  RecordWriter writer(immure::kStageLeft);
  write_audit_call(event, writer);
  Event decoded;
  if (!decode(writer.record(), decoded)) std::abort();
  const std::string said = sentence(decoded);
  if (immure::printable(said) != said) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  AuditAssembler assembler;
  AuditOthers others;
  const AuditAssembler::Whole whole = [](AuditEvent& event) { look_at(event); };
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    uint16_t type = 0;
    const auto read = std::from_chars(line.data(), line.data() + line.size(), type);
    if (read.ec != std::errc() || read.ptr == line.data() + line.size()) continue;
    const std::string_view text(read.ptr + 1, static_cast<size_t>(line.data() + line.size() - read.ptr - 1));
    std::string_view behind = text;
    if (const auto stamp = take_stamp(behind)) others.is_others(type, text, stamp->serial);
    assembler.take(type, text, whole);
    if (assembler.open() > AuditAssembler::kMostOpen) std::abort();
  }
  assembler.close_old(whole);
  assembler.close_old(whole);
  if (assembler.open() != 0) std::abort();
  return 0;
}

// Any bytes as a record of what a process did: what is decoded lies within them, and what is said of it is
// safe to show.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "watch/decode.h"
#include "watch/world.h"

namespace {

void within(std::string_view text, const uint8_t* data, size_t size) {
  if (text.empty()) return;
  const auto* begin = reinterpret_cast<const uint8_t*>(text.data());
  if (begin < data || begin + text.size() > data + size) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  immure::watch::Event event;
  if (!immure::watch::decode({data, size}, event)) return 0;
  for (std::string_view text :
       {event.path, event.second, event.resolved, event.text, event.words, event.address.path})
    within(text, data, size);
  const std::string said = immure::watch::sentence(event);
  if (immure::printable(said) != said) std::abort();
  const std::string line = immure::watch::json_line(event, event.resolved);
  if (immure::printable(line) != line || line.front() != '{' || line.back() != '}') std::abort();
  immure::watch::World world;
  world.see(event);
  world.of(event);
  return 0;
}

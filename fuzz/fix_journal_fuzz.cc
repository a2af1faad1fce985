// Any bytes as the journal of a mending, by which root changes files: no crash, and every path that is
// believed stays within the tree, every place within the quarantine.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/mend/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace immure::audit::mend;
  auto journal = read_journal(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!journal) return 0;
  if (!journal->head.root.starts_with('/') || journal->head.root.find("/../") != std::string::npos)
    std::abort();
  uint64_t number = 0;
  for (const Entry& entry : journal->entries) {
    if (entry.number != ++number || !is_inner_path(entry.path) ||
        (entry.path + "/").find("/../") != std::string::npos)
      std::abort();
    for (const std::string& place : entry.places)
      if (place.empty() || place == "." || place == ".." || place.find('/') != std::string::npos)
        std::abort();
    if (entry.op == Op::Swap && (!entry.has_digest || entry.places.size() != 1)) std::abort();
  }
  return 0;
}

// Any bytes as a mount table: no crash, and what unescape() and path_equal() say about a target agrees.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernel/mountinfo.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  immure::MountReader reader(text);
  while (auto mount = reader.next()) {
    std::string target = immure::unescape(mount->target);
    if (!mount->is(target) || target.size() > mount->target.size()) std::abort();
    if (mount->target.front() != '/' || mount->fstype.empty()) std::abort();
    // Every view lies within the text.
    for (std::string_view view : {mount->root, mount->options, mount->propagation, mount->source}) {
      if (!view.empty() && (view.data() < text.data() || view.data() + view.size() > text.data() + size))
        std::abort();
    }
    (void)mount->attributes();
  }
  (void)immure::find_mount(text, "/proc");
  return 0;
}

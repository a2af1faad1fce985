// The mounts of this namespace, line by line.
#pragma once

#include <cstddef>

namespace immure::probes {

struct MountLine {
  const char* target;   // as in mountinfo, without its escapes undone
  const char* options;  // of the mount, not of the file system: "ro,nosuid,relatime"
};
// Calls `look` for each until it says true; false: none did. -1 in errno's way when mountinfo cannot be read.
int each_mount(bool (*look)(const MountLine& line, void* data), void* data);
// A whole word of a list with commas.
bool has_option(const char* options, const char* word);

}  // namespace immure::probes

#include "probes/links/planted_path.h"

#include <cstdio>
#include <cstring>

#include "probes/planted.h"

namespace immure::probes {

bool planted_path(const Yard& yard, const char* name, char* path, size_t size) {
  size_t length = std::strlen(yard.planted), folder = sizeof kPlantedFolder - 1;
  if (length < folder || std::strcmp(yard.planted + length - folder, kPlantedFolder) != 0) return false;
  bool of_root = name[0] == '/';
  std::snprintf(path, size, "%.*s%s%s", static_cast<int>(of_root ? length - folder : length), yard.planted,
                of_root ? "" : "/", name);
  return true;
}

Attempt nothing_planted() { return not_applicable("nothing was planted in this root"); }

}  // namespace immure::probes

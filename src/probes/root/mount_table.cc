#include "probes/root/mount_table.h"

#include <cstdio>
#include <cstring>

namespace immure::probes {

int each_mount(bool (*look)(const MountLine& line, void* data), void* data) {
  FILE* file = std::fopen("/proc/self/mountinfo", "re");
  if (file == nullptr) return -1;
  char text[2048];
  int result = 0;
  while (result == 0 && std::fgets(text, sizeof text, file) != nullptr) {
    // 36 35 98:0 /root /target options …
    char* rest = text;
    char* fields[6] = {};
    for (char*& field : fields) field = strtok_r(nullptr, " ", &rest);
    if (fields[5] == nullptr) continue;
    result = look({fields[4], fields[5]}, data) ? 1 : 0;
  }
  std::fclose(file);
  return result;
}

bool has_option(const char* options, const char* word) {
  size_t length = std::strlen(word);
  for (const char* at = std::strstr(options, word); at != nullptr; at = std::strstr(at + 1, word)) {
    bool begins = at == options || at[-1] == ',';
    if (begins && (at[length] == ',' || at[length] == '\0')) return true;
  }
  return false;
}

}  // namespace immure::probes

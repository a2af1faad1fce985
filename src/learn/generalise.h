// From the paths of a few runs to what the next run will ask for: names that change are known by rules, a
// const table. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace immure::learn {

// A name that will be another one next time.
struct NameRule {
  const char* id;      // "random-name"
  const char* reason;  // shown with what it made
  bool (*changes)(std::string_view name);
  std::string (*pattern)(std::string_view name);  // what stays, with * for what changes
};
const NameRule* changing_name(std::string_view name);  // null: it stays

struct Generalised {
  std::string path;     // that is to be granted
  bool folder = false;  // as a folder
  std::string pattern;  // of the names below it; "": all, or the path itself
  std::string why;      // "" for a path as it was seen
  std::vector<std::string> seen;
  unsigned climbed = 0;  // segments between the path and the deepest that was seen
};

inline constexpr size_t kManyNames = 4;

// Paths, sorted, each once. A path with a changing name becomes the folder before the name; kManyNames of a
// folder become the folder, where that is not too wide and holds nothing of `avoid` and no secret. What
// cannot be generalised stays.
std::vector<Generalised> generalise(const std::vector<std::string>& paths,
                                    const std::vector<std::string>& avoid = {});

}  // namespace immure::learn

#include <cstring>

#include "probes/probe.h"

namespace immure::probes {
namespace {

struct CategoryRow {
  const char* key;
  const char* name;
  std::span<const std::span<const Probe>> (*probes)();
};
// In the order of the enum.
constexpr CategoryRow kCategories[] = {
    {"root", "changing the root", root_probes},
    {"descriptors", "descriptors", descriptor_probes},
    {"processes", "other processes", process_probes},
    {"privilege", "privilege", privilege_probes},
    {"devices", "devices and the terminal", device_probes},
    {"kernel", "the kernel's own interfaces", kernel_probes},
    {"filter", "around the system call filter", filter_probes},
    {"links", "links and planted files", link_probes},
    {"network", "network and IPC", network_probes},
    {"information", "information", information_probes},
    {"resources", "resources", resource_probes},
    {"damage", "damage carried through", damage_probes},
};
static_assert(std::size(kCategories) == kCategoryCount);

}  // namespace

const char* key(Category category) { return kCategories[static_cast<int>(category)].key; }
const char* name(Category category) { return kCategories[static_cast<int>(category)].name; }

std::span<const std::span<const Probe>> groups(Category category) {
  return kCategories[static_cast<int>(category)].probes();
}

size_t count() {
  size_t n = 0;
  for (const CategoryRow& category : kCategories)
    for (std::span<const Probe> group : category.probes()) n += group.size();
  return n;
}

const Probe* find(const char* id) {
  for (const CategoryRow& category : kCategories)
    for (std::span<const Probe> group : category.probes())
      for (const Probe& probe : group)
        if (std::strcmp(probe.id, id) == 0) return &probe;
  return nullptr;
}

}  // namespace immure::probes

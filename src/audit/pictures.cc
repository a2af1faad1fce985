#include "audit/pictures.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace immure::audit {

Picture mount_picture(const std::vector<MountView>& mounts) {
  // The kernel's list need not begin with the one on top.
  std::vector<const MountView*> by_length;
  for (const MountView& mount : mounts) by_length.push_back(&mount);
  std::stable_sort(by_length.begin(), by_length.end(), [](const MountView* a, const MountView* b) {
    return a->target.size() < b->target.size();
  });
  Picture out{"Mounts", {}};
  for (const MountView* one : by_length) {
    const MountView& mount = *one;
    Branch branch{-1, mount.target, mount.fstype + ", " + mount.options};
    if (!mount.propagation.empty()) branch.detail += ", " + mount.propagation;
    if (!mount.source.empty() && mount.source != "none" && mount.source != mount.fstype)
      branch.detail += ", of " + mount.source;
    for (size_t i = 0; i < out.branches.size(); ++i)
      if (is_below(mount.target, out.branches[i].name)) branch.parent = static_cast<int>(i);
    out.branches.push_back(std::move(branch));
  }
  return out;
}

Picture process_picture(const std::vector<Relative>& family) {
  Picture out{"Processes", {}};
  std::map<int, int> place;
  // A parent is older, but its number need not be smaller: rows are put in until no more fit.
  std::vector<bool> done(family.size());
  for (bool found = true; found;) {
    found = false;
    for (size_t i = 0; i < family.size(); ++i) {
      const Relative& one = family[i];
      const auto parent = place.find(one.parent);
      if (done[i] || (parent == place.end() && !one.top)) continue;
      std::string detail = "uid " + num(one.uid);
      if (one.inside_pid > 0) detail += ", " + num_signed(one.inside_pid) + " inside";
      out.branches.push_back({parent == place.end() ? -1 : parent->second,
                              num_signed(one.pid) + " " + one.name, std::move(detail)});
      place.emplace(one.pid, static_cast<int>(out.branches.size()) - 1);
      done[i] = found = true;
    }
  }
  return out;
}

}  // namespace immure::audit

// The moment at which a finished tree takes its name; when a root of ours has that name, with what its state
// directories hold.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/place.h"
#include "rootfs/tree.h"

namespace immure::rootfs {

struct Finished {
  std::string tree, manifest;  // names in the place's folder; both are there
  int64_t epoch = 0;
  bool durable = true;  // both are on the disk, and so is the name when this ends
};

// A directory whose content belongs to the program.
struct State {
  std::string path;
  uint32_t mode = 0755;
  Ids ids;
};

// For Target::New and Empty.
Status take_name(const Place& place, const Finished& finished, Target target);

// For Target::Ours: `old_root` is the root that was looked at, open. The manifest's name changes hands with
// the tree's. When a step fails, those before it are taken back. `notes` gets what could not be removed.
Status exchange(const Place& place, const Finished& finished, int old_root, const std::vector<State>& states,
                std::string& notes);

}  // namespace immure::rootfs

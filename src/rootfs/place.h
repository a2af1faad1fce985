// Where a root is, or will be: its folder held open, and the names beside it that its makers use. All of them
// begin with ".NAME.immure-": "lock" is held while a root is made or removed, six letters are a tree in the
// making, with ".json" behind them its manifest, with ".old" behind them a tree that may hold the only copy
// of what state directories held. Whoever has the lock may remove all of them but the last.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "rootfs/writer.h"

namespace immure::rootfs {

class Place {
 public:
  // Refuses (kBadRoot) names that no root can have, and folders above it in which somebody else may move what
  // is there. The place itself may be empty.
  static Result<Place> open(const std::string& root);

  int folder() const { return folder_.get(); }
  const std::string& name() const { return name_; }
  const std::string& root() const { return root_; }                     // as a text, normal
  std::string beside(const std::string& name) const;                    // as a text, for messages
  std::string manifest_name() const { return name_ + ".immure.json"; }  // in folder()
  std::string hidden(std::string_view rest) const { return "." + name_ + ".immure-" + std::string(rest); }

  // What is there: New, Empty or Ours, else kBadRoot.
  Result<Target> look() const;

 private:
  UniqueFd folder_;
  std::string root_, name_;
};

// Only one process at a time makes or removes a root of that name. Held by flock(2), so that it ends with its
// holder; the file goes with the object.
class PlaceLock {
 public:
  // kBadRoot when somebody else is at it. `place` must outlive this.
  static Result<PlaceLock> take(const Place& place);
  PlaceLock(PlaceLock&&) = default;
  PlaceLock& operator=(PlaceLock&&) = delete;
  ~PlaceLock();

  // What makers left behind who were killed. kBadRoot when one of them was in the middle of an exchange.
  Status clear_leftovers() const;

 private:
  explicit PlaceLock(const Place& place) : place_(&place) {}
  const Place* place_;
  UniqueFd fd_;
};

// Six letters and digits, by getrandom(2).
std::string random_letters();

}  // namespace immure::rootfs

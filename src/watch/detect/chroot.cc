// The oldest way out of a root: a second chroot with something left above it. Told at the chroot, and once
// more when what was left above is used.
#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "watch/detect/chains.h"
#include "watch/detect/per_process.h"

namespace immure::watch {
namespace {

struct Root {
  std::vector<int64_t>
      folders;  // descriptors of folders that were opened before a chroot, at most kMostFolders
  uint64_t opened = 0, sent = 0, changed = 0, up = 0;  // numbers of events
  std::string path;                                    // of the last chroot
  int ups = 0;
  bool in_root = false, below = false;  // it, or who made it, has changed the root; it has since gone into it
};
constexpr size_t kMostFolders = 64;

class ChangeRoot : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    const Action action = event.action;
    if (action == Action::Born) born(event);
    if (action == Action::End) roots_.forget(event.pid);
    if (action == Action::Open) opened(event);
    if (action == Action::Send) roots_.of(event.pid).sent = event.number;
    if (action == Action::ChangeRoot) changed(event, world, alerts);
    if (action == Action::ChangeFolder) moved(event, world, alerts);
    if (action == Action::Rename) renamed(event, world, alerts);
  }

 private:
  void born(const Event& event) {
    if (event.pid == event.other) return;  // a thread
    const Root* parent = roots_.find(event.other);
    if (parent == nullptr) return roots_.forget(event.pid);
    Root copy = *parent;
    roots_.of(event.pid) = std::move(copy);
  }

  void opened(const Event& event) {
    if (!event.result || *event.result < 0 || (event.flags & (O_DIRECTORY | O_PATH)) == 0) return;
    Root& root = roots_.of(event.pid);
    if (root.in_root) return;
    if (root.folders.size() >= kMostFolders) root.folders.erase(root.folders.begin());
    root.folders.push_back(*event.result);
    root.opened = event.number;
  }

  void changed(const Event& event, const World& world, Alerts& alerts) {
    Root& root = roots_.of(event.pid);
    const bool again = root.in_root;
    const char* technique = root.sent != 0 && !root.folders.empty() ? "chroot-socket"
                            : !root.folders.empty()                 ? "chroot-fchdir"
                                                                    : "chroot-walk";
    Alert alert = alert_of(kChangeRoot, Severity::Low, technique, event,
                           who(event, world) +
                               (again ? " changes its root once more, to '" : " changes its root to '") +
                               std::string(event.path.substr(0, 256)) + "'" + outcome(event));
    for (uint64_t number : {root.opened, root.sent, root.changed})
      if (number != 0) alert.events.push_back(number);
    alerts.raise(std::move(alert));
    if (stopped(event)) return;
    root.in_root = true;
    root.below = false;
    root.ups = 0;
    root.changed = event.number;
    root.path = std::string(event.path.substr(0, 1024));
    last_ = root;
  }

  void moved(const Event& event, const World& world, Alerts& alerts) {
    Root* root = roots_.find(event.pid);
    if (root == nullptr || !root->in_root || stopped(event)) return;
    if (event.path.empty() && !event.unreadable) {  // fchdir
      const auto fd = static_cast<int64_t>(event.args[0] & 0xffffffffU);
      if (std::find(root->folders.begin(), root->folders.end(), fd) == root->folders.end()) return;
      return tell("chroot-fchdir", " goes to a folder that it had opened before it changed its root", *root,
                  event, world, alerts);
    }
    if (event.path == "..") {
      // In the new root ".." ends at its top: only who stayed above it climbs on.
      if (root->below || ++root->ups != 2) return;
      return tell("chroot-walk", " climbs by '..' after it changed its root without going into it", *root,
                  event, world, alerts);
    }
    if (event.path[0] == '/') root->below = true;
  }

  // A folder that is moved away takes the root of who lives in it along.
  void renamed(const Event& event, const World& world, Alerts& alerts) {
    if (stopped(event) || event.path.empty() || last_.path.compare(0, event.path.size(), event.path) != 0)
      return;
    if (last_.path.size() > event.path.size() && last_.path[event.path.size()] != '/') return;
    tell("chroot-moved-folder", " moves a folder out from under a changed root", last_, event, world, alerts);
  }

  void tell(const char* technique, const char* said, const Root& root, const Event& event, const World& world,
            Alerts& alerts) {
    Alert alert = alert_of(kChangeRoot, Severity::Critical, technique, event,
                           who(event, world) + said + outcome(event));
    for (uint64_t number : {root.opened, root.sent, root.changed})
      if (number != 0) alert.events.insert(alert.events.begin(), number);
    alerts.raise(std::move(alert));
  }

  PerProcess<Root> roots_;
  Root last_;  // of the latest chroot, whoever made it
};

}  // namespace

const Detector kChangeRoot = {
    "change-root",
    Severity::Low,
    "the root changed, and what was left above it used",
    "A chroot leaves what stood above it where it was: a working directory or a descriptor up there is the way "
    "out. Tools that build roots change into them once; nothing ordinary climbs out again.",
    "chroot(2), NOTES; T1611",
    "chroot-* userns-chroot",
    bit(Kind::Mount) | bit(Kind::File) | bit(Kind::Process) | bit(Kind::Network),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<ChangeRoot>(); }};

}  // namespace immure::watch

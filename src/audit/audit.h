// What an audit came to, in every form that is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/rule.h"

namespace immure::audit {

// What was audited, for the head of a report.
struct Target {
  std::string kind;                // "root", "process", "host", "bwrap", "unit", …
  std::string name;                // "/srv/jail", "4711 (nginx)", as the user said it
  std::string same;                // what names it the next time, too: "nginx"; empty: the name does
  int pid = 0;                     // for {pid} of a fix; 0: it is no process
  std::vector<std::string> notes;  // what could not be looked at as a whole, one line each
  bool unseen = false;             // it could not be looked at: that nothing was found says nothing
  // Of a folder that was looked at, and to which its name may not lead any more; the device as mend::Node has
  // it.
  uint64_t device = 0, inode = 0;
  // Where words of its own kind are written (remedies.h): the file, with its whole path, or the name of a
  // unit, also of the one that has started a process. Empty: nowhere that is known.
  std::string config = {};
  // Whose files of a tree should be, for {keeper}: root's, or those of the user whose own root it is.
  std::string keeper = "0:0";
  std::string tree = {};  // the folder, for {tree}
};

// A finding that somebody has taken upon himself (suppress.h).
struct Acceptance {
  size_t finding = 0;  // place in Answers::findings()
  std::string reason;
  std::string until;  // "2027-01-31"; empty: for good
};

// What the battery of `immure prove` came to against the same jail, as far as an audit needs it.
struct Battery {
  struct Escape {
    std::string id, category, technique;
    std::vector<std::string> foretold_by;  // rules with a finding that predicts it; empty: none did
  };
  std::string against;  // "immure run --root /srv/jail", "pid 4711"
  size_t attacks = 0, blocked = 0, exposed = 0, unsure = 0;
  bool shows_something = false;  // something was blocked, and not more was unsure
  std::vector<Escape> escaped;
  std::vector<std::string> exposed_ids;  // of `exposed`
};

// Something drawn as a tree: mounts, processes. Rows come after their parents.
struct Branch {
  int parent = -1;     // place of the row it hangs on; -1: a root of its own
  std::string name;    // "/proc", "4711 nginx"; a jail's own words
  std::string detail;  // "proc, rw,nosuid"
};
struct Picture {
  std::string title;  // "Mounts"
  std::vector<Branch> branches;
};

struct Audit {
  Target target;
  std::vector<const Rule*> asked;  // whose facts were there, and that were not left out
  Answers answers;
  std::vector<Acceptance> accepted;  // by finding, one each
  std::optional<Battery> battery;
  std::string no_battery = {};  // why there is none though one was asked for
  std::vector<Picture> pictures;
};

// Several that were asked for together; what they share.
struct Audits {
  std::vector<Audit> all;
  std::string caller;              // "root", "tester (uid 1001)"
  std::string kernel;              // "6.18.5"
  std::vector<std::string> notes;  // of the asking itself: a suppression that suppresses nothing
  int64_t milliseconds = 0;
  std::string host = {};           // its name
  std::string date = {};           // "2026-11-22T20:15:00Z", when it began
  std::string command = {};        // "immure audit --pid 7 --html page.html"
};

// Says of each escape which findings of the audit predicted it.
void foretell(Battery& battery, const std::vector<Finding>& findings);

}  // namespace immure::audit

// What is responded to: the processes of a jail, whoever made it. Found from outside, by /proc alone; each is
// held by its number and the moment at which it began, and spared when it is another one by now.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace immure::respond {

struct Member {
  int pid = 0, parent = 0;
  uint64_t began = 0;  // clock ticks since boot
  char state = '?';
  std::string name;  // hostile: printable()
};

// Which processes belong to it.
enum class Extent : uint8_t {
  PidNamespace,  // all of its pid namespace and of those below: complete
  Tree,  // it and its descendants: it has the host's pid namespace, and a child whose parent has died is not
         // found
};

class Target {
 public:
  // kNoJail: there is no such process, or it is this one or stands above it; kBadValue: all of the host would
  // be meant (pid 1).
  static Result<Target> of_process(int pid, std::string shown);

  const std::string& shown() const { return shown_; }  // "jail web", "process 4711"
  // The process that was named; of a pid namespace: its pid 1.
  int pid() const { return pid_; }
  uint64_t began() const { return began_; }
  Extent extent() const { return extent_; }
  // Those that live now, the lowest number first. Empty: it has ended. Never this process or one that it
  // descends from.
  std::vector<Member> members() const;
  // The control group that holds exactly these, of version 2: what can freeze and end it without a race. "":
  // there is none.
  std::string own_group() const;

 private:
  std::string shown_;
  int pid_ = 0;
  uint64_t began_ = 0, pid_namespace_ = 0;
  Extent extent_ = Extent::Tree;
};

// Signals this very process: false when it has ended, or its number is another's.
bool signal(const Member& member, int number);
// Stopped, or dead; or waiting in the kernel with the stop to come: it runs no code of its own before it
// stops.
bool at_rest(int pid);

}  // namespace immure::respond

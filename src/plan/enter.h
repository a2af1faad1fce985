// Entering a running jail: the part of its plan that a second program needs, so that it gets the same identity,
// privilege, limits, rules and filter, and not more. What cannot be computed again as it was (namespaces, limits,
// Landlock's rules) comes in as facts about the jail that runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/compile.h"

namespace immure {

// Landlock's rules of a jail. The first three are 0 when the layer is not in force.
struct LandlockRules {
  uint64_t files = 0, network = 0, scopes = 0;  // what is handled
  struct Path {
    std::string path;
    uint64_t rights = 0;
  };
  struct Port {
    uint64_t rights = 0, port = 0;
  };
  std::vector<Path> paths;
  std::vector<Port> ports;
};
LandlockRules landlock_rules(const Plan& plan);

struct EnterFacts {
  int door = -1;                           // pidfd of a process that is in all of the jail's namespaces
  NamespaceIds namespaces{};               // which those are
  uint32_t uid = 0, gid = 0;               // of the jail's processes, outside
  uint64_t bounding = 0;                   // capabilities: what the jail's processes can have at most
  std::vector<ExpectedRlimit> rlimits;     // of the jail's processes, all of them
  struct Group {
    std::string file;                      // "0" is written to it: cgroup.procs (v2) or tasks (v1)
    bool required = true;                  // else a refusal is fine: not made for the jail, but where its processes are
  };
  std::vector<Group> groups;
  LandlockRules landlock;
};

// `spec`: what the jail was made from, with the program that is to enter; its descriptors are that program's. The
// plan is for run/launch.h like any other. Error kLayer: a layer that the jail has cannot be had again.
Result<Plan> compile_enter(const JailSpec& spec, const Features& features, const Host& host, const EnterFacts& facts,
                           char* const* environment);

}  // namespace immure

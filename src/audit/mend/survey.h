// The plan, compared with the tree: what is at each place now, and what becomes of it. This is what a person
// is asked about, and apply.h refuses each step whose file is not any more what was seen here.
#pragma once

#include <string>
#include <vector>

#include "audit/mend/node.h"
#include "audit/mend/plan.h"

namespace immure::audit::mend {

struct Step {
  Change change;
  // Where, inside. More than one name of a file only for what is done to the file as a whole; the first is
  // the one it is reached by.
  std::vector<std::string> names;
  Node before;
  std::vector<const Rule*> rules;
};

// Folders first, so that who may write to them is settled before anything in them is. A place that cannot be
// reached is a step of Act::Refuse. Where a file has more names than one, all of the tree is gone through
// once, by names and inodes only.
Result<std::vector<Step>> survey(const Root& root, const Plan& plan);

// The processes whose root is this folder or below it, for a mending while they run. Those that may not be
// looked at are left out.
std::vector<int> processes_in(const Root& root);

}  // namespace immure::audit::mend

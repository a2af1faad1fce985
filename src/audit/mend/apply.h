// Does what was surveyed, and takes it back.
//
// Each step is told in the journal before it begins, and done only when the file is still, by device, inode,
// birth, mode, owner, size and times, what the survey saw; a step that is refused leaves things as they were,
// and the others go on. Names are exchanged or moved, never replaced: what comes out under a name is looked
// at afterwards, and put back when it is not what was meant. So whatever somebody puts in the way meanwhile
// is neither changed nor lost. The caller may be any user; what he may not do is a refused step.
#pragma once

#include <string>
#include <vector>

#include "audit/mend/journal.h"
#include "audit/mend/survey.h"

namespace immure::audit::mend {

struct Said {
  std::string path;  // inside
  bool done = false;
  std::string text;  // what was done, or why not
};

struct Outcome {
  std::vector<Said> steps;
  std::string journal;     // where it lies
  std::string quarantine;  // empty: nothing was taken out
  uint64_t refused() const;
};

// `journal`: empty for NAME.immure-fix-TIME.journal beside the root. Errors: kBadValue for one in the tree,
// kState when it is there already, or cannot be written; what was done until then is in it.
Result<Outcome> carry_out(const Root& root, const std::vector<Step>& steps, const std::string& journal = {});

// The tree as it was: content, owners, modes, links, attributes, times of files and of their folders. What
// was changed since is left, and told. A journal that was undone as a whole is an error (kState); one of
// which something was refused can be undone again. `while_running`: although processes have this root.
Result<Outcome> undo(const std::string& journal, bool while_running);

// An error that names the processes whose root it is (kBadRoot).
Status nobody_inside(const Root& root);

}  // namespace immure::audit::mend

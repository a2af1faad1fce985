// Files with names outside. A name is a right of its own: whoever may open the one inside has the file
// outside, whatever stands around that one.
#include <sys/stat.h>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

bool is_set_id(const LinkedFile& file) {
  return S_ISREG(file.mode) && (file.mode & (S_ISUID | S_ISGID)) != 0;
}

void tell(const Facts& facts, Answers& answers, bool set_id) {
  const Tree& tree = begin(facts, answers);
  // A name may lie where this caller cannot look: then nothing is known of how many are outside.
  if (tree.unreadable != 0) return;
  if (tree.linked_count > tree.linked.size())
    answers.unknown("there are " + num(tree.linked_count) + ", of which " + num(tree.linked.size()) +
                    " are listed");
  for (const LinkedFile& file : tree.linked) {
    if (is_set_id(file) != set_id) continue;
    std::string evidence = num(file.names) + " names, " + num(file.inside) + " of them inside; mode " +
                           octal(file.mode) + ", owner " + num(file.uid);
    for (size_t at = 0; at < file.partners.size(); ++at)
      evidence += (at == 0 ? "; outside: " : ", ") + file.partners[at];
    if (tree.partners_sought && file.partners.empty()) evidence += "; no name outside was found";
    const Severity severity = set_id || file.writable ? Severity::High : Severity::Medium;
    answers.found(severity, file.path, std::move(evidence), on_host(tree, file.path));
  }
}

void outside(const Facts& facts, Answers& answers) { tell(facts, answers, false); }
void pinned(const Facts& facts, Answers& answers) { tell(facts, answers, true); }

}  // namespace

const Rule kTreeHardLinkOutside = {
    .id = "tree-hard-link-outside",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "file with a name outside the root",
    .why =
        "A hard link is the file itself: what is read or written by the name inside is read or written "
        "outside. No root, no mount and no namespace stands between two names of one file.",
    .fix = "cp -p {path} {path}.new && mv {path}.new {path}",
    .reference = "link(2); proc_sys_fs(5), protected_hardlinks",
    .check = outside,
    .mend = Mend::BreakLink,
    .predicts = "hard-link-read hard-link-write"};

const Rule kTreeHardLinkSetId = {
    .id = "tree-hard-link-set-id",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "set-id program that is also outside",
    .why =
        "The name inside keeps the program alive when an update replaces the one outside, with "
        "every hole that was mended. Whoever may run it becomes its owner, in the jail and by the"
        " other name.",
    .fix = "cp -p {path} {path}.new && chmod u-s,g-s {path}.new && mv {path}.new {path}",
    .reference = "link(2); execve(2)",
    .check = pinned,
    .mend = Mend::BreakLink,
    .predicts = "hard-link-read set-uid-program"};

}  // namespace immure::audit

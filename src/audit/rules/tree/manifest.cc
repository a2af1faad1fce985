// A root that immure build made, against what it wrote down when it did.
#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

using rootfs::Difference;
using rootfs::Drift;

const char* plain(Drift drift) {
  switch (drift) {
    case Drift::Stale: return "the source has other content";
    case Drift::Gone: return "the source is no more";
    case Drift::Changed: return "the content differs";
    case Drift::Hidden: return "the content differs, and the times do not show it";
    case Drift::Future: return "a time in the future";
    case Drift::Missing: return "it is no more";
    case Drift::Added: return "it was added";
    case Drift::Mode: return "kind, mode or owner differ";
    case Drift::HardLink: return "it has a name outside";
  }
  return "";
}

void tell(const Facts& facts, Answers& answers, Drift drift, const std::vector<Difference> Tree::*list) {
  const Tree& tree = *facts.tree;
  if (tree.manifest == ManifestState::None) return;  // somebody else made it: nothing to compare with
  answers.checked();
  if (tree.manifest == ManifestState::Refused)
    return answers.unknown("the manifest was not believed: " + tree.manifest_why);
  for (const Difference& difference : tree.*list)
    if (difference.drift == drift)
      answers.found(difference.path, difference.detail.empty() ? plain(drift) : difference.detail,
                    on_host(tree, difference.path));
}

void changed(const Facts& facts, Answers& answers) { tell(facts, answers, Drift::Changed, &Tree::changed); }
void hidden(const Facts& facts, Answers& answers) { tell(facts, answers, Drift::Hidden, &Tree::changed); }
void missing(const Facts& facts, Answers& answers) { tell(facts, answers, Drift::Missing, &Tree::changed); }
void added(const Facts& facts, Answers& answers) { tell(facts, answers, Drift::Added, &Tree::changed); }
void mode(const Facts& facts, Answers& answers) { tell(facts, answers, Drift::Mode, &Tree::changed); }
void stale(const Facts& facts, Answers& answers) { tell(facts, answers, Drift::Stale, &Tree::stale); }
void gone(const Facts& facts, Answers& answers) { tell(facts, answers, Drift::Gone, &Tree::stale); }

void refused(const Facts& facts, Answers& answers) {
  const Tree& tree = *facts.tree;
  if (tree.manifest == ManifestState::None) return;
  answers.checked();
  if (tree.manifest == ManifestState::Refused)
    answers.found("/", tree.manifest_why, rootfs::manifest_path(on_host(tree, "/")));
}

constexpr const char* kReference = "immure-root(1)";

}  // namespace

const Rule kTreeContentChanged = {
    .id = "tree-content-changed",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "content differs from what was built",
    .why =
        "Nothing in a built root changes by itself outside of its folders for state. Whoever "
        "changed the file runs in whatever reads it.",
    .fix = "immure root refresh {tree}",
    .advice = "look first who changed it, and keep a copy as evidence",
    .reference = kReference,
    .check = changed,
    .predicts = "planted-program-write"};

const Rule kTreeContentHidden = {
    .id = "tree-content-hidden",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "content differs, and its times hide it",
    .why =
        "Size and time are as they were written, the content is not: somebody set the time back. "
        "That is no accident and no update.",
    .fix = "",
    .advice = "keep a copy as evidence, then build the root anew and look how it was reached",
    .reference = "immure-root(1); utimensat(2)",
    .check = hidden,
    .predicts = "change-times"};

const Rule kTreeContentMissing = {
    .id = "tree-content-missing",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "file that was built is gone",
    .why =
        "Something was removed from the root since it was made. A check, a log or a setting that "
        "is not there does not work.",
    .fix = "immure root refresh {tree}",
    .reference = kReference,
    .check = missing,
    .predicts = ""};

const Rule kTreeContentAdded = {
    .id = "tree-content-added",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "file that was not built",
    .why =
        "It was put into the root after it was made, and outside of the folders for state. It may"
        " be executed, loaded or believed like the rest.",
    .fix = kTakeOut,
    .advice = "or name it when the root is built",
    .reference = kReference,
    .check = added,
    .predicts = "planted-program-write"};

const Rule kTreeModeChanged = {
    .id = "tree-mode-changed",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "kind, mode or owner differ from what was built",
    .why =
        "Rights were opened, or an owner was changed, after the root was made. Built roots have "
        "no set-id bits and nothing that others may write.",
    .fix = "immure root refresh {tree}",
    .advice = "look first who changed it",
    .reference = kReference,
    .check = mode,
    .predicts = "change-mode change-owner"};

const Rule kTreeStale = {
    .id = "tree-stale",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "library or program that was updated outside",
    .why =
        "The host has another version now, and what was mended there is still open in the root. "
        "Copies do not follow updates by themselves.",
    .fix = "immure root refresh {tree}",
    .advice = "after each update of the host",
    .reference = kReference,
    .check = stale,
    .predicts = ""};

const Rule kTreeSourceGone = {
    .id = "tree-source-gone",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "file whose source is gone",
    .why =
        "The host has removed or renamed what it was copied from: nobody updates it any more. Old"
        " libraries are removed for a reason.",
    .fix = "immure root refresh {tree}",
    .advice = "or build the root anew",
    .reference = kReference,
    .check = gone,
    .predicts = ""};

const Rule kTreeManifestRefused = {
    .id = "tree-manifest-refused",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "manifest that cannot be believed",
    .why =
        "Others may write it, or it is damaged, or the root cannot be read: what is in the root "
        "cannot be compared. Who can change the manifest can hide every change.",
    .fix = "",
    .advice = "build the root anew in a folder that only its owner writes",
    .reference = kReference,
    .check = refused,
    .predicts = ""};

}  // namespace immure::audit

// What has no use in a root, or tells that something happened in it: kernels, cores, times, fixed files.
#include <sys/stat.h>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

void core(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kCoreFile);
  for (const Note& note : tree.notes)
    if ((note.marks & kCoreFile) != 0)
      found(answers, tree, note, counted(note.size, "byte", "bytes") + "; " + mode_and_owner(note));
}

void kernel(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const Note& note : tree.notes) {
    // A folder with folders in it: one for each kernel.
    const bool modules = note.known == Known::KernelModules && S_ISDIR(note.mode) && note.links > 2;
    if (modules) found(answers, tree, note, "modules of a kernel");
    if (note.known == Known::Kernel && S_ISREG(note.mode)) found(answers, tree, note, "a kernel");
  }
}

void future(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kFuture);
  for (const Note& note : tree.notes)
    if ((note.marks & kFuture) != 0)
      found(answers, tree, note, "modified " + num_signed(note.mtime - facts.now) + " s from now");
}

void times(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kTimeLies);
  for (const Note& note : tree.notes)
    if ((note.marks & kTimeLies) != 0)
      found(answers, tree, note,
            "modified " + num_signed(note.mtime - note.ctime) + " s after its last change");
}

void fixed(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kFixed);
  for (const Note& note : tree.notes)
    if ((note.marks & kFixed) != 0)
      found(answers, tree, note, "immutable or append-only; " + mode_and_owner(note));
}

void acl(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kAclOpens);
  for (const Note& note : tree.notes)
    if ((note.marks & kAclOpens) != 0)
      found(answers, tree, note, "open to " + note.text + "; " + mode_and_owner(note));
}

}  // namespace

const Rule kTreeCoreFile = {
    .id = "tree-core-file",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Monitoring,
    .point = Point::Records,
    .title = "memory of a process that crashed",
    .why =
        "It holds everything that was in memory: keys, passwords, what others sent. That a "
        "program crashed may be the trace of an attack that went wrong.",
    .fix = kTakeOut,
    .advice = "look why it crashed; --limit core=0 keeps new ones from being made",
    .reference = "core(5)",
    .check = core,
    .predicts = "core-dump"};

const Rule kTreeKernel = {
    .id = "tree-kernel",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "kernel or modules in the root",
    .why =
        "A jail runs on the kernel of the host: these are never used. They tell which holes the "
        "kernel may have, and are what a tool for loading modules looks for.",
    .fix = kTakeOut,
    .advice = "unless the root also boots as a machine",
    .reference = "modules.dep(5); file-hierarchy(7)",
    .check = kernel,
    .predicts = ""};

const Rule kTreeFuture = {
    .id = "tree-future",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "time in the future",
    .why =
        "Nothing has been changed tomorrow: the time was set, or a clock was wrong. Tools that "
        "look for what is new since yesterday see it forever, or never.",
    .fix = "touch -h {path}",
    .reference = "utimensat(2); inode(7)",
    .check = future,
    .predicts = "change-times"};

const Rule kTreeTimeLies = {
    .id = "tree-time-lies",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "modified after its last change",
    .why =
        "A change of content also moves the time of change, which nobody can set: a later time of"
        " modification was made up. Whoever does that hides when something was written.",
    .fix = "",
    .advice = "compare the file with its package or with the manifest",
    .reference = "utimensat(2); inode(7), st_ctim",
    .check = times,
    .predicts = "change-times"};

const Rule kTreeFixed = {
    .id = "tree-fixed",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Monitoring,
    .point = Point::Integrity,
    .title = "file that not even root may change",
    .why =
        "Somebody set the flag immutable or append-only, and updates fail at such a file. "
        "Intruders use it to keep what they left.",
    .fix = "chattr -ia {path}",
    .reference = "chattr(1); ioctl_iflags(2)",
    .check = fixed,
    .predicts = "change-attribute"};

const Rule kTreeAclOpens = {
    .id = "tree-acl-opens",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "list of rights that opens more than the mode",
    .why =
        "The mode looks closed, and a list beside it lets another user write what is executed or "
        "believed, or read what is secret. ls shows it by a small + only.",
    .fix = "setfacl -b {path}",
    .reference = "acl(5); setfacl(1)",
    .check = acl,
    .predicts = "change-acl"};

}  // namespace immure::audit

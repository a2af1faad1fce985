// Programs that run as somebody else than who starts them.
#include <sys/stat.h>

#include "audit/rules/tree/rules.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit {
namespace {

enum class Kind : uint8_t { Shipped, Writable, Shell, Root, User, Group, Nothing };

// Each file is one rule's matter: the worst that is true of it.
Kind kind_of(const Tree& tree, const Note& note) {
  // The kernel takes no notice of the bits of a script, nor of a group's bit without its right to execute.
  const bool uid = (note.mode & S_ISUID) != 0 && (note.mode & 0111) != 0;
  const bool gid = (note.mode & S_ISGID) != 0 && (note.mode & S_IXGRP) != 0;
  if (note.script || (!uid && !gid)) return Kind::Nothing;
  const bool root = note.uid == 0 || note.uid == tree.keeper();
  const bool others_write =
      (note.mode & S_IWOTH) != 0 || ((note.mode & S_IWGRP) != 0 && note.gid != 0 && root);
  if (others_write) return Kind::Writable;
  if (gives_shell(path_name(note.path))) return Kind::Shell;
  if (is_distribution(tree) && root && shipped_set_id(note.path)) return Kind::Shipped;
  if (!uid) return Kind::Group;
  return root ? Kind::Root : Kind::User;
}

void tell(const Facts& facts, Answers& answers, Kind kind) {
  const Tree& tree = begin(facts, answers, kSetId);
  for (const Note& note : tree.notes)
    if ((note.marks & kSetId) != 0 && kind_of(tree, note) == kind)
      found(answers, tree, note, mode_and_owner(note));
}

void shipped(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Shipped); }
void writable(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Writable); }
void shell(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Shell); }
void root(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Root); }
void user(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::User); }
void group(const Facts& facts, Answers& answers) { tell(facts, answers, Kind::Group); }

constexpr const char* kStrip = "chmod u-s,g-s {path}";
constexpr const char* kReference = "execve(2); inode(7); chmod(1)";

}  // namespace

bool is_writable_set_id(const Tree& tree, const Note& note) {
  return (note.marks & kSetId) != 0 && kind_of(tree, note) == Kind::Writable;
}

const Rule kTreeSetUidRoot = {
    .id = "tree-set-uid-root",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "set-uid program of root",
    .why =
        "Whoever runs it is root while it runs, and root in a plain chroot is root outside. One "
        "mistake in the program is enough, and a jail seldom needs it.",
    .fix = kStrip,
    .reference = kReference,
    .check = root,
    .mend = Mend::StripBits,
    .predicts = "set-uid-program"};

const Rule kTreeSetUidUser = {
    .id = "tree-set-uid-user",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "set-uid program of another user",
    .why =
        "Whoever runs it becomes that user, with the files and processes that user has, outside "
        "too where ids are shared. Users that were kept apart are one by it.",
    .fix = kStrip,
    .reference = kReference,
    .check = user,
    .mend = Mend::StripBits,
    .predicts = "set-uid-program become-file-user"};

const Rule kTreeSetGid = {
    .id = "tree-set-gid",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "set-gid program",
    .why =
        "Whoever runs it gets its group, and with it what the group may read and write: shadow, "
        "disks, logs. The group is the same number outside.",
    .fix = kStrip,
    .reference = kReference,
    .check = group,
    .mend = Mend::StripBits,
    .predicts = "set-gid-program"};

const Rule kTreeSetIdShell = {
    .id = "tree-set-id-shell",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "set-id shell, interpreter or copying tool",
    .why =
        "It does whatever it is told to, as its owner: no mistake in it has to be found. Such a "
        "file is what an intruder leaves to come back by.",
    .fix = kStrip,
    .reference = kReference,
    .check = shell,
    .mend = Mend::StripBits,
    .predicts = "set-uid-program set-gid-program"};

const Rule kTreeSetIdWritable = {
    .id = "tree-set-id-writable",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Privilege,
    .point = Point::TreePowers,
    .title = "set-id program that others may write",
    .why =
        "Writing clears the bits, but not for who holds CAP_FSETID, nor through memory that was "
        "mapped before. Nobody who made such a file meant it.",
    .fix = "chmod u-s,g-s,go-w {path}",
    .reference = kReference,
    .check = writable,
    .mend = Mend::StripBits,
    .predicts = "set-uid-program planted-program-write"};

const Rule kTreeSetIdShipped = {
    .id = "tree-set-id-shipped",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Privilege,
    .point = Point::Minimality,
    .title = "set-id program that the distribution ships",
    .why =
        "It is as its package made it, and serves users who log in. A jail that runs one program "
        "needs none of them, and each was a way to root at some time.",
    .fix = kStrip,
    .reference = kReference,
    .check = shipped,
    .mend = Mend::StripBits,
    .predicts = "set-uid-program"};

}  // namespace immure::audit

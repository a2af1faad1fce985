// The top folder and those above it: who may take the whole root away and put another one there.
#include <sys/stat.h>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

void owner(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  if (tree.top_uid == 0) return;
  // A user's own root, looked at by that user: nobody else's business, but for servers that want root's.
  const Severity severity = tree.caller == tree.top_uid ? Severity::Advice : Severity::High;
  answers.found(severity, "/", "it belongs to uid " + num(tree.top_uid), on_host(tree, "/"));
  if (tree.caller == tree.top_uid) answers.by_hand();
}

void writable(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  const bool group = (tree.top_mode & S_IWGRP) != 0 && tree.top_gid != 0 && tree.top_uid == 0;
  if ((tree.top_mode & S_IWOTH) == 0 && !group) return;
  answers.found("/", "mode " + octal(tree.top_mode) + ", group " + num(tree.top_gid), on_host(tree, "/"));
}

void above(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  if (tree.above.empty() && tree.real_path != "/")
    return answers.unknown("the folders above it cannot be looked at");
  for (const Ancestor& folder : tree.above) {
    const bool stranger = folder.uid != 0 && folder.uid != tree.top_uid && folder.uid != tree.caller;
    const bool group = (folder.mode & S_IWGRP) != 0 && folder.gid != 0 && folder.uid == 0;
    const bool open = ((folder.mode & S_IWOTH) != 0 || group) && (folder.mode & S_ISVTX) == 0;
    if (!stranger && !open) continue;
    answers.found(folder.path,
                  "mode " + octal(folder.mode) + ", owner " + num(folder.uid) + ":" + num(folder.gid),
                  folder.path);
    // It is somebody's own, or nothing that this caller may change.
    if (stranger || (tree.caller != 0 && tree.caller != folder.uid)) answers.by_hand();
  }
}

}  // namespace

const Rule kTreeTopOwner = {
    .id = "tree-top-owner",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::TreeWriting,
    .title = "top folder that does not belong to root",
    .why =
        "Its owner may rename and replace everything right below it: etc, lib, bin. sshd and "
        "vsftpd refuse such a root, since a program in it can make its own passwd and libraries.",
    .fix = "chown 0:0 {path}",
    .advice =
        "a root that you run without root may stay yours; one for sshd, vsftpd or chroot of root belongs to root",
    .reference = "sshd_config(5), ChrootDirectory; vsftpd.conf(5), allow_writeable_chroot; CVE-2011-4130",
    .check = owner,
    .mend = Mend::TakeOwner,
    .predicts = "link-top"};

const Rule kTreeTopWritable = {
    .id = "tree-top-writable",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::TreeWriting,
    .title = "top folder that others may write",
    .why =
        "Who may write it puts an etc, a lib or a dev of its own there, and the next set-id "
        "program or server reads it. That is why sshd and vsftpd refuse such a root.",
    .fix = "chmod go-w {path}",
    .reference = "sshd_config(5), ChrootDirectory; vsftpd.conf(5), allow_writeable_chroot",
    .check = writable,
    .mend = Mend::CloseWrite,
    .predicts = "link-top"};

const Rule kTreeAboveWritable = {
    .id = "tree-above-writable",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::TreeWriting,
    .title = "folder above the root that others may write",
    .why =
        "Who may write a folder above renames the root and puts another one in its place. What "
        "root starts in it next then runs in a tree of somebody's making.",
    .fix = "chmod go-w {path}",
    .advice = "or put the root below folders that root alone writes, as /srv",
    .reference = "rename(2); sshd_config(5), ChrootDirectory",
    .check = above,
    .predicts = "chroot-moved-folder"};

}  // namespace immure::audit

// How the root was changed, and whether a way back is open.
#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr unsigned kChroot = 18;  // CAP_SYS_CHROOT

// Says that the root is unknown; true when it is.
bool unknown_root(const Live& live, Answers& answers) {
  if (live.root != RootKind::Unknown) return false;
  answers.unknown(live.root_note.empty() ? "how its root was changed is not known" : live.root_note);
  return true;
}

void unchanged(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_root(live, answers)) return;
  answers.checked();
  if (live.root == RootKind::Unchanged) answers.found("/", "its root is the root of the host");
}

void host_tree(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_root(live, answers)) return;
  answers.checked();
  if (live.root != RootKind::HostTree) return;
  bool read_only = false;
  if (live.mounts)
    for (const LiveMount& mount : *live.mounts)
      if (mount.target == "/") read_only = mount.read_only;
  answers.found(read_only ? Severity::Medium : Severity::High, "/",
                read_only ? "the root folder of the host, read-only, in a mount namespace of its own"
                          : "the root folder of the host, in a mount namespace of its own");
}

// Who has it, or can have it again by an exec as uid 0.
bool can_chroot(const Live& live, std::string& how) {
  for (const ThreadView& thread : live.threads) {
    std::string who = of_thread(thread, live);
    if (thread.effective & bit(kChroot)) return how = "CAP_SYS_CHROOT is effective" + who, true;
    if (thread.permitted & bit(kChroot)) return how = "CAP_SYS_CHROOT is permitted" + who, true;
    bool gains = thread.no_new_privs == 0 && (thread.bounding & bit(kChroot)) != 0;
    if (gains && is_host_root(live) && !has_own_users(live))
      return how = "CAP_SYS_CHROOT is in the bounding set, and root gets it by an exec" + who, true;
    if (gains && live.set_id && !live.set_id->empty())
      return how = "CAP_SYS_CHROOT is in the bounding set, and a set-id program gives it: " +
                   live.set_id->front(),
             true;
  }
  return false;
}

std::string above(const Live& live) {
  return live.chroot_top.empty() ? std::string() : "; above it is " + live.chroot_top + " of the host";
}

void plain_chroot(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_root(live, answers)) return;
  answers.checked();
  std::string how;
  if (live.root == RootKind::Chroot && !can_chroot(live, how))
    answers.found("/", "a folder below the top of its mount namespace" + above(live), live.root_path);
}

void way_out(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_root(live, answers)) return;
  answers.checked();
  std::string how;
  if (live.root == RootKind::Chroot && can_chroot(live, how))
    answers.found("/", "a plain chroot, and " + how + above(live), live.root_path);
}

void foreign(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (unknown_root(live, answers)) return;
  answers.checked();
  if (live.root == RootKind::Foreign)
    answers.found("/", "its root is of a mount that is not in its mount namespace", live.root_path);
}

void place_outside(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  auto one = [&](const FdView& place, const std::string& who) {
    if (place.number != -1) return;
    if (place.where == Where::Outside)
      answers.found("the working directory" + who,
                    place.target + (place.note.empty() ? "" : ", " + place.note), place.target);
    else if (place.where == Where::Unknown)
      answers.unknown("the working directory: " + place.note);
    else
      answers.checked();
  };
  for (const FdView& place : live.process.places) one(place, "");
  for (const ThreadView& thread : live.threads)
    for (const FdView& place : thread.places) one(place, of_thread(thread, live));
}

void program_outside(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  for (const FdView& place : live.process.places) {
    if (place.number != -3) continue;
    if (place.where == Where::Inside) answers.checked();
    if (place.where == Where::Unknown) answers.unknown("the file of the program: " + place.note);
    if (place.where != Where::Outside) continue;
    bool harms = is_host_root(live) && live.process.dumpable;
    answers.found(
        harms ? Severity::High : Severity::Advice, "/proc/self/exe",
        place.target + (live.process.dumpable ? "" : ", which is hidden: the process is not dumpable"),
        place.target);
  }
}

}  // namespace

const Rule kProcessRootUnchanged = {
    "process-root-unchanged",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::RootChange,
    "root of the host, not changed",
    "Every path of the host is a path of this process. Only modes, and whatever else holds it, stand between it "
    "and the files of all others.",
    "",
    "start it in a root of its own: immure run, or RootDirectory= of systemd",
    "chroot(2); pivot_root(2)",
    unchanged,
    Mend::None,
    "root links information devices"};
const Rule kProcessRootHostTree = {
    "process-root-host-tree",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::RootChange,
    "its root is the root folder of the host",
    "It has mounts of its own, but the tree that it sees is the tree of the host, with whatever secrets and "
    "sockets are in there. What is not hidden by name stays within reach.",
    "",
    "give it a root with what it needs: immure build, then --root",
    "mount_namespaces(7)",
    host_tree,
    Mend::None,
    "root links information devices descriptors"};
const Rule kProcessRootChroot = {
    "process-root-chroot",
    Look::Process,
    Severity::Medium,
    Concern::Isolation,
    Point::RootChange,
    "a plain chroot",
    "What is above this root is still in the mount namespace: a descriptor or a working directory out there, "
    "or a folder that is moved from under the process, leads to it. A root that was pivoted, with the old one "
    "taken away, has nothing above it.",
    "",
    "start it with pivot_root in a mount namespace of its own: immure run --root DIR",
    "chroot(2)",
    plain_chroot,
    Mend::None,
    "root links information"};
const Rule kProcessRootWayOut = {
    "process-root-way-out",
    Look::Process,
    Severity::Critical,
    Concern::Isolation,
    Point::RootChange,
    "a plain chroot that can be left",
    "Who may call chroot makes a second one while standing above it, and walks up to the real root. It takes "
    "five lines of code.",
    "",
    "drop CAP_SYS_CHROOT from all sets, or start it with a pivoted root: immure run --root DIR",
    "chroot(2); capabilities(7)",
    way_out,
    Mend::None,
    "root links information devices descriptors processes kernel privilege"};
const Rule kProcessRootForeign = {
    "process-root-foreign",
    Look::Process,
    Severity::Critical,
    Concern::Isolation,
    Point::RootChange,
    "root outside of its mount namespace",
    "The root is of a mount that its namespace does not have, so it was reached by a descriptor from outside. "
    "The mounts that were made for it do not hold it at all.",
    "",
    "pivot_root into a mount of its own namespace, and chdir to it, before the program starts",
    "mount_namespaces(7); pivot_root(2)",
    foreign,
    Mend::None,
    "root links information devices"};
const Rule kProcessCwdOutside = {
    "process-cwd-outside",
    Look::Process,
    Severity::Critical,
    Concern::Isolation,
    Point::Leaks,
    "working directory outside of the root",
    "Relative paths begin there, and .. goes on upwards until the real root. No privilege is needed for it.",
    "",
    "chdir to a folder inside after the root was changed",
    "chroot(2); CVE-2024-21626",
    place_outside,
    Mend::None,
    "root descriptors links"};
const Rule kProcessExeOutside = {
    "process-exe-outside",
    Look::Process,
    Severity::High,
    Concern::Isolation,
    Point::Leaks,
    "its program is a file of the outside",
    "The file that is executed can be opened by /proc/self/exe, whatever the root is. As root one may write to "
    "it once it no longer runs, and is then started outside by the next who uses it.",
    "",
    "start programs that are inside, or from a sealed copy in memory",
    "CVE-2019-5736; proc_pid_exe(5)",
    program_outside,
    Mend::None,
    "exe-overwrite-init exe-overwrite-self exe-overwrite-launcher proc-exe"};

}  // namespace immure::audit

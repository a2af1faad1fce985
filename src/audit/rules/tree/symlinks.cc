// Links that lead out when a tool of the host's goes through them. Inside a chroot an absolute link is
// normal; it is the backup, the container manager and the log rotation outside that follow it to the host's.
#include "audit/rules/tree/rules.h"

namespace immure::audit {
namespace {

void up(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kLeadsUp);
  for (const Note& note : tree.notes)
    if ((note.marks & kLeadsUp) != 0)
      found(answers, note.known == Known::None ? Severity::Low : Severity::High, tree, note,
            "leads to " + note.text);
}

bool is_host_file(Known known) {
  switch (known) {
    case Known::Passwd:
    case Known::Shadow:
    case Known::Group:
    case Known::Gshadow:
    case Known::Sudoers:
    case Known::LdPreload:
    case Known::AuthorizedKeys:
    case Known::Rhosts:
    case Known::HostFile: return true;
    default: return false;
  }
}

template <class Fits>
void placed(const Facts& facts, Answers& answers, Fits fits) {
  const Tree& tree = begin(facts, answers, kPlacedLink);
  for (const Note& note : tree.notes)
    if ((note.marks & kPlacedLink) != 0 && fits(note.known))
      found(answers, tree, note, "leads to " + note.text);
}

void mount_point(const Facts& facts, Answers& answers) {
  placed(facts, answers, [](Known known) { return known == Known::MountPoint; });
}
void host_file(const Facts& facts, Answers& answers) { placed(facts, answers, is_host_file); }
void log_folder(const Facts& facts, Answers& answers) {
  placed(facts, answers, [](Known known) { return known == Known::LogFolder; });
}
// "/usr/bin", for a link in /usr/local: "../../usr/bin".
std::string relative(std::string_view link, std::string_view target) {
  std::string out;
  for (size_t at = link.find('/', 1); at != std::string_view::npos; at = link.find('/', at + 1)) out += "../";
  target.remove_prefix(std::min(target.find_first_not_of('/'), target.size()));
  out += target;
  return out.empty() ? "." : out;
}

void system_folder(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kPlacedLink);
  for (const Note& note : tree.notes)
    if ((note.marks & kPlacedLink) != 0 && note.known == Known::SystemFolder)
      found(answers, tree, note, "leads to " + note.text, relative(note.path, note.text));
}

}  // namespace

const Rule kTreeLinkUp = {
    .id = "tree-link-up",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "link that leads above the top",
    .why =
        "Inside, the steps up end at the top; outside they do not, and a tool of the host's that "
        "follows the link leaves the root. What it then reads or writes as root is the host's.",
    .fix = "rm {path}",
    .advice = "or replace it by one that stays below the top",
    .reference = "symlink(7); path_resolution(7)",
    .check = up,
    .predicts = "link-up"};

const Rule kTreeLinkMountPoint = {
    .id = "tree-link-mount-point",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "mount point that is a link",
    .why =
        "Whoever sets the jail up mounts over it, or makes nodes in it, from outside, where the "
        "link leads to a folder of the host's. Container runtimes have been led astray that way.",
    .fix = "rm {path} && mkdir {path}",
    .advice = "an empty folder is all that a mount point needs",
    .reference = "CVE-2019-19921; CVE-2021-30465; mount(2)",
    .check = mount_point,
    .predicts = "link-absolute"};

const Rule kTreeLinkHostFile = {
    .id = "tree-link-host-file",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Isolation,
    .point = Point::TreeWriting,
    .title = "account or host file that is a link",
    .why =
        "Tools that manage a root from outside write this file as root: useradd --prefix, a "
        "container manager, a configuration system. Through the link they write the host's own.",
    .fix = "rm {path} && touch {path}",
    .advice = "then write into the file what the jail needs of it",
    .reference = "symlink(7); useradd(8), --prefix",
    .check = host_file,
    .predicts = "link-absolute"};

const Rule kTreeLinkLog = {
    .id = "tree-link-log",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::TreeWriting,
    .title = "log that is an absolute link",
    .why =
        "Log rotation and collection of the host's work as root in the logs of its jails: they "
        "rename, truncate and chown what they find. Through the link that is a file of the "
        "host's.",
    .fix = "rm {path}",
    .advice = "a log that is needed is a regular file or folder",
    .reference = "logrotate(8), su; symlink(7)",
    .check = log_folder,
    .predicts = "link-absolute"};

const Rule kTreeLinkSystemFolder = {
    .id = "tree-link-system-folder",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Isolation,
    .point = Point::TreeWriting,
    .title = "system folder that is an absolute link",
    .why =
        "Copying into it from outside, as every recipe for a chroot does, writes into the host's "
        "folder of that name. Reading from it, as a scanner does, sees the host instead of the "
        "jail.",
    .fix = "ln -sfnT {value} {path}",
    .advice = "a relative link leads to the same place inside, as in bin -> usr/bin",
    .reference = "file-hierarchy(7); symlink(7)",
    .check = system_folder,
    .predicts = "link-absolute"};

}  // namespace immure::audit

// Who may change what is executed, loaded or believed: everybody but root, and but the one user whose tree it
// is, is one too many.
#include <sys/stat.h>

#include <algorithm>

#include "audit/rules/tree/rules.h"
#include "base/path.h"

namespace immure::audit {
namespace {

// Whoever made the root gave the folder to a program: what that writes there is its own matter.
bool is_given(const Tree& tree, const Note& note) {
  return std::any_of(tree.states.begin(), tree.states.end(),
                     [&note](const std::string& state) { return path_within(note.path, state); }) &&
         (note.mode & 022) == 0;
}

// Who may write one of these is root: passwd is renamed away, the loader and the shell are replaced.
constexpr std::string_view kEverything[] = {"/etc",     "/usr",       "/bin",       "/sbin",      "/lib",
                                            "/lib32",   "/lib64",     "/libx32",    "/usr/bin",   "/usr/sbin",
                                            "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32"};

bool holds_everything(const Note& note) {
  if (!S_ISDIR(note.mode)) return false;
  std::string_view path = note.path;
  // Where distributions for several machines have the libraries of one: "/usr/lib/x86_64-linux-gnu".
  if (note.zone == Zone::Library && path_name(path).find("-linux-") != std::string_view::npos)
    path = path.substr(0, path.rfind('/'));
  return std::find(std::begin(kEverything), std::end(kEverything), path) != std::end(kEverything);
}

// A set-id program that others may write has a rule of its own, as severe as the worst here.
bool is_foreign(const Tree& tree, const Note& note, Zone zone) {
  return (note.marks & kForeignWrite) != 0 && note.zone == zone && !is_writable_set_id(tree, note) &&
         !is_given(tree, note);
}

void tell(const Facts& facts, Answers& answers, Zone zone) {
  const Tree& tree = begin(facts, answers, kForeignWrite);
  for (const Note& note : tree.notes) {
    if (!is_foreign(tree, note, zone)) continue;
    if (holds_everything(note))
      found(answers, Severity::Critical, tree, note, who_writes(tree, note));
    else
      found(answers, tree, note, who_writes(tree, note));
  }
}

void program(const Facts& facts, Answers& answers) { tell(facts, answers, Zone::Program); }
void library(const Facts& facts, Answers& answers) { tell(facts, answers, Zone::Library); }
void module(const Facts& facts, Answers& answers) { tell(facts, answers, Zone::Module); }
void loader(const Facts& facts, Answers& answers) { tell(facts, answers, Zone::Loader); }
void accounts(const Facts& facts, Answers& answers) { tell(facts, answers, Zone::Accounts); }
void startup(const Facts& facts, Answers& answers) { tell(facts, answers, Zone::Startup); }

void config(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kForeignWrite);
  for (const Note& note : tree.notes) {
    if (!is_foreign(tree, note, Zone::Config)) continue;
    if (holds_everything(note)) {
      found(answers, Severity::Critical, tree, note, who_writes(tree, note));
      continue;
    }
    // A service that owns its own key or settings is how packages do it.
    const bool own = (note.mode & 022) == 0;
    found(answers, own ? Severity::Advice : Severity::Low, tree, note, who_writes(tree, note));
  }
}

void keys(const Facts& facts, Answers& answers) {
  tell(facts, answers, Zone::Keys);
  const Tree& tree = *facts.tree;
  for (const Note& note : tree.notes)
    if ((note.marks & kForeignWrite) != 0 && note.zone == Zone::Home)
      found(answers, tree, note, who_writes(tree, note));
}

// What has a rule of its own is not told of twice.
bool is_plain(const Tree& tree, const Note& note) {
  return (note.marks & kWorldWritable) != 0 && (note.marks & kForeignWrite) == 0 &&
         !is_writable_set_id(tree, note);
}

void file(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kWorldWritable);
  for (const Note& note : tree.notes)
    if (is_plain(tree, note) && S_ISREG(note.mode)) found(answers, tree, note, mode_and_owner(note));
}

void folder(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kWorldWritable);
  for (const Note& note : tree.notes)
    if (is_plain(tree, note) && S_ISDIR(note.mode) && note.path != "/")
      found(answers, tree, note, mode_and_owner(note));
}

constexpr const char* kClose = "chown {keeper} {path} && chmod go-w {path}";

}  // namespace

const Rule kTreeWritableProgram = {
    .id = "tree-writable-program",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "program that another user may change",
    .why =
        "Whoever runs it next runs what that user wrote, root included. One process that was "
        "taken over takes over all that come later.",
    .fix = kClose,
    .reference = "chmod(1); hier(7)",
    .check = program,
    .mend = Mend::CloseWrite,
    .predicts = "planted-program-write write-programs"};

const Rule kTreeWritableLibrary = {
    .id = "tree-writable-library",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "library that another user may change",
    .why =
        "It is loaded into every program that needs it and runs with the rights of that program. "
        "That is a program that others may change, many times over.",
    .fix = kClose,
    .reference = "ld.so(8); chmod(1)",
    .check = library,
    .mend = Mend::CloseWrite,
    .predicts = "write-loader planted-program-write"};

const Rule kTreeWritableModule = {
    .id = "tree-writable-module",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "interpreter's module that another user may change",
    .why =
        "Interpreters run what they find in their folders of modules, a file named "
        "sitecustomize.py even unasked. Whoever may write there runs in every script.",
    .fix = kClose,
    .reference = "https://docs.python.org/3/library/site.html; perlrun(1)",
    .check = module,
    .mend = Mend::CloseWrite,
    .predicts = "planted-program-write"};

const Rule kTreeWritableLoader = {
    .id = "tree-writable-loader",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "loader configuration that another user may change",
    .why =
        "What ld.so.preload, ld.so.conf and ld.so.cache name is loaded into every program, set-id programs "
        "included. A line in it is code that runs as root.",
    .fix = kClose,
    .reference = "ld.so(8), FILES; ldconfig(8)",
    .check = loader,
    .mend = Mend::CloseWrite,
    .predicts = "planted-preload-write write-loader"};

const Rule kTreeWritableAccounts = {
    .id = "tree-writable-accounts",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "account file that another user may change",
    .why =
        "These files say who is root, with which password, and who may become whom. Who writes "
        "them is root at the next login, su or sudo.",
    .fix = kClose,
    .reference = "passwd(5); shadow(5); pam.d(5); sudoers(5); nsswitch.conf(5)",
    .check = accounts,
    .mend = Mend::CloseWrite,
    .predicts = "write-accounts"};

const Rule kTreeWritableStartup = {
    .id = "tree-writable-startup",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "start file or job that another user may change",
    .why =
        "What is written there is run later by init, cron or the shell of somebody who logs in, "
        "mostly as root. It also survives the end of the process that wrote it.",
    .fix = kClose,
    .reference = "crontab(5); systemd.unit(5); bash(1), FILES",
    .check = startup,
    .mend = Mend::CloseWrite,
    .predicts = "write-timers write-units write-boot write-root-home"};

const Rule kTreeWritableKeys = {
    .id = "tree-writable-keys",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "login keys that another user may change",
    .why =
        "A line in authorized_keys, or in the configuration of sshd, lets its writer log in as "
        "somebody else; who writes the folder replaces the file. sshd with StrictModes refuses such files, "
        "other servers do not.",
    .fix = "chmod go-w {path}",
    .reference = "sshd(8), AUTHORIZED_KEYS; sshd_config(5), StrictModes",
    .check = keys,
    .mend = Mend::CloseWrite,
    .predicts = "write-root-home"};

const Rule kTreeWritableConfig = {
    .id = "tree-writable-config",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "configuration that another user may change",
    .why =
        "Programs believe what stands below /etc: names of helpers to run, of servers to ask, of "
        "files to write. Who may write /etc itself renames passwd away and is root, which is critical.",
    .fix = kClose,
    .reference = "hier(7); chmod(1)",
    .check = config,
    .mend = Mend::CloseWrite,
    .predicts = "write-accounts"};

const Rule kTreeWorldWritableFile = {
    .id = "tree-world-writable-file",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "file that everybody may write",
    .why =
        "Whoever gets into the jail as any user changes it, and whoever reads it believes what it"
        " says. Users that were kept apart meet in it.",
    .fix = "chmod o-w {path}",
    .reference = "chmod(1); inode(7)",
    .check = file,
    .mend = Mend::CloseWrite,
    .predicts = ""};

const Rule kTreeWorldWritableFolder = {
    .id = "tree-world-writable-folder",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "folder that everybody may write, without sticky bit",
    .why =
        "Everybody may remove and replace what others have in it, also with links that the owner "
        "then writes through. The sticky bit, as /tmp has it, leaves each name to its owner.",
    .fix = "chmod +t {path}",
    .reference = "inode(7), sticky bit; proc_sys_fs(5), protected_symlinks",
    .check = folder,
    .mend = Mend::CloseWrite,
    .predicts = ""};

}  // namespace immure::audit

#include <algorithm>
#include <map>

#include "audit/rules/described/rules.h"

namespace immure::audit {
namespace {

bool is_server(const Described& jail) { return jail.kind == "sshd" || jail.kind == "vsftpd"; }
bool jailed(const DescribedLogin& login) { return login.root.known() && !login.root.value.empty(); }

std::string folder(const DescribedLogin& login) { return login.who + ": " + login.root.value; }

void check_root(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.kind != "vsftpd") return;
  answers.checked();
  for (const DescribedLogin& login : jail.logins)
    if (!jailed(login) && login.who != "anonymous") answers.found(login.who, login.root.origin);
}

bool is_shared(const DescribedLogin& login) { return login.sticky || is_shared_folder(login.changeable); }

void check_folder(const Facts& facts, Answers& answers) {
  if (facts.described->kind != "sshd") return;
  // Each folder once, whoever is locked into it or below it.
  std::map<std::string, std::pair<const DescribedLogin*, std::string>> changeable;
  for (const DescribedLogin& login : facts.described->logins) {
    if (!jailed(login)) continue;
    answers.checked();
    if (login.tokens)
      answers.unknown(folder(login) + ": the folder of each user, and what lies after it, was not looked at");
    else if (!login.looked_at)
      answers.unknown(folder(login) + ": " + login.not_looked);
    if (login.changeable.empty()) continue;
    auto& [first, who] = changeable[login.changeable];
    if (first == nullptr) first = &login;
    who += (who.empty() ? "" : "; ") + with(folder(login), login.root.origin);
  }
  for (const auto& [path, of] : changeable) {
    answers.found(path, of.first->changeable_why + ", leads to " + of.second, path);
    if (is_shared(*of.first)) answers.by_hand();
  }
}

void check_writable(const Facts& facts, Answers& answers) {
  for (const DescribedLogin& login : facts.described->logins)
    if (jailed(login))
      check_value(login.writable_root, true, login.who, "may write to the folder that is their root",
                  answers);
}

void check_shell(const Facts& facts, Answers& answers) {
  for (const DescribedLogin& login : facts.described->logins)
    if (jailed(login)) check_value(login.shell, true, folder(login), "programs can be started", answers);
}

void check_forwarding(const Facts& facts, Answers& answers) {
  for (const DescribedLogin& login : facts.described->logins) {
    if (!jailed(login)) continue;
    check_value(login.tcp, true, folder(login), "ports are forwarded", answers);
    check_value(login.tunnel, true, folder(login), "a network tunnel is allowed", answers);
  }
}

void check_agent(const Facts& facts, Answers& answers) {
  for (const DescribedLogin& login : facts.described->logins) {
    if (!jailed(login)) continue;
    check_value(login.sockets, true, folder(login), "sockets of the host are forwarded", answers);
    // Without a program inside nobody is there to use an agent or a display.
    if (!login.shell.is(true)) continue;
    check_value(login.agent, true, folder(login), "the agent is forwarded", answers);
    check_value(login.x11, true, folder(login), "the display is forwarded", answers);
  }
}

void check_files(const Facts& facts, Answers& answers) {
  for (const DescribedLogin& login : facts.described->logins) {
    if (!jailed(login)) continue;
    check_value(login.environment, true, folder(login), "~/.ssh/environment is read", answers);
    if (login.own_rc.is(true) && login.own_rc.word == Word::Said)
      answers.found(Severity::Advice, folder(login), with("~/.ssh/rc is run", login.own_rc.origin));
  }
}

void check_anonymous(const Facts& facts, Answers& answers) {
  for (const DescribedLogin& login : facts.described->logins)
    check_value(login.writes, true, login.who, "may make files", answers);
}

void check_passwd(const Facts& facts, Answers& answers) {
  for (const DescribedLogin& login : facts.described->logins)
    if (jailed(login))
      check_value(login.root_of_passwd, true, login.who, "their folder in passwd says where the root is",
                  answers);
}

void check_empty(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.empty_folder.word == Word::Silent) return;
  if (jail.empty_folder.word == Word::Default && !jail.empty_folder_there)
    return answers.unknown(jail.empty_folder.origin + ", and the default of this vsftpd is not known");
  answers.checked();
  if (!jail.empty_folder_fault.empty())
    answers.found(jail.empty_folder.value, with(jail.empty_folder_fault, jail.empty_folder.origin),
                  jail.empty_folder.value);
}

void check_passwords(const Facts& facts, Answers& answers) {
  if (is_server(*facts.described))
    check_value(facts.described->clear_passwords, true, "passwords", "are sent in clear text", answers);
}

}  // namespace

const Rule kDescribedLoginRoot = {
    "described-login-root",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::RootChange,
    "users are not locked into a folder",
    "Whoever logs in sees every file that its user may read, all over the host. With a folder as root there is only what "
    "was put there.",
    "",
    "chroot_local_user=YES, and a folder that the user may not write to",
    "vsftpd.conf(5)",
    check_root,
    Mend::None,
    "root information"};
const Rule kDescribedLoginFolder = {
    "described-login-folder",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::RootChange,
    "others than root may change the folder of a chroot",
    "Who may write to the root, or to a folder that leads to it, puts an etc or a lib of its own there, or another folder "
    "in its place. sshd refuses the session then; another server would not.",
    "chown root:root {path} && chmod go-w {path}",
    "where the folder is everybody's or the system's, as /tmp and /home: put the chroot elsewhere, below a folder of root",
    "sshd_config(5), ChrootDirectory",
    check_folder,
    Mend::None,
    "chroot-walk chroot-moved-folder write-loader"};
const Rule kDescribedLoginWritable = {
    "described-login-writable",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::TreeWriting,
    "users may write to their own root",
    "In a root that its user may write to, files of the C library are put that the server loads in the user's name or as "
    "root. That was a way to root, and is why the server refuses it by itself.",
    "",
    "allow_writeable_chroot=NO, and a folder for uploads below the root",
    "vsftpd.conf(5); FreeBSD-SA-11:07.chroot",
    check_writable,
    Mend::None,
    "write-loader planted-preload-write"};
const Rule kDescribedLoginShell = {
    "described-login-shell",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::RootChange,
    "programs can be started in a chroot",
    "A chroot hides files and nothing else: a program in it sees processes, sockets and the network of the host, and uses "
    "every fault of the kernel. With file transfer alone there is no program.",
    "",
    "ForceCommand internal-sftp",
    "sshd_config(5)",
    check_shell,
    Mend::None,
    "chroot-walk processes network"};
const Rule kDescribedLoginForwarding = {
    "described-login-forwarding",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "ports of the host are forwarded for the jailed",
    "The server connects from outside of the folder, to everything on the host and behind it that trusts its address. A "
    "chroot and internal-sftp do not stop that.",
    "",
    "AllowTcpForwarding no and PermitTunnel no, or DisableForwarding yes",
    "sshd_config(5)",
    check_forwarding,
    Mend::None,
    "tcp-loopback tcp-any-address route-out"};
const Rule kDescribedLoginAgent = {
    "described-login-agent",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Leaks,
    "sockets are forwarded for the jailed",
    "Sockets of the host are connected to from outside of the folder, with the rights of the user. An agent or a display "
    "that comes along is the person's own machine.",
    "",
    "DisableForwarding yes",
    "sshd_config(5)",
    check_agent,
    Mend::None,
    "unix-path connect-system"};
const Rule kDescribedLoginFiles = {
    "described-login-files",
    Look::Described,
    Severity::Medium,
    Concern::Privilege,
    Point::TreeWriting,
    "files of the user decide what the server starts",
    "With ~/.ssh/environment a user sets LD_PRELOAD for what the server starts, and so passes by ForceCommand. ~/.ssh/rc "
    "is run before it.",
    "",
    "PermitUserEnvironment no, PermitUserRC no",
    "sshd_config(5)",
    check_files,
    Mend::None,
    "loader-variable"};
const Rule kDescribedAnonymous = {
    "described-anonymous",
    Look::Described,
    Severity::High,
    Concern::Privilege,
    Point::TreeWriting,
    "everybody may leave files",
    "The host becomes a place for strangers to exchange files, and its disk is full when they like. What is left there may "
    "be opened by a person or a program.",
    "",
    "anon_upload_enable=NO, anon_mkdir_write_enable=NO, anon_other_write_enable=NO",
    "vsftpd.conf(5)",
    check_anonymous,
    Mend::None,
    "memory-tmp file-size"};
const Rule kDescribedPasswdRoot = {
    "described-passwd-root",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::RootChange,
    "the accounts say where the root is",
    "A /./ in the home folder of an account moves its root. Whoever may change that field, or the folder, decides about "
    "the jail.",
    "",
    "passwd_chroot_enable=NO, local_root= for all",
    "vsftpd.conf(5)",
    check_passwd};
const Rule kDescribedEmptyFolder = {
    "described-empty-folder",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::RootChange,
    "the server has no empty folder that is root's alone",
    "The parts of the server that talk to strangers have this folder as their root. What lies in it, or can be put there, "
    "is theirs.",
    "",
    "name an empty folder of root with mode 0755 there, as Debian does: /run/vsftpd/empty",
    "vsftpd.conf(5)",
    check_empty,
    Mend::None,
    "root"};
const Rule kDescribedClearPasswords = {
    "described-clear-passwords",
    Look::Described,
    Severity::Low,
    Concern::Privilege,
    Point::Secrets,
    "passwords go over the network in clear text",
    "Whoever listens on the way has the account, and it is often the same as for a shell. The best root is no help "
    "then.",
    "",
    "ssl_enable=YES with a certificate, or sftp",
    "vsftpd.conf(5)",
    check_passwords};

}  // namespace immure::audit

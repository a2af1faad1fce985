// Keys, tokens and what was typed: what a jail has no need of, and whoever reads it can use elsewhere.
#include <sys/stat.h>

#include <algorithm>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// What everybody in the jail may read is worse than what its owner alone may.
Severity worse(Severity severity) {
  return severity == Severity::Critical ? severity : static_cast<Severity>(static_cast<int>(severity) + 1);
}

void tell(const Facts& facts, Answers& answers, Secret secret, Severity severity) {
  const Tree& tree = begin(facts, answers, kSecret);
  for (const Note& note : tree.notes) {
    if ((note.marks & kSecret) == 0 || note.secret != secret) continue;
    const bool encrypted = note.text == "encrypted";
    Severity level = encrypted ? std::min(severity, Severity::Low) : severity;
    if ((note.mode & S_IROTH) != 0 && !encrypted) level = worse(level);
    found(answers, level, tree, note, (encrypted ? "encrypted; " : "") + mode_and_owner(note));
  }
}

void private_key(const Facts& facts, Answers& answers) {
  tell(facts, answers, Secret::PrivateKey, Severity::Medium);
}
void cloud(const Facts& facts, Answers& answers) { tell(facts, answers, Secret::Cloud, Severity::High); }
void token(const Facts& facts, Answers& answers) { tell(facts, answers, Secret::Token, Severity::Medium); }
void keytab(const Facts& facts, Answers& answers) { tell(facts, answers, Secret::Keytab, Severity::Medium); }
void gnupg(const Facts& facts, Answers& answers) { tell(facts, answers, Secret::GnuPg, Severity::Medium); }
void history(const Facts& facts, Answers& answers) { tell(facts, answers, Secret::History, Severity::Low); }
void environment(const Facts& facts, Answers& answers) {
  tell(facts, answers, Secret::Environment, Severity::Low);
}

void host_key(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files) {
    if (file.known != Known::HostKey) continue;
    if (!file.read) answers.unknown(file.path + ": " + file.why);
    const auto& same = tree.same_keys;
    const bool hosts = std::find(same.begin(), same.end(), file.path) != same.end();
    answers.found(hosts ? Severity::High : Severity::Low, file.path,
                  hosts ? "it is the key of the host itself" : "mode " + octal(file.mode),
                  on_host(tree, file.path));
  }
}

void machine_id(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  const KnownFile* id = tree.file(Known::MachineId);
  if (id == nullptr || tree.host_machine_id.empty()) return;
  if (!id->read) return answers.unknown(id->path + ": " + id->why);
  const std::string_view inside = trim(std::string_view(id->text).substr(0, id->text.find('\n')));
  const std::string_view host =
      std::string_view(tree.host_machine_id).substr(0, tree.host_machine_id.find('\n'));
  if (!inside.empty() && inside == trim(host))
    answers.found(id->path, "it is the one of the host", on_host(tree, id->path));
}

constexpr const char* kTake =
    "revoke it where it is valid; what the program needs comes by a descriptor, or in a file that it alone may read";

}  // namespace

const Rule kTreePrivateKey = {
    .id = "tree-private-key",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "private key in the root",
    .why =
        "Whoever reads it is its owner everywhere where the key is believed. Other machines are a"
        " way out of a jail, too.",
    .fix = kTakeOut,
    .advice = kTake,
    .reference = "ssh-keygen(1); RFC 7468",
    .check = private_key,
    .predicts = ""};

const Rule kTreeHostKey = {
    .id = "tree-host-key",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "key of an SSH server in the root",
    .why =
        "Who has it can pretend to be this server. When it is the one of the host, that is the host itself.",
    .fix = "mkdir -p -m 700 ~/taken-out && mv --backup=numbered {path} ~/taken-out/",
    .advice = "where a server runs in the jail make it keys of its own: ssh-keygen -A -f with the root",
    .reference = "sshd(8), /etc/ssh/ssh_host_*_key",
    .check = host_key,
    .predicts = ""};

const Rule kTreeCloudCredentials = {
    .id = "tree-cloud-credentials",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "credentials for a cloud or a cluster",
    .why =
        "They open other machines, storage and images, mostly all of somebody's. A program in the"
        " jail needs only the network to use them.",
    .fix = kTakeOut,
    .advice = kTake,
    .reference = "https://attack.mitre.org/techniques/T1552/001/",
    .check = cloud,
    .predicts = ""};

const Rule kTreeToken = {
    .id = "tree-token",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "password or token of a service in a file",
    .why =
        "Programs keep it there in the clear: for repositories, databases, registries. Whoever "
        "reads it is that user there.",
    .fix = kTakeOut,
    .advice = kTake,
    .reference = "https://attack.mitre.org/techniques/T1552/001/",
    .check = token,
    .predicts = ""};

const Rule kTreeKeytab = {
    .id = "tree-keytab",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "Kerberos keys in the root",
    .why =
        "A keytab is the password of a service or of a machine, in a form that can be used at "
        "once. With the one of the machine tickets for it can be made.",
    .fix = kTakeOut,
    .advice = kTake,
    .reference = "keytab(5)",
    .check = keytab,
    .predicts = ""};

const Rule kTreeGnuPg = {
    .id = "tree-gnupg",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "secret keys of GnuPG in the root",
    .why =
        "With them what was sent to their owner is read, and what is signed passes for the "
        "owner's. Packages and commits are believed by such signatures.",
    .fix = kTakeOut,
    .advice = kTake,
    .reference = "gpg(1), FILES",
    .check = gnupg,
    .predicts = ""};

const Rule kTreeHistory = {
    .id = "tree-history",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "history of what was typed",
    .why =
        "It holds names of hosts, paths and now and then a password that was typed on the command"
        " line. It came with a copy of a home, and serves nobody in a jail.",
    .fix = "rm {path}",
    .reference = "bash(1), HISTFILE; https://attack.mitre.org/techniques/T1552/003/",
    .check = history,
    .predicts = ""};

const Rule kTreeEnvironmentFile = {
    .id = "tree-environment-file",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "secrets in a .env file",
    .why =
        "The settings of an application with the passwords of its database and services, in the "
        "clear. Web servers have given them to anybody who asked for the name.",
    .fix = kTakeOut,
    .advice = "hand secrets to the program by a descriptor or a file that it alone may read",
    .reference = "https://12factor.net/config",
    .check = environment,
    .predicts = ""};

const Rule kTreeMachineId = {
    .id = "tree-machine-id",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Isolation,
    .point = Point::Secrets,
    .title = "machine id of the host in the root",
    .why =
        "It is to be kept to the machine, since keys and addresses are derived from it, and it "
        "names the host for certain. Two machines with one id also get in the way of each other.",
    .fix = ": > {path}",
    .reference = "machine-id(5)",
    .check = machine_id,
    .predicts = ""};

}  // namespace immure::audit

// passwd, group and shadow of the root. Only rows that say something are told of, never a hash.
#include <sys/stat.h>

#include <map>
#include <set>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// "*", "!", "x", "!!" and what is locked by a "!" in front let nobody in.
bool is_hash(std::string_view field) {
  return field.size() > 2 && field.front() != '!' && field.front() != '*';
}
bool is_weak(std::string_view hash) {
  return hash.starts_with("$1$") || (hash.front() != '$' && hash.front() != '_') || hash.starts_with("$3$");
}

template <class Each>
void rows_of(const Tree& tree, Answers& answers, Known known, Each each) {
  for (const KnownFile& file : tree.files) {
    if (file.known != known) continue;
    if (!file.read) {
      answers.unknown(file.path + ": " + file.why);
      continue;
    }
    for (std::string_view row : lines_of(file))
      if (row.find(':') != std::string_view::npos) each(file, row);
  }
}

bool has_hash(const KnownFile& file) {
  for (std::string_view row : lines_of(file))
    if (is_hash(column(row, 1))) return true;
  return false;
}

std::string user(std::string_view row) { return "user " + std::string(column(row, 0)); }

void second_root(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  rows_of(tree, answers, Known::Passwd, [&](const KnownFile& file, std::string_view row) {
    if (parse_u64(column(row, 2)) == 0u && column(row, 0) != "root")
      answers.found(file.path, user(row) + " has uid 0", on_host(tree, file.path),
                    std::string(column(row, 0)));
  });
}

void empty_password(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  auto tell = [&](const KnownFile& file, std::string_view row) {
    if (!column(row, 1).empty() || column(row, 0).empty()) return;
    answers.found(column(row, 0) == "root" ? Severity::Critical : Severity::High, file.path,
                  user(row) + " needs no password", on_host(tree, file.path), std::string(column(row, 0)));
  };
  rows_of(tree, answers, Known::Passwd, tell);
  rows_of(tree, answers, Known::Shadow, tell);
}

void open_hash(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  rows_of(tree, answers, Known::Passwd, [&](const KnownFile& file, std::string_view row) {
    if (is_hash(column(row, 1)))
      answers.found(file.path, user(row) + " has the hash of a password there", on_host(tree, file.path),
                    std::string(column(row, 0)));
  });
}

void hashes(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  std::set<std::string_view> host;
  for (std::string_view row : split(tree.host_shadow, '\n')) host.insert(column(row, 1));
  auto tell = [&](const KnownFile& file, std::string_view row) {
    if (is_hash(column(row, 1)) && !host.contains(column(row, 1)))
      answers.found(file.path, user(row) + " has a password", on_host(tree, file.path),
                    std::string(column(row, 0)));
  };
  rows_of(tree, answers, Known::Shadow, tell);
  rows_of(tree, answers, Known::OldShadow, tell);
}

void host_hashes(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  if (tree.host_shadow.empty()) {
    if (tree.has(Known::Shadow))
      answers.unknown("the passwords of the host are not readable for this caller");
    return;
  }
  std::set<std::string_view> host;
  for (std::string_view row : split(tree.host_shadow, '\n')) host.insert(column(row, 1));
  auto tell = [&](const KnownFile& file, std::string_view row) {
    if (is_hash(column(row, 1)) && host.contains(column(row, 1)))
      answers.found(file.path, user(row) + " has the password of the host", on_host(tree, file.path),
                    std::string(column(row, 0)));
  };
  rows_of(tree, answers, Known::Shadow, tell);
  rows_of(tree, answers, Known::OldShadow, tell);
}

void weak_hash(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  auto tell = [&](const KnownFile& file, std::string_view row) {
    if (is_hash(column(row, 1)) && is_weak(column(row, 1)))
      answers.found(file.path, user(row) + " has an old kind of hash", on_host(tree, file.path),
                    std::string(column(row, 0)));
  };
  rows_of(tree, answers, Known::Passwd, tell);
  rows_of(tree, answers, Known::Shadow, tell);
}

void readable(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files) {
    const bool hidden =
        file.known == Known::Shadow || file.known == Known::Gshadow || file.known == Known::OldShadow;
    if (!hidden || (file.mode & S_IROTH) == 0) continue;
    // Where nobody has a password a server that is not root may have to read it all the same.
    const bool empty = file.read && !has_hash(file);
    answers.found(empty ? Severity::Advice : Severity::High, file.path,
                  "mode " + octal(file.mode) + (empty ? ", no password is in it" : ""),
                  on_host(tree, file.path));
  }
}

void same_number(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  std::map<uint64_t, std::string> names;
  rows_of(tree, answers, Known::Passwd, [&](const KnownFile& file, std::string_view row) {
    const auto id = parse_u64(column(row, 2));
    if (!id || *id == 0) return;
    const auto [at, first] = names.try_emplace(*id, column(row, 0));
    if (!first)
      answers.found(file.path, user(row) + " has the number of " + at->second + ", " + num(*id),
                    on_host(tree, file.path));
  });
}

void group_password(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  auto tell = [&](const KnownFile& file, std::string_view row) {
    if (is_hash(column(row, 1)))
      answers.found(file.path, "group " + std::string(column(row, 0)) + " has a password",
                    on_host(tree, file.path), std::string(column(row, 0)));
  };
  rows_of(tree, answers, Known::Gshadow, tell);
  rows_of(tree, answers, Known::Group, tell);
}

}  // namespace

const Rule kTreeSecondRoot = {
    .id = "tree-second-root",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Privileges,
    .title = "another user with uid 0",
    .why =
        "Every row with uid 0 is root, whatever its name is. A second one is how an intruder "
        "keeps a way back that nobody looks at.",
    .fix = "sed -i '/^{value}:/d' {path}",
    .reference = "passwd(5); credentials(7)",
    .check = second_root,
    .predicts = "become-user"};

const Rule kTreeEmptyPassword = {
    .id = "tree-empty-password",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "user without a password",
    .why =
        "An empty field lets anybody be that user who can run su or reach a login. With root it "
        "is all that is needed.",
    .fix = "sed -i 's/^{value}::/{value}:!:/' {path}",
    .reference = "passwd(5); shadow(5); pam_unix(8), nullok",
    .check = empty_password,
    .predicts = "become-user"};

const Rule kTreeOpenHash = {
    .id = "tree-open-hash",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "hash of a password in passwd",
    .why =
        "Everybody may read passwd, and a hash can be tried against all passwords that people "
        "choose, at leisure. It belongs into shadow, or not into a jail at all.",
    .fix = "sed -i 's/^{value}:[^:]*:/{value}:!:/' {path}",
    .advice = "or x in its place, where shadow has a hash",
    .reference = "passwd(5); pwconv(8)",
    .check = open_hash,
    .predicts = ""};

const Rule kTreeHashes = {
    .id = "tree-hashes",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "hash of a password in the root",
    .why =
        "Whoever becomes root in the jail, or reads its backup, can try it against guesses "
        "without being noticed. Where nobody logs in with a password none is needed.",
    .fix = "sed -i 's/^{value}:[^:]*:/{value}:!:/' {path}",
    .advice = "that locks the password; remove old copies of shadow",
    .reference = "shadow(5); crypt(5)",
    .check = hashes,
    .predicts = ""};

const Rule kTreeHostHashes = {
    .id = "tree-host-hashes",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "password of the host in the root",
    .why =
        "The row was copied from the host: who breaks the hash inside logs in outside. That is a "
        "way out which no wall of the jail stands before.",
    .fix = "sed -i 's/^{value}:[^:]*:/{value}:!:/' {path}",
    .advice = "change the password outside, too, if the jail may have been read",
    .reference = "shadow(5); crypt(5)",
    .check = host_hashes,
    .predicts = ""};

const Rule kTreeWeakHash = {
    .id = "tree-weak-hash",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "password with a hash that is quickly tried",
    .why =
        "DES, MD5 and NT hashes can be tried by the thousand million a second on one graphics "
        "card. A chosen password does not outlast that.",
    .fix = "sed -i 's/^{value}:[^:]*:/{value}:!:/' {path}",
    .advice = "that locks it; where it is needed set it anew with yescrypt or SHA-512",
    .reference = "crypt(5)",
    .check = weak_hash,
    .predicts = ""};

const Rule kTreeShadowReadable = {
    .id = "tree-shadow-readable",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "shadow file that everybody may read",
    .why =
        "It holds the hashes for no other reason than that passwd is readable. Whoever gets in as"
        " any user takes them along.",
    .fix = "chmod o-rwx {path}",
    .reference = "shadow(5); gshadow(5)",
    .check = readable,
    .mend = Mend::None,
    .predicts = ""};

const Rule kTreeSameNumber = {
    .id = "tree-same-number",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Privilege,
    .point = Point::Privileges,
    .title = "two users with one number",
    .why =
        "To the kernel they are one: each may read, signal and trace what the other has. Who kept"
        " them apart by name was mistaken.",
    .fix = "",
    .advice = "give one of them a number of its own: usermod -R with the root, -u with the number",
    .reference = "passwd(5); credentials(7)",
    .check = same_number,
    .predicts = ""};

const Rule kTreeGroupPassword = {
    .id = "tree-group-password",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Privilege,
    .point = Point::Secrets,
    .title = "group with a password",
    .why =
        "Whoever knows it gets the group by newgrp, and it is shared by nature. Nobody looks "
        "after passwords of groups.",
    .fix = "sed -i 's/^{value}:[^:]*:/{value}:!:/' {path}",
    .advice = "gpasswd -r, in the root",
    .reference = "gshadow(5); newgrp(1)",
    .check = group_password,
    .predicts = ""};

}  // namespace immure::audit

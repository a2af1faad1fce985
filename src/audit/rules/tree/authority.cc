// Who may become whom: sudoers, doas.conf, PAM, files of the r-commands.
#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

template <class Bad>
void lines(const Facts& facts, Answers& answers, Known known, Bad bad) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files) {
    if (file.known != known) continue;
    if (!file.read) {
      answers.unknown(file.path + ": " + file.why);
      continue;
    }
    for (std::string_view line : lines_of(file))
      if (bad(line))
        answers.found(file.path, std::string(line.substr(0, 200)), on_host(tree, file.path),
                      without_line(file, line));
  }
}

bool holds(std::string_view line, std::string_view word) { return line.find(word) != std::string_view::npos; }

// The words of a line, whatever blanks are between them.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

void sudo_free(const Facts& facts, Answers& answers) {
  lines(facts, answers, Known::Sudoers, [](std::string_view line) {
    return (holds(line, "NOPASSWD") && !line.starts_with("Defaults")) || holds(line, "!authenticate");
  });
}

void doas_free(const Facts& facts, Answers& answers) {
  lines(facts, answers, Known::Doas, [](std::string_view line) {
    return line.starts_with("permit") && holds(line, "nopass") && !line.ends_with(" root");
  });
}

void pam_open(const Facts& facts, Answers& answers) {
  lines(facts, answers, Known::Pam, [](std::string_view line) {
    const auto words = words_of(line);
    // "required pam_permit.so" behind a row that denied is how Debian ends its stack.
    return words.size() >= 3 && (words[0] == "auth" || words[0] == "-auth") &&
           (words[1] == "sufficient" || words[1] == "[default=done]" || words[1] == "[success=done]") &&
           holds(words[2], "pam_permit.so");
  });
}

void trusted_hosts(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files)
    if ((file.known == Known::HostsEquiv || file.known == Known::Rhosts) && !lines_of(file).empty())
      answers.found(file.path, counted(lines_of(file).size(), "row", "rows"), on_host(tree, file.path));
}

void login_keys(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files)
    if (file.known == Known::AuthorizedKeys && !lines_of(file).empty())
      answers.found(file.path, counted(lines_of(file).size(), "key", "keys"), on_host(tree, file.path));
}

}  // namespace

const Rule kTreeSudoFree = {
    .id = "tree-sudo-free",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Privileges,
    .title = "sudo without a password",
    .why =
        "Whoever takes over a process of that user has root with one command. What was meant for "
        "a person serves every program that runs as that person.",
    .fix = "sed -i {value} {path}",
    .advice = "that deletes the row; or take NOPASSWD out of it: visudo -f",
    .reference = "sudoers(5), NOPASSWD",
    .check = sudo_free,
    .predicts = "set-uid-program become-user"};

const Rule kTreeDoasFree = {
    .id = "tree-doas-free",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Privileges,
    .title = "doas without a password",
    .why =
        "Whoever takes over a process of that user has root with one command. What was meant for "
        "a person serves every program that runs as that person.",
    .fix = "sed -i {value} {path}",
    .advice = "that deletes the row; or take nopass out of it",
    .reference = "doas.conf(5)",
    .check = doas_free,
    .predicts = "set-uid-program become-user"};

const Rule kTreePamOpen = {
    .id = "tree-pam-open",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Privilege,
    .point = Point::Privileges,
    .title = "PAM row that lets everybody in",
    .why =
        "A sufficient pam_permit among the rows for auth ends the question before a password is "
        "asked for. Every service that uses the file takes any user for who it claims to be.",
    .fix = "sed -i {value} {path}",
    .reference = "pam.d(5); pam_permit(8)",
    .check = pam_open,
    .predicts = "become-user"};

const Rule kTreeTrustedHosts = {
    .id = "tree-trusted-hosts",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::Privileges,
    .title = "hosts that are trusted without a password",
    .why =
        "hosts.equiv and .rhosts let in who comes from an address or a name, and both can be "
        "forged. Nothing that is still in use needs them.",
    .fix = "rm {path}",
    .reference = "hosts.equiv(5)",
    .check = trusted_hosts,
    .predicts = ""};

const Rule kTreeLoginKeys = {
    .id = "tree-login-keys",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Privilege,
    .point = Point::Minimality,
    .title = "keys that may log in",
    .why =
        "Each of them is somebody who may come in from outside while a server runs in the jail. "
        "It is worth knowing whose they are.",
    .fix = "",
    .advice = "look through them, and remove what nobody uses",
    .reference = "sshd(8), AUTHORIZED_KEYS FILE FORMAT",
    .check = login_keys,
    .predicts = ""};

}  // namespace immure::audit

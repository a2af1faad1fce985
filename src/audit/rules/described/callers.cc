#include <algorithm>

#include "audit/rules/described/rules.h"

namespace immure::audit {
namespace {

void check_descriptors(const Facts& facts, Answers& answers) {
  check_value(facts.described->callers_descriptors, true, "descriptors",
              "what the caller left open stays open", answers);
}

void check_keyring(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  const bool shared = jail.callers_keyring.is(true);
  if (shared && jail.filter.is(true)) {
    if (jail.open_calls.word == Word::Unclear) return answers.unknown(jail.open_calls.origin);
    // Without these two no key is read and none is looked for.
    const std::vector<std::string>& open = jail.open_calls.value;
    if (jail.open_calls.known() && std::find(open.begin(), open.end(), "keyctl") == open.end() &&
        std::find(open.begin(), open.end(), "request_key") == open.end())
      return answers.checked();
  }
  check_value(jail.callers_keyring, true, "session keyring", "is the caller's", answers);
}

// Where the whole environment comes along that is the finding, and this would be it once more.
void check_first(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  const bool proc = std::any_of(jail.mounts.begin(), jail.mounts.end(), [](const DescribedMount& one) {
    return one.kind == DescribedMount::Kind::Proc;
  });
  if (jail.first_environment.is(true) && (jail.whole_environment.is(true) || !proc)) return answers.checked();
  check_value(jail.first_environment, true, "/proc/1/environ", "is the environment of the caller", answers);
}

void check_powers(const Facts& facts, Answers& answers) {
  check_value(facts.described->callers_powers, true, "capabilities", "root that calls it keeps its own",
              answers);
}

}  // namespace

const Rule kDescribedDescriptors = {
    "described-descriptors",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Leaks,
    "descriptors of its caller stay open inside",
    "A folder that the caller left open is a way around every mount, and a socket or a file is used with the rights it "
    "was opened with. What is open there tomorrow is not seen in this configuration.",
    "",
    "close all but 0, 1 and 2 before it is called: exec 3>&- in a shell, close_range(2) in a program",
    "open(2); close_range(2); CVE-2024-21626",
    check_descriptors,
    Mend::None,
    "leaked-folder leaked-folder-walk leaked-folder-proc leaked-high leaked-file leaked-writable leaked-memory "
    "leaked-top leaked-top-exec leaked-namespace leaked-socket leaked-pidfd leaked-pidfd-copy leaked-pidfd-enter "
    "leaked-epoll leaked-ring any-descriptor reopen-to-write reopen-path link-descriptor link-proc-descriptor "
    "make-in-leaked lease-leaked signal-by-owner proc-fd-walk proc-first-fd"};
const Rule kDescribedKeyring = {
    "described-keyring",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Secrets,
    "the session keyring is its caller's",
    "Keys that the caller holds are found and read inside, and through a link those of its user. A keyring is no file, "
    "and no mount keeps it away.",
    "",
    "keyctl session - bwrap …, KeyringMode=private, or a filter without keyctl, add_key and request_key",
    "session-keyring(7); keyctl(1)",
    check_keyring,
    Mend::None,
    "callers-key-session callers-key-request key-user-session key-by-number key-plant"};
const Rule kDescribedFirst = {
    "described-first-environment",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Secrets,
    "its first process keeps the environment of the caller",
    "The launcher stays as process 1, and /proc/1/environ shows what it was started with, also when the program itself was "
    "given an empty environment. Tokens that were taken away from the program are read there.",
    "",
    "env -i before the launcher, or --as-pid-1 for a program that can be process 1",
    "proc_pid_environ(5); bwrap(1)",
    check_first,
    Mend::None,
    "secret-variable-first proc-first-environ proc-any-environ"};
const Rule kDescribedPowers = {
    "described-callers-powers",
    Look::Described,
    Severity::Low,
    Concern::Privilege,
    Point::Privileges,
    "called by root, it keeps the powers of root",
    "bwrap takes capabilities only from callers that are not root, and makes a user namespace only for them. What root "
    "starts in it opens every file of the host by its handle, mounts and enters namespaces.",
    "",
    "--cap-drop ALL and --unshare-user, which change nothing for other callers",
    "bwrap(1); capabilities(7)",
    check_powers,
    Mend::None,
    "handle-top handle-folder leaked-namespace leaked-pidfd-enter cap-sys-admin cap-sys-ptrace "
    "cap-dac-read-search cap-mknod cap-net-admin cap-sys-chroot cap-dac-override cap-bpf"};

}  // namespace immure::audit

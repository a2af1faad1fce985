#include "audit/rules/described/rules.h"

namespace immure::audit {
namespace {

void check_terminal(const Facts& facts, Answers& answers) {
  check_value(facts.described->callers_terminal, true, "terminal", "is the caller's", answers);
}

void check_outlives(const Facts& facts, Answers& answers) {
  check_value(facts.described->ends_with_caller, false, "processes", "stay when the caller has gone",
              answers);
}

void check_environment(const Facts& facts, Answers& answers) {
  check_value(facts.described->whole_environment, true, "environment", "is the caller's", answers);
}

void check_secret(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const DescribedVariable& one : facts.described->variables)
    if (!one.empty && is_secret_name(one.name)) answers.found(one.name, with("has a value", one.origin));
}

void check_program(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const DescribedProgram& one : facts.described->programs)
    if (!one.changeable.empty()) {
      answers.found(one.path, one.changeable + " (" + one.changeable_why + "): " + one.origin,
                    one.changeable);
      if (is_somebodys(one.changeable)) answers.by_hand();
    }
}

void check_loosened(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const auto& [word, origin] : facts.described->loosened) {
    const size_t colon = word.find(": ");
    answers.found(word.substr(0, colon),
                  with(colon == std::string::npos ? word : word.substr(colon + 2), origin));
  }
}

}  // namespace

const Rule kDescribedTerminal = {
    "described-terminal",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Leaks,
    "it has the terminal of its caller",
    "With TIOCSTI or by the menu of a virtual console it types commands, which the shell of the caller runs outside. It "
    "also reads what is typed there.",
    "",
    "bwrap: --new-session, a terminal of its own, or a filter that denies TIOCSTI and TIOCLINUX",
    "ioctl_tty(2); CVE-2017-5226",
    check_terminal,
    Mend::None,
    "tty-type tty-type-high tty-controlling"};
const Rule kDescribedOutlives = {
    "described-outlives",
    Look::Described,
    Severity::Low,
    Concern::Monitoring,
    Point::Limits,
    "it outlives its caller",
    "When the caller is killed the programs inside go on, and nobody looks after them. What watched over them has gone.",
    "",
    "bwrap: --die-with-parent",
    "PR_SET_PDEATHSIG(2const)",
    check_outlives};
const Rule kDescribedEnvironment = {
    "described-environment",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Secrets,
    "the environment of its caller comes along",
    "Tokens, addresses of agents and of buses stand in it, also those that are set next year. A loader variable changes "
    "what programs inside do.",
    "",
    "bwrap: --clearenv, and --setenv for the few that are needed",
    "environ(7)",
    check_environment,
    Mend::None,
    "secret-variable user-variable session-variable loader-variable secret-variable-first proc-first-environ "
    "proc-any-environ"};
const Rule kDescribedSecret = {
    "described-secret",
    Look::Described,
    Severity::Medium,
    Concern::Privilege,
    Point::Secrets,
    "a secret stands in the environment",
    "Every program that is started inside has it, and everybody of the same user id reads it in /proc. It also stands in "
    "the configuration, which more people read.",
    "",
    "unit: LoadCredential=, or a file that only the one program can read; bwrap: --unsetenv, and a file "
    "that only the one program can read; OCI: take it out of process.env, and mount a file that only the "
    "one program can read",
    "systemd.exec(5); proc_pid_environ(5)",
    check_secret,
    Mend::None,
    "secret-variable secret-variable-first proc-environ proc-any-environ"};
const Rule kDescribedProgram = {
    "described-program",
    Look::Described,
    Severity::Critical,
    Concern::Privilege,
    Point::TreeWriting,
    "what is started for it can be changed",
    "The program is started outside of the jail or as root, and others than root may change it or a folder that leads to "
    "it. Whoever does is root at the next start.",
    "chown root:root {path} && chmod go-w {path}",
    "or put the program into a folder that root alone writes, as /usr/local/sbin, and name that one",
    "runtime-spec config.md, hooks; systemd.service(5)",
    check_program,
    Mend::None,
    "write-programs write-units"};
const Rule kDescribedLoosened = {
    "described-loosened",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Namespaces,
    "a profile loosens the jail",
    "Without the word the jail would be tighter. Each loosening gives away what its sentence says, and the report of every "
    "run repeats it.",
    "",
    "take the word out of the profile, unless the program does not run without it",
    "immure-run(1)",
    check_loosened};

}  // namespace immure::audit

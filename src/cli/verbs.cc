#include "cli/verbs.h"

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "cli/audit.h"
#include "cli/build.h"
#include "cli/completion.h"
#include "cli/demo.h"
#include "cli/doctor.h"
#include "cli/exec.h"
#include "cli/explain.h"
#include "cli/inspect.h"
#include "cli/jails.h"
#include "cli/learn.h"
#include "cli/policy.h"
#include "cli/prove.h"
#include "cli/report.h"
#include "cli/respond.h"
#include "cli/root.h"
#include "cli/run_full.h"
#include "cli/version.h"
#include "cli/watch.h"

namespace immure::cli {
namespace {

template <Result<int> (*verb)(std::span<char* const>)>
Result<int> of_arguments(const Invocation& call) {
  return verb(call.args);
}

// In the order of the overview.
constexpr Verb kVerbs[] = {
    {"run", "[OPTION]… [--] CMD [ARGUMENT]…", "run a program in a jail", "", Completes::RunOptions, run},
    {"exec", "NAME [--env K=V] [--cwd PATH] [--] CMD…", "run one more program in a running jail",
     "--env --pass-env --cwd --tty --no-tty --quiet --verbose --help", Completes::Jails, exec},
    {"ps", "[--json]", "the jails that run, and what was left of those that died", "--json",
     Completes::Nothing, ps,
     "  --json   one document, schema immure.ps/1\n  --names  the names only, one a line\n"
     "Each user sees the own jails only.\n"},
    {"kill", "NAME… [--signal SIG]", "end a jail, or signal its program", "--signal", Completes::Jails, kill,
     "  --signal SIG, -s SIG   a name or a number. KILL, the default, ends the jail\n"
     "Others reach its program: HUP INT QUIT TERM USR1 USR2 WINCH CONT TSTP.\n"},
    {"respond",
     "JAIL|--pid N freeze|thaw|snapshot|report|kill",
     "snapshot or end any",
     "freeze thaw snapshot report kill --pid --output --running --contents --trace --events --json --help",
     Completes::Jails,
     of_arguments<respond>,
     {},
     "--output --trace",
     "--pid --events",
     true},
    {"freeze", "NAME…", "stop all of a jail's processes", "", Completes::Jails, freeze,
     "By the jail's control group where that is one of version 2; else by SIGSTOP to\neach process, which a "
     "SIGCONT from inside can undo. immure thaw lets them go on.\n"},
    {"thaw", "NAME…", "let them go on", "", Completes::Jails, thaw, {}, {}, {}, true},
    {"watch",
     "JAIL|--pid N|--all [OPTION]…",
     "see what jails and others do",
     "--pid --all --level --source --only --for --top --trace --metrics --on --json --alerts --sources --list --explain "
     "--baseline --expect --help",
     Completes::Jails,
     watch_verb,
     {},
     "--trace --metrics --baseline --expect",
     "--pid --level --source --only --for --on --explain"},
    {"report",
     "TRACE [--html FILE] [--json] [--rows N]",
     "what a trace of that comes to",
     "--html --json --rows --baseline --expect --help",
     Completes::Nothing,
     of_arguments<report>,
     {},
     "--html --baseline --expect",
     "--rows",
     true},
    {"build",
     "DIR [PROGRAM]… [OPTION]… [--for CMD…]",
     "a root with what programs need, and nothing else",
     "--for --package --file --preset --with --user --from --source --mode --trace --no-dev --dry-run --replace "
     "--discard-changes --write-profile --no-smoke --sync --why --tree --size --diff --unused --used --list --json --help",
     Completes::Nothing,
     build,
     {},
     "--file --from --source --write-profile --diff --used",
     "--for --package --preset --with --user --mode --why"},
    {"root", "status|verify|refresh|remove DIR", "such a root against what it was made of",
     "status verify refresh remove --json --discard-changes --no-smoke --help", Completes::Nothing, root},
    {"prove",
     "[OPTION]… [option of run]…",
     "attack the jail, and show what holds",
     "--against --only --skip --ablate --sarif --junit --html --baseline --list --explain --json --jsonl "
     "--colour --no-colour",
     Completes::RunOptions,
     prove,
     {},
     "--sarif --junit --html --baseline",
     "--against --only --skip --explain"},
    {"demo",
     "[NAME… | --all] [--json]",
     "classic mistakes replayed",
     "--all --json",
     Completes::Demos,
     demo,
     {},
     {},
     {},
     true},
    {"audit",
     "TARGET… [OPTION]…",
     "what is wrong with a jail that exists, whoever made it",
     "--pid --all --host --unit --oci --bwrap --sshd --vsftpd --profile --only --skip --explain --sarif --junit --html "
     "--baseline --suppress --fail-on --list --prove --find-links --json --verbose --colour --no-colour --fix --yes "
     "--while-running --journal --undo --watch --every --changes --install-timer --remove-timer --print --daily "
     "--weekly --on-calendar --help",
     Completes::Targets,
     audit,
     {},
     "--sarif --junit --html --baseline --suppress --journal --undo --changes --oci --sshd --vsftpd",
     "--pid --unit --bwrap --profile --only --skip --explain --fail-on --every --on-calendar"},
    {"learn",
     "[OPTION]… [option of run]… [--] CMD…",
     "what a program needs, and a profile that gives it that alone",
     "minimise --runs --net --source --from --merge --save --emit --output --keep-writes --show --tighten --list "
     "--smoke --calls --most --time --measure --quiet --help",
     Completes::RunOptions,
     learn_verb,
     {},
     "--from --merge --save --output",
     "--runs --source --emit --tighten --most --time"},
    {"explain", "[OPTION]… CMD | IMM-E010 | TERM", "every step and layer of a run, an error code, a term",
     "--syscall", Completes::RunOptions, explain},
    {"policy", "show NAME|FILE [--why] | list | ask CMD…", "what a profile says; a jail that asks",
     "show list ask --resolved --why --json --output --timeout", Completes::Profiles, policy,
     "  show NAME|FILE   with all that it extends, as a profile again\n"
     "    --resolved     also what holds because nobody said anything\n"
     "    --why          the file and line that each value comes from\n"
     "    --json         as JSON\n"
     "  list             the profiles that --profile NAME finds here; --names, --json\n"
     "  ask CMD…         runs CMD, and asks about what its filter denies; ask --help\n",
     "--output", "--timeout"},
    {"inspect", "PID|NAME [--json]", "what holds a process, whoever started it", "--json", Completes::Jails,
     of_arguments<inspect>},
    {"doctor", "[--json] [--ci]", "what this host offers, and what mends it", "--json --ci",
     Completes::Nothing, of_arguments<doctor>},
    {"completion", "bash|zsh|fish", "completion for a shell", "", Completes::Shells, completion,
     "The script goes to standard output: source <(immure completion bash)\n"},
    {"version", "[--json]", "version and build", "--json", Completes::Nothing, version},
    {"help", "[VERB]", "this page, or a verb's", "", Completes::Verbs, help, {}, {}, {}, true},
};

constexpr size_t kHelpAt = 16;

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

const Verb* find_verb(std::string_view name) {
  if (name == "--version" || name == "-V") name = "version";
  if (name == "--help" || name == "-h") name = "help";
  for (const Verb& verb : kVerbs)
    if (verb.name == name) return &verb;
  return nullptr;
}

std::string overview() {
  std::string out =
      "usage: immure VERB [ARGUMENT]…\nBuilds a jail, runs a program in it, and says what holds it.\n\n";
  for (size_t i = 0; i < std::size(kVerbs);) {
    std::string names(kVerbs[i].name), help(kVerbs[i].help);
    for (++i; i < std::size(kVerbs) && kVerbs[i].beside; ++i) {
      names += "  " + std::string(kVerbs[i].name);
      help += ", " + std::string(kVerbs[i].help);
    }
    out += "  " + names + std::string(kHelpAt - 2 - names.size(), ' ') + help + "\n";
  }
  return out +
         "\n"
         "  immure run --ro-bind . -- ./check   no network, no files but /usr and this\n"
         "  immure run --bind . -- make         this folder writable, nothing else\n"
         "A verb's own page: immure help VERB.  All of a run's options: immure run --help\n";
}

namespace {

// These have a longer page of their own.
bool has_own_help(const Verb& verb) {
  constexpr std::string_view kOwn[] = {"run",    "exec",    "prove",   "audit", "demo",  "explain",
                                       "doctor", "inspect", "respond", "watch", "learn", "report"};
  return std::find(std::begin(kOwn), std::end(kOwn), verb.name) != std::end(kOwn);
}

}  // namespace

Result<int> run_verb(const Verb& verb, const Invocation& call) {
  bool asked = !call.args.empty() &&
               (std::string_view(call.args[0]) == "--help" || std::string_view(call.args[0]) == "-h");
  if (!asked || has_own_help(verb)) return verb.run(call);
  IMMURE_TRY(say("usage: immure " + std::string(verb.name) + " " + std::string(verb.arguments) + "\n" +
                 std::string(verb.help) + "\n" + std::string(verb.details)));
  return 0;
}

Result<int> help(const Invocation& call) {
  if (call.args.empty()) {
    IMMURE_TRY(say(overview()));
    return 0;
  }
  std::string_view name = call.args[0];
  const Verb* verb = find_verb(name);
  if (verb == nullptr) return fail(Code::kUsage, "there is no verb " + quoted(name), {}, "immure help");
  static char flag[] = "--help";
  static char* const arguments[] = {flag};
  Invocation its_help = call;
  its_help.args = arguments;
  return run_verb(*verb, its_help);
}

Status say(std::string_view text) { return write_fd(1, text, "standard output"); }

bool Flags::has(std::string_view name) const {
  return std::any_of(said.begin(), said.end(), [&](const Said& one) { return one.name == name; });
}

std::string_view Flags::value(std::string_view name, std::string_view otherwise) const {
  for (size_t i = said.size(); i-- > 0;)
    if (said[i].name == name) return said[i].value;
  return otherwise;
}

Status Flags::parse(std::span<char* const> args) {
  for (size_t i = 0; i < args.size(); i++) {
    std::string_view arg = args[i];
    if (arg == "--") {
      words.insert(words.end(), args.begin() + static_cast<ptrdiff_t>(i) + 1, args.end());
      break;
    }
    if (arg.size() < 2 || arg[0] != '-') {
      words.push_back(arg);
      continue;
    }
    size_t equals = arg.find('=');
    std::string_view name = arg.substr(0, equals);
    auto found = std::find_if(known.begin(), known.end(), [&](const Known& one) { return one.name == name; });
    if (found == known.end()) {
      std::vector<std::string_view> names;
      for (const Known& one : known) names.push_back(one.name);
      std::string_view near = nearest(name, names);
      return fail(
          Code::kUsage, std::string(verb) + " does not know " + quoted(name), {},
          near.empty() ? "immure help " + std::string(verb) : "did you mean " + std::string(near) + "?");
    }
    std::string_view value;
    if (found->takes_value) {
      bool behind = equals == std::string_view::npos;
      if (behind && i + 1 >= args.size())
        return fail(Code::kUsage, std::string(name) + " needs a value", "nothing follows it",
                    "immure help " + std::string(verb));
      value = behind ? std::string_view(args[++i]) : arg.substr(equals + 1);
    } else if (equals != std::string_view::npos) {
      return fail(Code::kUsage, std::string(name) + " takes no value", {},
                  "leave out what is behind the '='");
    }
    said.push_back({found->name, value});
  }
  return {};
}

}  // namespace immure::cli

#include "cli/policy_ask.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <map>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "cli/ask_desk.h"
#include "cli/report_files.h"
#include "cli/run_full.h"
#include "input/policy.h"
#include "spec/validate.h"

namespace immure::cli {
namespace {

constexpr int kLookAgain = 200;  // milliseconds

struct Words {
  std::string output;
  std::optional<int64_t> patience;  // milliseconds
  bool help = false;
  size_t taken = 0;  // of the arguments
};

Status set_patience(Words& words, std::string_view text) {
  const auto nanos = parse_duration(text);
  if (!nanos || *nanos < 1'000'000)
    return fail(Code::kBadValue, "--timeout " + quoted(text) + " is no time", {}, "say 90s, or 5m",
                "--timeout");
  words.patience = static_cast<int64_t>(*nanos / 1'000'000);
  return {};
}

Result<Words> read_words(std::span<char* const> args) {
  Words words;
  bool named = false;
  for (; words.taken < args.size(); ++words.taken) {
    const std::string_view word = args[words.taken];
    if (word == "--help") {
      words.help = true;
    } else if (word.starts_with("--output=")) {
      words.output = word.substr(9);
      named = true;
    } else if (word == "-o" || word == "--output") {
      if (++words.taken == args.size()) return fail(Code::kUsage, std::string(word) + " needs a file");
      words.output = args[words.taken];
      named = true;
    } else if (word.starts_with("--timeout=")) {
      IMMURE_TRY(set_patience(words, word.substr(10)));
    } else if (word == "--timeout") {
      if (++words.taken == args.size()) return fail(Code::kUsage, std::string(word) + " needs a time");
      IMMURE_TRY(set_patience(words, args[words.taken]));
    } else {
      break;
    }
  }
  if (named && words.output.empty()) return fail(Code::kUsage, "-o needs a file");
  return words;
}

tl::unexpected<Error> does_not_go(std::string_view what, std::string_view why) {
  return fail(Code::kUsage, std::string(what) + " does not go with policy ask", std::string(why),
              "leave it out");
}

bool is_terminal(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  return file && isatty(file.get()) != 0;
}

// What would let the program reach the terminal past immure, or takes away what is asked about.
Status check(const JailSpec& spec) {
  if (!spec.seccomp.empty())
    return does_not_go("--seccomp", "only the filter of immure tells what it denies");
  if (spec.need_of(Layer::Seccomp) == Need::Off)
    return does_not_go("--need seccomp=off", "without a filter nothing is denied");
  if (spec.watch.wanted())
    return does_not_go("--watch", "one process can be told of a call, and it would not be asked about");
  if (!spec.record_files.value.empty())
    return does_not_go("--record-files", "one process can be told of a call");
  if (spec.tty == Tty::Never) return does_not_go("--no-tty", "the program could write over the question");
  for (const FdGrant& grant : spec.fds)
    if (grant.path.value.empty() ? isatty(grant.number) != 0 : is_terminal(grant.path.value))
      return does_not_go("a terminal as descriptor " + num_signed(grant.number),
                         "the program could write over the question");
  for (const Grant& grant : spec.grants)
    if (grant.kind == Grant::Kind::DevNode && is_terminal(grant.source.value))
      return does_not_go("the terminal " + quoted(grant.source.value),
                         "the program could write over the question");
  return {};
}

// What is read from a pipe or a socket may be written to this terminal, by somebody whom nobody can hold back.
Status check_outputs(const JailSpec& spec) {
  std::vector<int> outputs = {1, 2};
  for (const FdGrant& grant : spec.fds)
    if (grant.path.value.empty()) outputs.push_back(grant.number);
  for (const int number : outputs) {
    struct stat there {};
    if (fstat(number, &there) == 0 && (S_ISFIFO(there.st_mode) || S_ISSOCK(there.st_mode)))
      return fail(Code::kUsage, "a pipe or socket as descriptor " + num_signed(number) + " does not go with policy ask",
                  "what reads it may write over the question", "let it be the terminal, or a file");
  }
  return {};
}

// Empty: it is not there.
std::string without_links(const std::string& path) {
  char real[PATH_MAX];
  return realpath(path.c_str(), real) != nullptr ? real : std::string();
}

// A jail that writes where its next profile lies chooses its own rights.
Status check_output(const JailSpec& spec, const std::string& output) {
  if (output.empty()) return {};
  const size_t slash = output.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : output.substr(0, slash + 1);
  const std::string place = without_links(folder);
  if (place.empty() || access(place.c_str(), W_OK | X_OK) != 0)
    return fail(Code::kBadValue, "cannot write " + quoted(output), "the folder " + quoted(folder), "name another file", "-o", errno);
  for (const Grant& grant : spec.grants) {
    if (grant.kind != Grant::Kind::Bind) continue;
    const std::string source = without_links(grant.source.value);
    if (source.empty() || !(place + "/").starts_with(source == "/" ? source : source + "/")) continue;
    return fail(Code::kBadValue, quoted(output) + " lies in " + quoted(grant.source.value) + ", which the jail writes to",
                "the program could change the profile that it is run with next", "choose a place outside of it", "-o");
  }
  return {};
}

// What was answered, by the call's name and its kind.
struct Answers {
  std::map<std::string, std::set<std::string>> always;  // name → what was asked about
  std::set<std::string> once, denied;
};

AskAnswer take(Typed typed, const Asked& asked, Answers& answers, const char*& said) {
  switch (typed) {
    case Typed::Once:
      answers.once.insert(asked.call);
      said = "once";
      return AskAnswer::Once;
    case Typed::Always:
      answers.always[asked.name].insert(asked.call);
      said = "always";
      return AskAnswer::Always;
    case Typed::Never:
      answers.denied.insert(asked.call);
      said = "never";
      return AskAnswer::Never;
    case Typed::End: said = "the jail ends"; return AskAnswer::End;
    case Typed::Deny:
    case Typed::Interrupt: break;
  }
  answers.denied.insert(asked.call);
  said = "denied";
  return typed == Typed::Deny ? AskAnswer::Deny : AskAnswer::Interrupt;
}

// Asks until the jail has ended; its exit status.
class Asking {
 public:
  Asking(pid_t jail, UniqueFd ended, UniqueFd link, UniqueFd signals, Desk& desk, Answers& answers)
      : jail_(jail),
        ended_(std::move(ended)),
        link_(std::move(link)),
        signals_(std::move(signals)),
        desk_(desk),
        answers_(answers) {}

  Result<int> run() {
    Status asked = ask();
    // Without its other end the supervisor ends the jail, and gives the terminal back.
    if (!asked) link_.reset();
    desk_.take_back();
    int status = 0;
    while (waitpid(jail_, &status, 0) < 0)
      if (errno != EINTR) return fail(Code::kSystem, "the jail cannot be waited for", {}, {}, {}, errno);
    if (!asked) return tl::unexpected<Error>(std::move(asked.error()));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  Status ask() {
    for (;;) {
      pollfd all[4] = {{ended_.get(), POLLIN, 0},
                       {link_.get(), POLLIN, 0},
                       {signals_.get(), POLLIN, 0},
                       {desk_.descriptor(), POLLIN, 0}};
      if (poll(all, 4, desk_.waits() ? kLookAgain : -1) < 0 && errno != EINTR)
        return fail(Code::kSystem, "the jail cannot be waited for", {}, {}, {}, errno);
      if (all[2].revents != 0) pass_on_signals();
      if (all[1].revents != 0) hear();
      if (desk_.waits() && desk_.gone()) answer(Typed::End);
      if (desk_.too_late()) answer(Typed::Deny, "denied: nobody has answered in time");
      if (all[3].revents != 0 && desk_.waits())
        if (const auto typed = desk_.listen()) answer(*typed);
      IMMURE_TRY(desk_.show());
      if (all[0].revents != 0) return {};
    }
  }
  // Of those that the terminal sends the whole group has heard. A program that waits for an answer hears of
  // none.
  void pass_on_signals() {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == sizeof info) {
      const auto number = static_cast<int>(info.ssi_signo);
      if (number == SIGCONT) {   // the shell had the terminal meanwhile; the jail hears of it itself
        desk_.put_again();
        continue;
      }
      const bool ends = number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
      if (ends && desk_.waits()) answer(Typed::Deny);
      if (info.ssi_code <= 0) kill(jail_, number);
    }
  }
  void hear() {
    AskMessage message;
    const AskHeard heard = hear_ask(link_.get(), message);
    if (heard == AskHeard::Gone) link_.reset();
    if (heard != AskHeard::Message) return;
    if (message.kind == AskKind::Question) desk_.put(message);
    if (message.kind == AskKind::TakenBack) desk_.take_back();
  }
  // `why`: what is said instead of the answer.
  void answer(Typed typed, const char* why = nullptr) {
    const char* said = "";
    AskMessage message = desk_.question();
    message.kind = AskKind::Answer;
    message.answer = take(typed, desk_.asked(), answers_, said);
    desk_.close(why != nullptr ? why : said);
    if (link_) (void)send_ask(link_.get(), message);  // who has gone asks no more
  }

  pid_t jail_;
  UniqueFd ended_, link_, signals_;
  Desk& desk_;
  Answers& answers_;
};

std::string listed(const std::set<std::string>& calls) {
  std::string text;
  for (const std::string& call : calls) text += (text.empty() ? "" : ", ") + call;
  return text;
}

// A rule names a call and nothing of its arguments.
bool is_wider(const std::string& name, const std::set<std::string>& kinds) {
  return kinds.size() != 1 || *kinds.begin() != name;
}

void tell(const Desk& desk, const Answers& answers, const std::string& output) {
  std::string text = "immure: asked " + counted(desk.questions(), "question", "questions") + "\n";
  auto row = [&](const char* label, const std::string& said) {
    if (!said.empty()) text += "  " + std::string(label) + said + "\n";
  };
  std::string names;
  for (const auto& [name, kinds] : answers.always) {
    row("always: ", listed(kinds));
    names += (names.empty() ? "" : ",") + name;
  }
  row("once: ", listed(answers.once));
  row("denied: ", listed(answers.denied));
  if (!names.empty() && output.empty()) row("without questions: ", "immure run --allow-syscall " + names);
  if (!output.empty() && !names.empty()) row("profile: ", quoted(output));
  for (const auto& [name, kinds] : answers.always)
    if (is_wider(name, kinds))
      row("note: ", "a profile can only say " + name + " as a whole, which is more than was asked about" +
                        (output.empty() ? "" : ": it has that as a comment"));
  (void)write_fd(2, text, "stderr");
}

Status write_profile(const NamedPlace& place, JailSpec spec, const Answers& answers) {
  std::string head = "# Made by immure policy ask. What was let through for good:\n";
  // Beside the rules that allow, before or after all that deny: what a rule denies was not asked about.
  const bool first = !spec.syscalls.empty() && spec.syscalls.front().allow;
  for (const auto& [name, kinds] : answers.always) {
    const bool wider = is_wider(name, kinds);
    head += "#   " + listed(kinds);
    if (wider) head += " (not below: a rule opens all of " + name + ", also what was denied or not asked about)";
    head += "\n";
    if (!wider) spec.syscalls.insert(first ? spec.syscalls.begin() : spec.syscalls.end(), {name, true, {}});
  }
  spec.asks = false;
  return place.write(head + policy_toml(spec, nullptr, false));
}

Result<UniqueFd> own_terminal() {
  UniqueFd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (terminal) return terminal;
  return fail(Code::kLayer, "there is nobody to ask", "this process has no terminal",
              "start it in one; immure run runs the program without questions", {}, errno);
}

Result<UniqueFd> taken_signals(sigset_t& before) {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCONT, SIGUSR1, SIGUSR2}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, &before);
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(Code::kSystem, "signals cannot be heard", {}, {}, {}, errno);
  return fd;
}

}  // namespace

std::string policy_ask_help() {
  return "usage: immure policy ask [-o FILE] [--timeout TIME] [OPTION of run]\xe2\x80\xa6 [--] CMD\xe2\x80\xa6\n\n"
         "Runs CMD in the jail of these options, and asks on the terminal about system calls\n"
         "that its filter denies: the call waits until it is answered.\n\n"
         "  -o FILE, --output FILE   the options, and what was answered with always, as a\n"
         "                           profile for immure run --profile FILE\n"
         "  --timeout TIME           a question that nobody answers for so long is denied\n\n"
         "Answers are a letter and the two digits of the question: once, always (this kind of\n"
         "call, until the jail ends), deny, never, end the jail. Nothing is asked about calls\n"
         "that only the filter keeps from harming the jail or the host, and about those that a\n"
         "rule denies by name; they are denied. immure-policy(1) lists the others.\n";
}

Result<int> policy_ask(const Invocation& call) {
  auto words = read_words(call.args);
  if (!words) return tl::unexpected<Error>(std::move(words.error()));
  if (words->help) {
    IMMURE_TRY(say(policy_ask_help()));
    return 0;
  }
  auto parsed =
      parse_arguments(call.args.subspan(words->taken), call.first_index + static_cast<int>(words->taken));
  if (!parsed) return tl::unexpected<Error>(std::move(parsed.error()));
  if (parsed->help || parsed->dry_run || parsed->build)
    return fail(Code::kUsage, "policy ask runs the program itself", {},
                "immure policy ask --help; immure explain");
  auto wanted = read_wanted(std::move(*parsed));
  if (!wanted) return tl::unexpected<Error>(std::move(wanted.error()));
  IMMURE_TRY(validate(wanted->jail.spec));
  IMMURE_TRY(check(wanted->jail.spec));
  struct stat there {};
  if (!words->output.empty() && lstat(words->output.c_str(), &there) == 0)
    return fail(Code::kUsage, quoted(words->output) + " is there already", {},
                "choose another name, or remove that file", "-o");
  auto place = NamedPlace::of(words->output);
  if (!place) return tl::unexpected<Error>(std::move(place.error()));
  IMMURE_TRY(check_output(wanted->jail.spec, words->output));
  auto terminal = own_terminal();
  if (!terminal) return tl::unexpected<Error>(std::move(terminal.error()));
  IMMURE_TRY(check_outputs(wanted->jail.spec));
  auto handed = handed_over(*wanted);
  if (!handed) return tl::unexpected<Error>(std::move(handed.error()));
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail(Code::kSystem, "nobody can be asked", "no socket pair can be made",
                "raise the limit of open files", {}, errno);
  UniqueFd link(pair[0]), theirs(pair[1]);
  UniqueFd passed(fcntl(theirs.get(), F_DUPFD, handed->least));
  if (!passed)
    return fail(Code::kSystem, "no descriptor is left", {}, "raise the limit of open files", {}, errno);
  theirs.reset();
  handed->words.push_back("--ask-fd=" + num_signed(passed.get()));

  IMMURE_TRY(enter_scope(wanted->jail.spec));
  signal(SIGCHLD, SIG_DFL);  // or nobody could wait for the jail
  sigset_t before;
  auto signals = taken_signals(before);
  if (!signals) return tl::unexpected<Error>(std::move(signals.error()));
  const pid_t jail = fork();
  if (jail < 0) return fail(Code::kSystem, "no process can be made", {}, {}, {}, errno);
  if (jail == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    const Error failed = become(*handed, wanted->parsed.command, call.environment);
    (void)write_fd(2, format(failed), "stderr");
    _exit(exit_status(failed.code));
  }
  passed.reset();
  handed->fds.clear();
  UniqueFd ended(static_cast<int>(syscall(SYS_pidfd_open, jail, 0)));
  if (!ended) {
    kill(jail, SIGKILL);
    return fail(Code::kSystem, "the jail cannot be waited for", {}, {}, {}, errno);
  }
  signal(SIGTTOU, SIG_IGN);
  signal(SIGTTIN, SIG_IGN);
  Desk desk(std::move(*terminal), words->patience);
  Answers answers;
  auto status = Asking(jail, std::move(ended), std::move(link), std::move(*signals), desk, answers).run();
  if (!status) return status;
  if (desk.questions() != 0) tell(desk, answers, words->output);
  if (!answers.always.empty() && !words->output.empty())
    IMMURE_TRY(write_profile(*place, wanted->jail.spec, answers));
  return status;
}

}  // namespace immure::cli

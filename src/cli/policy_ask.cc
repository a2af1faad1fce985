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
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "cli/ask_page.h"
#include "cli/report_files.h"
#include "cli/run_full.h"
#include "input/policy.h"
#include "spec/validate.h"

namespace immure::cli {
namespace {

constexpr int kLookAgain = 200;  // milliseconds

struct Words {
  std::string output;
  bool help = false;
  size_t taken = 0;  // of the arguments
};

Result<Words> read_words(std::span<char* const> args) {
  Words words;
  for (; words.taken < args.size(); ++words.taken) {
    const std::string_view word = args[words.taken];
    if (word == "--help") {
      words.help = true;
    } else if (word.starts_with("--output=")) {
      words.output = word.substr(9);
    } else if (word == "-o" || word == "--output") {
      if (++words.taken == args.size()) return fail(Code::kUsage, std::string(word) + " needs a file");
      words.output = args[words.taken];
    } else {
      break;
    }
  }
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
  return {};
}

// The terminal, and what was said on it.
class Desk {
 public:
  explicit Desk(UniqueFd terminal) : terminal_(std::move(terminal)) {}

  // -1: nothing is to be read, or it would be keys for others.
  int descriptor() const { return open_ && is_ours() ? terminal_.get() : -1; }
  bool waits() const { return waits_; }

  // The question comes when the terminal is ours: of a job in the background nobody sees it.
  Status put(const AskMessage& question) {
    question_ = question;
    waits_ = true;
    open_ = false;
    return show();
  }
  Status show() {
    if (!waits_ || open_ || !is_ours()) return {};
    auto code = fresh_code();
    if (!code) return tl::unexpected<Error>(std::move(code.error()));
    code_ = std::move(*code);
    asked_ = in_words(question_);
    keys_.clear();
    open_ = true;
    const std::string text = question_text(asked_, question_, ++number_, code_);
    IMMURE_TRY(write_fd(terminal_.get(), text, "the terminal"));
    tcflush(terminal_.get(), TCIFLUSH);  // what was typed before was for the program
    deaf_until_ = now_ms() + kReports;
    return {};
  }
  void take_back() {
    if (open_) say("(taken back: it does not wait any more)");
    waits_ = open_ = false;
  }
  // What was typed so far. Nothing: no answer yet.
  std::optional<Typed> listen() {
    char bytes[64];
    const ssize_t n = read(terminal_.get(), bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR || (errno == EIO && !is_ours()))) return {};
    if (n <= 0) return Typed::End;  // the terminal has gone
    const std::string_view came(bytes, static_cast<size_t>(n));
    if (is_report(came)) deaf_until_ = now_ms() + kReports;
    if (now_ms() < deaf_until_) {
      keys_.clear();
      return {};
    }
    keys_.append(came);
    if (keys_.size() > 256) keys_.erase(0, keys_.size() - 256);
    return answer_of(keys_, code_);
  }
  void close(std::string_view said) {
    say(said);
    waits_ = open_ = false;
  }
  const AskMessage& question() const { return question_; }
  const Asked& asked() const { return asked_; }
  unsigned questions() const { return number_; }

 private:
  // A terminal answers by keys: what it was asked by the program's output comes when the question stands
  // already, and some of it are the program's own words (a title). It begins with an escape, which no answer
  // has; and nobody has read a question that soon.
  static constexpr int64_t kReports = 300;  // milliseconds
  static bool is_report(std::string_view keys) {
    return std::any_of(keys.begin(), keys.end(), [](char key) {
      const auto byte = static_cast<unsigned char>(key);
      return byte == 0x1b || (byte >= 0x80 && byte < 0xa0);
    });
  }
  static int64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  }
  bool is_ours() const { return tcgetpgrp(terminal_.get()) == getpgrp(); }
  void say(std::string_view text) {
    (void)write_fd(terminal_.get(), std::string(text) + "\r\n", "the terminal");
  }

  UniqueFd terminal_;
  AskMessage question_;
  Asked asked_;
  std::string code_, keys_;
  unsigned number_ = 0;
  int64_t deaf_until_ = 0;
  bool waits_ = false, open_ = false;
};

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
  return AskAnswer::Deny;
}

// Asks until the jail has ended; its wait status.
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
    for (;;) {
      pollfd all[4] = {{ended_.get(), POLLIN, 0},
                       {link_.get(), POLLIN, 0},
                       {signals_.get(), POLLIN, 0},
                       {desk_.descriptor(), POLLIN, 0}};
      const bool hidden = desk_.waits() && desk_.descriptor() < 0;
      if (poll(all, 4, hidden ? kLookAgain : -1) < 0 && errno != EINTR)
        return fail(Code::kSystem, "the jail cannot be waited for", {}, {}, {}, errno);
      if (all[2].revents != 0) pass_on_signals();
      if (all[1].revents != 0) IMMURE_TRY(hear());
      IMMURE_TRY(desk_.show());
      if (all[3].revents != 0 && desk_.waits()) listen();
      if (all[0].revents != 0) {
        desk_.take_back();
        return end();
      }
    }
  }

 private:
  // Of those that the terminal sends, its whole group has heard.
  void pass_on_signals() {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == sizeof info)
      if (info.ssi_code <= 0) kill(jail_, static_cast<int>(info.ssi_signo));
  }
  Status hear() {
    AskMessage message;
    const AskHeard heard = hear_ask(link_.get(), message);
    if (heard == AskHeard::Gone) link_.reset();
    if (heard != AskHeard::Message) return {};
    if (message.kind == AskKind::Question) return desk_.put(message);
    if (message.kind == AskKind::TakenBack) desk_.take_back();
    return {};
  }
  void listen() {
    const auto typed = desk_.listen();
    if (!typed) return;
    const char* said = "";
    AskMessage answer = desk_.question();
    answer.kind = AskKind::Answer;
    answer.answer = take(*typed, desk_.asked(), answers_, said);
    desk_.close(said);
    (void)send_ask(link_.get(), answer);  // who has gone asks no more
    if (*typed == Typed::Interrupt) kill(jail_, SIGINT);
  }
  Result<int> end() {
    int status = 0;
    while (waitpid(jail_, &status, 0) < 0)
      if (errno != EINTR) return fail(Code::kSystem, "the jail cannot be waited for", {}, {}, {}, errno);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
      row("note: ", "a profile can only say " + name + " as a whole, which is more than was asked about");
  (void)write_fd(2, text, "stderr");
}

Status write_profile(const NamedPlace& place, JailSpec spec, const Answers& answers) {
  std::string head = "# Made by immure policy ask. What was let through for good:\n";
  for (const auto& [name, kinds] : answers.always) {
    spec.syscalls.push_back({name, true, {}});
    head += "#   " + listed(kinds) + (is_wider(name, kinds) ? " (the rule opens all of " + name + ")" : "") +
            "\n";
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
  for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, &before);
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(Code::kSystem, "signals cannot be heard", {}, {}, {}, errno);
  return fd;
}

}  // namespace

std::string policy_ask_help() {
  return "usage: immure policy ask [-o FILE] [OPTION of run]\xe2\x80\xa6 [--] CMD\xe2\x80\xa6\n\n"
         "Runs CMD in the jail of these options, and asks on the terminal about system calls\n"
         "that its filter denies: the call waits until it is answered.\n\n"
         "  -o FILE, --output FILE   the options, and what was answered with always, as a\n"
         "                           profile for immure run --profile FILE\n\n"
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
  auto terminal = own_terminal();
  if (!terminal) return tl::unexpected<Error>(std::move(terminal.error()));
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
  Desk desk(std::move(*terminal));
  Answers answers;
  auto status = Asking(jail, std::move(ended), std::move(link), std::move(*signals), desk, answers).run();
  if (!status) return status;
  if (desk.questions() != 0) tell(desk, answers, words->output);
  if (!answers.always.empty() && !words->output.empty())
    IMMURE_TRY(write_profile(*place, wanted->jail.spec, answers));
  return status;
}

}  // namespace immure::cli

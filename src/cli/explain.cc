#include "cli/explain.h"

#include <unistd.h>

#include "base/text.h"
#include "cli/plan_here.h"
#include "run/report.h"
#include "spec/validate.h"

namespace immure::cli {
namespace {

constexpr std::string_view kHelp =
    "usage: immure explain [OPTION]… [--] CMD [ARGUMENT]…\n"
    "       immure explain --syscall NAME[,argN=VALUE]… [OPTION]…\n"
    "       immure explain IMM-E010 | TERM | LAYER | --OPTION | limits.KEY\n"
    "Shows what immure run would do with these options, step by step, and runs\n"
    "nothing; or explains a word. --json gives one document.\n"
    "  --syscall socket,arg0=AF_VSOCK   what the filter does with a call; may be\n"
    "                repeated. arg0 to arg5; a leading i386: is the 32-bit entry.\n"
    "Terms: ";

std::string help_page() {
  std::string out(kHelp);
  size_t column = 7;
  for (std::string_view term : glossary_terms()) {
    if (column + term.size() + 2 > 80) {
      while (out.back() == ' ') out.pop_back();
      out += "\n       ";
      column = 7;
    }
    out += std::string(term) + "  ";
    column += term.size() + 2;
  }
  while (out.back() == ' ') out.pop_back();
  return out + "\n";
}

// What stands before the command is run's, but for --syscall: the words that are left, and the questions.
struct Taken {
  std::vector<char*> rest;
  std::vector<SyscallQuestion> calls;
};
Result<Taken> take_questions(std::span<char* const> args) {
  Taken taken;
  bool options_over = false;
  for (size_t i = 0; i < args.size(); i++) {
    std::string_view arg = args[i];
    std::string_view question;
    if (!options_over && arg == "--syscall") {
      if (i + 1 >= args.size())
        return fail(Code::kUsage, "--syscall needs the name of a call", "nothing follows it", "immure explain --help");
      question = args[++i];
    } else if (!options_over && arg.starts_with("--syscall=")) {
      question = arg.substr(10);
    } else {
      taken.rest.push_back(args[i]);
      bool dashes = arg.size() >= 2 && arg[0] == '-';
      options_over = options_over || arg == "--" || !dashes;
      const Option* option = dashes && arg.starts_with("--") ? find_option(arg.substr(2)) : nullptr;
      bool value_follows = !options_over && option != nullptr && option->takes == Takes::Value && i + 1 < args.size();
      if (value_follows) taken.rest.push_back(args[++i]);
      continue;
    }
    auto parsed = parse_syscall(question);
    if (!parsed) return tl::unexpected<Error>(std::move(parsed.error()));
    taken.calls.push_back(std::move(*parsed));
  }
  return taken;
}

Status tell_calls(const Plan& plan, const std::vector<SyscallQuestion>& calls, bool as_json) {
  std::span<const sock_filter> program;
  if (!plan.filters.empty()) program = plan.wall();
  JsonWriter json;
  json.begin_object().text("schema", "immure.explain/1").begin_array("syscalls");
  std::string text;
  for (const SyscallQuestion& question : calls) {
    SyscallAnswer said = answer(program, question);
    answer_json(json, question, said);
    text += answer_text(question, said);
  }
  json.end_array().end_object();
  return say(as_json ? json.str() + "\n" : text);
}

// A word that is neither is rather a term that was not met than a program whose jail somebody wants to see.
Status is_term_or_program(std::string_view word) {
  constexpr std::string_view kFolders[] = {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/",
                                           "/usr/bin/",        "/sbin/",          "/bin/"};
  bool plain = !word.empty() && word[0] != '-' && word.find('/') == std::string_view::npos;
  for (std::string_view folder : kFolders)
    if (plain && access((std::string(folder) + std::string(word)).c_str(), F_OK) == 0) return {};
  if (!plain) return {};
  std::vector<std::string_view> words = glossary_terms();
  for (int i = 0; i < kLayerCount; i++) words.emplace_back(key(static_cast<Layer>(i)));
  for (int i = 0; i < kWeakenCount; i++) words.emplace_back(key(static_cast<Weaken>(i)));
  std::string_view near = nearest(word, words);
  return fail(
      Code::kUsage, quoted(word) + " is no term, and no program of the jail", {},
      near.empty() ? "immure explain --help lists the terms" : "did you mean " + std::string(near) + "?");
}

}  // namespace

Result<int> explain_run(Parsed parsed, const std::vector<SyscallQuestion>& calls, char** environment) {
  auto wanted = read_wanted(std::move(parsed));
  if (!wanted) return tl::unexpected<Error>(std::move(wanted.error()));
  IMMURE_TRY(read_filter(wanted->jail));
  Explained what;
  what.spec = std::move(wanted->jail.spec);
  // A question about the jail itself needs no program; a shell stands for one.
  if (what.spec.argv.empty()) what.spec.argv = {"sh"};
  IMMURE_TRY(validate(what.spec));
  auto plan = plan_here(what.spec, environment);
  if (!plan) return tl::unexpected<Error>(std::move(plan.error()));
  what.plan = std::move(*plan);
  bool as_json = wanted->jail.run.json;
  if (!calls.empty())
    IMMURE_TRY(tell_calls(what.plan, calls, as_json));
  else
    IMMURE_TRY(say(as_json ? explain_json(what) : explain_text(what, run::use_colour(1))));
  return 0;
}

Result<int> explain(const Invocation& call) {
  if (call.args.size() == 1) {
    std::string said = explain_term(call.args[0]);
    if (said.empty()) said = explain_option(call.args[0]);
    if (!said.empty()) {
      IMMURE_TRY(say(said));
      return 0;
    }
    IMMURE_TRY(is_term_or_program(call.args[0]));
  }
  auto taken = take_questions(call.args);
  if (!taken) return tl::unexpected<Error>(std::move(taken.error()));
  auto parsed = parse_arguments(taken->rest, call.first_index);
  if (!parsed) return tl::unexpected<Error>(std::move(parsed.error()));
  if (parsed->help) {
    IMMURE_TRY(say(help_page()));
    return 0;
  }
  return explain_run(std::move(*parsed), taken->calls, call.environment);
}

}  // namespace immure::cli

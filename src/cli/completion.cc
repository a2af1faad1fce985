#include "cli/completion.h"

#include <algorithm>
#include <vector>

#include "audit/rule.h"
#include "base/text.h"
#include "cli/explain.h"
#include "demo/demo.h"
#include "filter/filter.h"
#include "input/options.h"
#include "kernel/capabilities.h"
#include "probes/probe.h"
#include "prove/foreign.h"
#include "spec/jail_spec.h"
#include "watch/source.h"

namespace immure::cli {
namespace {

// What can stand behind an option.
struct Values {
  // List: words with commas between.
  enum class Kind : uint8_t { Free, Words, List, Files, Profiles } kind = Kind::Free;
  std::vector<std::string> words;
};

Values capabilities() {
  Values values{Values::Kind::Words, {}};
  for (std::string_view name : capability_names()) values.words.emplace_back(name);
  return values;
}

Values layers() {
  Values values{Values::Kind::Words, {}};
  for (int i = 0; i < kLayerCount; i++)
    for (Need need : {Need::Require, Need::Prefer, Need::Off})
      values.words.push_back(std::string(key(static_cast<Layer>(i))) + "=" + key(need));
  return values;
}

Values weakenings() {
  Values values{Values::Kind::Words, {}};
  for (int i = 0; i < kWeakenCount; i++) values.words.emplace_back(key(static_cast<Weaken>(i)));
  return values;
}

Values call_sets() {
  Values values{Values::Kind::Words, {}};
  for (std::string_view set : filter::named_sets()) values.words.emplace_back(set);
  return values;
}

bool has_word(std::string_view words, std::string_view word) {
  for (std::string_view one : split(words, ' '))
    if (one == word) return true;
  return false;
}

// "none|host" is a list of words, "SRC[:DST]" is a shape.
bool is_list(std::string_view shape) {
  for (char c : shape)
    if (!((c >= 'a' && c <= 'z') || c == '|')) return false;
  return shape.find('|') != std::string_view::npos;
}

Values values_of(const Option& option) {
  if (option.name == "profile") return {Values::Kind::Profiles, {}};
  if (option.name == "cap-add") return capabilities();
  if (option.name == "need") return layers();
  if (option.name == "weaken") return weakenings();
  if (option.name == "allow-syscall" || option.name == "deny-syscall") return call_sets();
  if (is_list(option.value)) {
    Values values{Values::Kind::Words, {}};
    for (std::string_view word : split(option.value, '|')) values.words.emplace_back(word);
    return values;
  }
  switch (option.holds) {
    case Holds::HostPath: case Holds::HostPathFirst: case Holds::HostPathOrWord: return {Values::Kind::Files, {}};
    case Holds::Text: case Holds::Number: case Holds::NumberHostPath: return {};
  }
  return {};
}

Values attacks(Values::Kind kind) {
  Values values{kind, {}};
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<probes::Category>(c);
    if (kind == Values::Kind::List) values.words.emplace_back(probes::key(category));
    for (auto rows : probes::groups(category))
      for (const probes::Probe& probe : rows) values.words.emplace_back(probe.id);
  }
  return values;
}

Values rules(Values::Kind kind) {
  Values values{kind, {}};
  for (const audit::Rule* rule : audit::all_rules()) values.words.emplace_back(rule->id);
  return values;
}

Values severities() {
  Values values{Values::Kind::Words, {"never"}};
  for (int i = 0; i < audit::kSeverityCount; ++i)
    values.words.emplace_back(audit::key(static_cast<audit::Severity>(i)));
  return values;
}

Values of_watch(std::string_view flag) {
  Values values{flag == "--only" ? Values::Kind::List : Values::Kind::Words, {}};
  if (flag == "--only")
    for (int i = 0; i < watch::kKindCount; i++) values.words.emplace_back(key(static_cast<watch::Kind>(i)));
  if (flag == "--level")
    for (int i = 0; i < watch::kLevelCount; i++) values.words.emplace_back(key(static_cast<watch::Level>(i)));
  if (flag == "--source")
    for (const watch::SourceKind& kind : watch::source_kinds())
      if (kind.attach != nullptr) values.words.emplace_back(kind.name);
  return values.words.empty() ? Values() : values;
}

// Of a flag that is a verb's own.
Values values_of_flag(const Verb& verb, std::string_view flag) {
  if (has_word(verb.file_flags, flag)) return {Values::Kind::Files, {}};
  const Values::Kind kind = flag == "--explain" ? Values::Kind::Words : Values::Kind::List;
  const bool names_rows = flag == "--only" || flag == "--skip" || flag == "--explain";
  if (verb.name == "audit") return names_rows ? rules(kind) : flag == "--fail-on" ? severities() : Values();
  if (verb.name == "watch") return of_watch(flag);
  if (verb.name != "prove") return {};
  if (names_rows) return attacks(kind);
  Values values;
  if (flag != "--against") return values;
  values.kind = Values::Kind::Words;
  for (std::string_view name : prove::known_sandboxes()) values.words.emplace_back(name);
  return values;
}

std::string verb_names() {
  std::string out;
  for (const Verb& verb : verbs()) out += (out.empty() ? "" : " ") + std::string(verb.name);
  return out;
}

std::string demo_names() {
  std::string out;
  for (const demo::Demo* one : demo::demos()) out += (out.empty() ? "" : " ") + std::string(one->name);
  return out;
}

std::string terms() {
  std::string out;
  for (std::string_view term : glossary_terms()) {
    if (term.find(' ') != std::string_view::npos) continue;
    out += (out.empty() ? "" : " ") + std::string(term);
  }
  return out;
}

// In single quotes of a shell.
std::string shell(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string bash_words(const Values& values) {
  switch (values.kind) {
    case Values::Kind::Free: return "COMPREPLY=()";
    case Values::Kind::Words: return "_immure_words '" + shell(join(values.words, " ")) + "'";
    case Values::Kind::List: return "_immure_list '" + shell(join(values.words, " ")) + "'";
    case Values::Kind::Files: return "_immure_files";
    case Values::Kind::Profiles: return "_immure_words \"$(immure policy list --names 2>/dev/null)\"; _immure_more_files";
  }
  return "";
}

// Flags of a verb with a value of its own, "--only|--skip", and how that is completed: each list stands there once.
std::vector<std::pair<std::string, std::string>> grouped(const Verb& verb) {
  std::vector<std::pair<std::string, std::string>> groups;
  for (std::string_view flag : split(verb.value_flags, ' ')) {
    const Values values = values_of_flag(verb, flag);
    if (flag.empty() || values.kind == Values::Kind::Free) continue;
    const std::string action = bash_words(values);
    auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& one) { return one.second == action; });
    if (same == groups.end())
      groups.emplace_back(flag, action);
    else
      same->first.append("|").append(flag);
  }
  return groups;
}

// Jails and folders, when it is no flag's value.
std::string bash_targets(const Verb& verb) {
  std::string values;
  for (const auto& [value_flags, action] : grouped(verb)) values += "    " + value_flags + ") " + action + "; return ;;\n";
  std::string files(verb.file_flags), others(verb.value_flags);
  std::replace(files.begin(), files.end(), ' ', '|');
  std::replace(others.begin(), others.end(), ' ', '|');
  return "case $prev in\n" + values + "    " + files + ") _immure_files; return ;;\n    " + others +
         ") COMPREPLY=(); return ;;\n    esac\n    _immure_words \"" + std::string(verb.flags) +
         " $(immure ps --names 2>/dev/null)\"; compopt -o filenames; COMPREPLY+=($(compgen -d -- \"$cur\"))";
}

std::string bash_verb(const Verb& verb) {
  std::string flags = "_immure_words '" + std::string(verb.flags) + "'";
  switch (verb.completes) {
    case Completes::Nothing: return flags;
    case Completes::RunOptions: {
      std::string values;
      for (const auto& [value_flags, action] : grouped(verb))
        values += "    " + value_flags + ") " + action + "; return ;;\n";
      if (!values.empty()) values = "case $prev in\n" + values + "    esac\n    ";
      return values + "_immure_run '" + std::string(verb.flags) + "' '" + std::string(verb.file_flags) + "' '" +
             std::string(verb.value_flags) + "'";
    }
    case Completes::Jails: return "_immure_words \"" + std::string(verb.flags) + " $(immure ps --names 2>/dev/null)\"";
    case Completes::Targets: return bash_targets(verb);
    case Completes::Profiles:
      return "_immure_words \"" + std::string(verb.flags) + " $(immure policy list --names 2>/dev/null)\"; _immure_more_files";
    case Completes::Shells: return "_immure_words 'bash zsh fish'";
    case Completes::Terms: return "_immure_words '" + terms() + "'";
    case Completes::Verbs: return "_immure_words '" + verb_names() + "'";
    case Completes::Demos: return "_immure_words '" + std::string(verb.flags) + " " + demo_names() + "'";
  }
  return flags;
}

// ---- zsh

// In a specification of _arguments ':' and brackets have a meaning.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return shell(out);
}

std::string zsh_action(const Values& values) {
  switch (values.kind) {
    case Values::Kind::Free: return " ";
    case Values::Kind::Words: return "(" + join(values.words, " ") + ")";
    case Values::Kind::List: return "_sequence compadd - " + join(values.words, " ");
    case Values::Kind::Files: return "_files";
    case Values::Kind::Profiles: return "_immure_profiles";
  }
  return "";
}

// Specifications of a verb's own flags, for who takes the options of run besides.
std::string zsh_flags(const Verb& verb) {
  std::string specs;
  for (std::string_view flag : split(verb.flags, ' ')) {
    if (flag.empty()) continue;
    const bool takes = has_word(verb.file_flags, flag) || has_word(verb.value_flags, flag);
    const Values values = values_of_flag(verb, flag);
    specs += std::string(" '") + (values.kind == Values::Kind::List ? "*" : "") + std::string(flag) +
             (takes ? "=:value:" + zsh_action(values) : "") + "'";
  }
  return specs;
}

std::string zsh_verb(const Verb& verb) {
  std::string flags;
  for (std::string_view flag : split(verb.flags, ' '))
    if (!flag.empty()) flags += " '" + std::string(flag) + "'";
  switch (verb.completes) {
    case Completes::Nothing: return flags.empty() ? ":" : "compadd --" + flags;
    case Completes::RunOptions: return "_immure_run" + zsh_flags(verb);
    case Completes::Jails: return "compadd --" + flags + " ${(f)\"$(immure ps --names 2>/dev/null)\"}";
    case Completes::Targets: return "_arguments -S" + zsh_flags(verb) + " '*:target:_immure_targets'";
    case Completes::Profiles: return "compadd --" + flags + "; _immure_profiles";
    case Completes::Shells: return "compadd -- bash zsh fish";
    case Completes::Terms: return "compadd -- " + terms();
    case Completes::Verbs: return "compadd -- " + verb_names();
    case Completes::Demos: return "compadd --" + flags + " " + demo_names();
  }
  return ":";
}

// ---- fish

std::string fish_action(const Values& values) {
  switch (values.kind) {
    case Values::Kind::Free: return " -x";
    case Values::Kind::Words: return " -x -a '" + shell(join(values.words, " ")) + "'";
    case Values::Kind::List: return " -x -a '(__fish_append , " + shell(join(values.words, " ")) + ")'";
    case Values::Kind::Files: return " -r -F";
    case Values::Kind::Profiles: return " -r -F -a '(immure policy list --names 2>/dev/null)'";
  }
  return "";
}

std::string fish_verb(const Verb& verb) {
  switch (verb.completes) {
    case Completes::Nothing: case Completes::RunOptions: return "";
    case Completes::Jails: return "(immure ps --names 2>/dev/null)";
    case Completes::Targets: return "(immure ps --names 2>/dev/null) (__fish_complete_directories)";
    case Completes::Profiles: return "(immure policy list --names 2>/dev/null)";
    case Completes::Shells: return "bash zsh fish";
    case Completes::Terms: return terms();
    case Completes::Verbs: return verb_names();
    case Completes::Demos: return demo_names();
  }
  return "";
}

}  // namespace

std::string bash_completion() {
  std::string flags, takes, values;
  for (const Option& option : options()) {
    flags += (flags.empty() ? "--" : " --") + std::string(option.name);
    if (option.takes != Takes::Value) continue;
    takes += (takes.empty() ? "--" : "|--") + std::string(option.name);
    values += "    --" + std::string(option.name) + ") " + bash_words(values_of(option)) + "; return ;;\n";
  }
  std::string cases;
  for (const Verb& verb : verbs()) cases += "    " + std::string(verb.name) + ") " + bash_verb(verb) + " ;;\n";
  return "# bash completion of immure: source <(immure completion bash)\n"
         "_immure_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); }\n"
         "# Words with commas between.\n"
         "_immure_list() {\n"
         "  local head=\n"
         "  if [[ $cur == *,* ]]; then head=${cur%,*},; fi\n"
         "  compopt -o nospace\n"
         "  COMPREPLY=($(compgen -P \"$head\" -W \"$1\" -- \"${cur##*,}\"))\n"
         "}\n"
         "_immure_files() { compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); }\n"
         "_immure_more_files() { compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$cur\")); }\n"
         "# $1: flags of the verb; $2: those that a file follows; $3: those that something else follows\n"
         "_immure_run() {\n"
         "  local i\n"
         "  case \" $2 \" in *\" $prev \"*) _immure_files; return ;; esac\n"
         "  case \" $3 \" in *\" $prev \"*) COMPREPLY=(); return ;; esac\n"
         "  # Has the command begun? Then it is completed as one.\n"
         "  for ((i = 2; i < COMP_CWORD; i++)); do\n"
         "    if [[ \" $2 $3 \" == *\" ${COMP_WORDS[i]} \"* ]]; then ((i++)); continue; fi\n"
         "    case ${COMP_WORDS[i]} in\n"
         "    --) ((i++)); break ;;\n"
         "    " + takes + ") ((i++)) ;;\n"
         "    -*) ;;\n"
         "    *) break ;;\n"
         "    esac\n"
         "  done\n"
         "  case $prev in\n" + values + "  esac\n"
         "  if ((i < COMP_CWORD)); then _immure_files; return; fi\n"
         "  if [[ ${COMP_WORDS[COMP_CWORD-1]} == -- || $cur != -* ]]; then\n"
         "    COMPREPLY=($(compgen -c -- \"$cur\"))\n"
         "    return\n"
         "  fi\n"
         "  _immure_words '" + flags + " -- '\"$1\"\n"
         "}\n"
         "_immure() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  COMPREPLY=()\n"
         "  if ((COMP_CWORD == 1)); then _immure_words '" + verb_names() + "'; return; fi\n"
         "  case ${COMP_WORDS[1]} in\n" + cases + "  esac\n"
         "}\n"
         "complete -F _immure immure\n";
}

std::string zsh_completion() {
  std::string specs;
  for (const Option& option : options()) {
    specs += std::string("    '") + (option.repeats ? "*" : "") + "--" + std::string(option.name) +
             (option.takes == Takes::Value ? "=" : "") + "[" + zsh_text(option.help) + "]";
    if (option.takes == Takes::Value) specs += ":" + zsh_text(option.value) + ":" + zsh_action(values_of(option));
    specs += "' \\\n";
  }
  std::string names, cases;
  for (const Verb& verb : verbs()) {
    names += "    '" + std::string(verb.name) + ":" + shell(verb.help) + "'\n";
    cases += "    " + std::string(verb.name) + ") " + zsh_verb(verb) + " ;;\n";
  }
  return "#compdef immure\n"
         "# zsh completion of immure: immure completion zsh > ~/.zfunc/_immure\n"
         "_immure_profiles() { compadd -- ${(f)\"$(immure policy list --names 2>/dev/null)\"}; _files }\n"
         "_immure_targets() { compadd -- ${(f)\"$(immure ps --names 2>/dev/null)\"}; _files -/ }\n"
         "_immure_run() {\n"
         "  _arguments -S \"$@\" \\\n" + specs + "    '*::command:_normal'\n"
         "}\n"
         "_immure() {\n"
         "  local -a verbs\n"
         "  verbs=(\n" + names + "  )\n"
         "  if ((CURRENT == 2)); then _describe verb verbs; return; fi\n"
         "  local verb=$words[2]\n"
         "  shift words\n"
         "  ((CURRENT--))\n"
         "  case $verb in\n" + cases + "  esac\n"
         "}\n"
         "if [[ $funcstack[1] == _immure ]]; then _immure \"$@\"; else compdef _immure immure; fi\n";
}

std::string fish_completion() {
  std::string out = "# fish completion of immure: immure completion fish > ~/.config/fish/completions/immure.fish\n"
                    "complete -c immure -f\n";
  for (const Verb& verb : verbs()) {
    out += "complete -c immure -n __fish_use_subcommand -a " + std::string(verb.name) + " -d '" + shell(verb.help) + "'\n";
    std::string seen = "complete -c immure -n '__fish_seen_subcommand_from " + std::string(verb.name) + "'";
    if (std::string words = fish_verb(verb); !words.empty()) out += seen + " -a '" + shell(words) + "'\n";
    for (std::string_view flag : split(verb.flags, ' ')) {
      if (flag.starts_with("--"))
        out += seen + " -l " + std::string(flag.substr(2)) +
               (has_word(verb.file_flags, flag) || has_word(verb.value_flags, flag)
                    ? fish_action(values_of_flag(verb, flag))
                    : "") +
               "\n";
      else if (!flag.empty()) out += seen + " -a " + std::string(flag) + "\n";
    }
  }
  const std::string seen = "complete -c immure -n '__fish_seen_subcommand_from ";
  const std::string run = seen + "run explain prove'";
  for (const Option& option : options()) {
    out += run + " -l " + std::string(option.name) + " -d '" + shell(option.help) + "'";
    out += option.takes == Takes::Value ? fish_action(values_of(option)) + "\n" : "\n";
  }
  return out + seen + "run explain' -a '(__fish_complete_subcommand --fcs-skip=2)'\n";
}

Result<int> completion(const Invocation& call) {
  Flags flags{{}, "completion"};
  IMMURE_TRY(flags.parse(call.args));
  std::string_view shell_name = flags.words.size() == 1 ? flags.words[0] : std::string_view();
  std::string text;
  if (shell_name == "bash") text = bash_completion();
  if (shell_name == "zsh") text = zsh_completion();
  if (shell_name == "fish") text = fish_completion();
  if (text.empty())
    return fail(Code::kUsage,
                shell_name.empty() ? "completion needs the name of a shell"
                                   : "there is no completion for " + quoted(shell_name),
                {}, "immure completion bash, zsh or fish");
  IMMURE_TRY(say(text));
  return 0;
}

}  // namespace immure::cli

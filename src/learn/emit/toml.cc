// A profile of immure: what it says stands in the words of `immure run`.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "filter/filter.h"
#include "input/options.h"
#include "learn/emit.h"

namespace immure::learn {

std::string toml_profile(const Rights& rights);
std::vector<std::string> toml_lacks(const Rights& rights);

namespace {

using Access = PathRight::Access;

// As the options of `immure run` split it.
std::string escaped(std::string_view path) {
  std::string out;
  for (char c : path) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// The user's own words of an option that is a list.
std::vector<std::string> own(const Rights& rights, std::string_view option) {
  std::vector<std::string> values;
  for (const OwnWord& word : rights.own)
    if (word.option == option) values.push_back(word.value);
  return values;
}

void paths(const Rights& rights, Access access, const char* key, std::string& out) {
  std::string list;
  for (const std::string& value : own(rights, key)) list += "  " + toml_text(value) + ",  # as it was said\n";
  for (const PathRight& one : rights.paths)
    if (one.access == access) list += "  " + toml_text(escaped(one.path)) + ",  # " + comment(one.why) + "\n";
  if (!list.empty()) out += std::string(key) + " = [\n" + list + "]\n";
}

// Texts beside each other, in lines of some 100 columns.
std::string filled(const std::vector<std::string>& words) {
  std::string out, line = " ";
  for (const std::string& word : words) {
    if (line.size() + word.size() + 4 > 100) {
      out += line + "\n";
      line = " ";
    }
    line += " " + toml_text(word) + ",";
  }
  return out + line + "\n";
}

// A set stands for its calls where none of what it would close is needed.
std::vector<std::string> with_sets(const std::vector<std::string>& closed) {
  std::set<std::string_view> left(closed.begin(), closed.end());
  const std::vector<std::string> open = default_calls();
  std::vector<std::string> words;
  for (std::string_view name : filter::named_sets()) {
    auto calls = filter::named_set(name);
    if (!calls) continue;
    size_t hits = 0;
    bool whole = true;
    for (std::string_view call : *calls) {
      bool is_open = std::binary_search(open.begin(), open.end(), std::string(call));
      hits += left.contains(call);
      whole = whole && (!is_open || left.contains(call));
    }
    if (!whole || hits < 2) continue;
    words.emplace_back(name);
    for (std::string_view call : *calls) left.erase(call);
  }
  for (std::string_view call : left) words.emplace_back(call);
  return words;
}

void list(const Rights& rights, const char* key, std::vector<std::string> words, std::string& out) {
  for (std::string& value : own(rights, key))
    if (std::find(words.begin(), words.end(), value) == words.end()) words.push_back(std::move(value));
  if (!words.empty()) out += std::string(key) + " = [\n" + filled(words) + "]\n";
}

void network(const Rights& rights, std::string& out) {
  if (!rights.network) return;
  out += "net = \"host\"\n";
  std::vector<std::string> rules;
  for (uint16_t port : rights.connect) rules.push_back("connect=" + num(port));
  for (uint16_t port : rights.bind) rules.push_back("bind=" + num(port));
  if (rights.connect.empty()) rules.emplace_back("connect=none");
  if (rights.bind.empty()) rules.emplace_back("bind=none");
  list(rights, "landlock", rules, out);
}

// Options that are written above, with what was learned beside what was said.
constexpr std::string_view kWritten[] = {"ro-bind", "bind",          "overlay",      "tmpfs",    "symlink",
                                         "cap-add", "allow-syscall", "deny-syscall", "landlock", "net",
                                         "cwd"};

void others(const Rights& rights, std::string& out) {
  std::vector<std::string_view> done(std::begin(kWritten), std::end(kWritten));
  for (const OwnWord& word : rights.own) {
    const Option* option = find_option(word.option);
    if (option == nullptr || std::find(done.begin(), done.end(), word.option) != done.end()) continue;
    if (option->group == OptionGroup::Limits || option->group == OptionGroup::Output) continue;
    if (word.option == "env" || word.option == "pass-env" || word.option == "need" || word.option == "weaken")
      continue;
    if (word.option == "profile" || word.option == "name") continue;
    done.push_back(word.option);
    if (option->repeats)
      list(rights, word.option.c_str(), {}, out);
    else
      out += word.option + " = " + (option->takes == Takes::Value ? toml_text(word.value) : "true") + "\n";
  }
}

void tables(const Rights& rights, std::string& out) {
  std::string env, need, weaken;
  for (const OwnWord& word : rights.own) {
    size_t equals = word.value.find('=');
    std::string name = word.value.substr(0, equals),
                value = equals == std::string::npos ? "" : word.value.substr(equals + 1);
    if (word.option == "env") env += toml_text(name) + " = " + toml_text(value) + "\n";
    if (word.option == "pass-env") env += toml_text(word.value) + " = true\n";
    if (word.option == "need") need += name + " = " + toml_text(value) + "\n";
    if (word.option == "weaken") weaken += word.value + " = true\n";
  }
  if (rights.compat32 && weaken.find("compat32") == std::string::npos)
    weaken += "compat32 = true  # it made 32-bit calls\n";
  if (!env.empty()) out += "\n[env]\n" + env;
  if (!need.empty()) out += "\n[need]\n" + need;
  if (!weaken.empty()) out += "\n[weaken]\n" + weaken;
}

void limits(const Rights& rights, std::string& out) {
  std::string text;
  std::set<std::string_view> said;
  for (const OwnWord& word : rights.own) {
    const Option* option = find_option(word.option);
    if (option == nullptr || option->group != OptionGroup::Limits) continue;
    text += word.option + " = " + toml_text(word.value) + "  # as it was said\n";
    said.insert(word.option);
  }
  if (rights.memory != 0 && !said.contains("memory"))
    text += "memory = \"" + num(rights.memory >> 20) + "M\"\n";
  if (rights.processes != 0 && !said.contains("pids")) text += "pids = " + num(rights.processes) + "\n";
  if (rights.descriptors != 0 && !said.contains("open-files"))
    text += "open-files = " + num(rights.descriptors) + "\n";
  if (rights.file_size != 0 && !said.contains("file-size"))
    text += "file-size = \"" + num(rights.file_size >> 20) + "M\"\n";
  if (!text.empty()) out += "\n# Twice the peaks that were seen, rounded up.\n[limits]\n" + text;
}

}  // namespace

std::string toml_profile(const Rights& rights) {
  std::string out = "# Learned from what " + comment(rights.name) + " did. Command:";
  for (const std::string& word : rights.command) out += " " + shell_word(comment(word));
  out += "\n";
  for (const std::string& note : rights.notes) out += "# " + comment(note) + "\n";
  for (const Question& one : rights.questions) {
    out += "#\n# Not granted: " + comment(one.about) + "\n#   " + comment(one.why) + "\n";
    if (!one.answer.empty()) out += "#   to allow it: " + comment(one.answer) + "\n";
  }
  out += "description = " + toml_text("learned: " + printable(rights.name)) + "\nextends = \"default\"\n";
  if (!rights.cwd.empty()) out += "cwd = " + toml_text(rights.cwd) + "\n";
  paths(rights, Access::Read, "ro-bind", out);
  paths(rights, Access::Write, "bind", out);
  bool discards = std::any_of(rights.paths.begin(), rights.paths.end(),
                              [](const PathRight& one) { return one.access == Access::Discard; });
  if (discards) out += "# What is written here is thrown away. To keep it, say bind in place of overlay.\n";
  paths(rights, Access::Discard, "overlay", out);
  paths(rights, Access::Memory, "tmpfs", out);
  std::vector<std::string> links;
  for (const LinkRight& one : rights.links) links.push_back(escaped(one.target) + ":" + escaped(one.path));
  list(rights, "symlink", links, out);
  list(rights, "cap-add", rights.capabilities, out);
  list(rights, "allow-syscall", rights.opened, out);
  if (!rights.closed.empty()) {
    out += "# " + num(rights.calls.size()) +
           " calls stay open; these are closed, since nothing asked for them.\n";
    list(rights, "deny-syscall", with_sets(rights.closed), out);
  }
  network(rights, out);
  others(rights, out);
  limits(rights, out);
  tables(rights, out);
  return out;
}

std::vector<std::string> toml_lacks(const Rights& rights) {
  std::vector<std::string> out;
  if (rights.network && !rights.hosts.empty())
    out.emplace_back("hosts: Landlock weighs TCP ports, not addresses");
  if (rights.network) out.emplace_back("UDP ports: the kernel has no rule for them");
  for (const PathRight& one : rights.paths)
    if (!one.pattern.empty()) {
      out.emplace_back("patterns of names: a folder is granted as a whole");
      break;
    }
  if (!rights.arguments.empty())
    out.emplace_back(
        "arguments of calls: those that the default filter lets by stay; --emit seccomp narrows them");
  return out;
}

}  // namespace immure::learn

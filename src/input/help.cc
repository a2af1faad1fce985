// The help page. The common options have a line each; the others of a group stand together in as few lines as
// they need, so that the whole fits a screen. The manual page has a line for every one.
#include "base/text.h"
#include "input/options.h"

namespace immure {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kHelpAt = 29;

std::string synopsis(const Option& option) {
  std::string out = "--" + std::string(option.name);
  if (!option.value.empty()) out += " " + std::string(option.value);
  return out;
}

void common_lines(std::string& out, OptionGroup group) {
  for (const Option& option : options()) {
    if (option.group != group || !option.common) continue;
    std::string line = "  " + synopsis(option);
    line += line.size() + 2 <= kHelpAt ? std::string(kHelpAt - line.size(), ' ') : std::string("  ");
    line += option.help;
    out += line + "\n";
  }
}

void packed_lines(std::string& out, OptionGroup group) {
  std::string line = "  ";
  for (const Option& option : options()) {
    if (option.group != group || option.common) continue;
    std::string word = synopsis(option);
    if (line.size() + word.size() > kColumns) {
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
      line = "  ";
    }
    line += word + "  ";
  }
  if (line.size() > 2) out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

std::string run_help() {
  std::string out =
      "usage: immure run [OPTION]… [--] CMD [ARGUMENT]…\n"
      "Runs CMD in a jail. No option is needed for a tight one; what loosens says so.\n";
  for (OptionGroup group : {OptionGroup::Roots, OptionGroup::Files, OptionGroup::Identity, OptionGroup::Privilege, OptionGroup::Limits,
                      OptionGroup::Program, OptionGroup::Isolation, OptionGroup::Output}) {
    out += std::string(name(group)) + ":";
    if (group == OptionGroup::Limits) out += "  (SIZE 512M, 2G; TIME 500ms, 30s, 5m; none: no limit)";
    out += "\n";
    common_lines(out, group);
    packed_lines(out, group);
  }
  out +=
      "Status: the program's own; 124 time limit, 125 no jail, 126 not executable,\n"
      "127 not found, 128+N ended by signal N.  More: man immure-run\n";
  return out;
}

}  // namespace immure

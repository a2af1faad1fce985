#include "audit/remedies.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "audit/report.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr std::array<const char*, kWayCount> kKeys = {"unit", "oci", "bwrap", "sshd", "vsftpd", "profile"};
constexpr std::array<const char*, kWayCount> kTitles = {"a unit", "an OCI bundle", "bwrap",
                                                        "sshd",   "vsftpd",        "a profile of immure"};
constexpr std::array<Way, kWayCount> kWays = {Way::Unit, Way::Oci,    Way::Bwrap,
                                              Way::Sshd, Way::Vsftpd, Way::Profile};
// What is written last holds, whatever drop-ins are there.
constexpr const char* kDropIn = "zz-immure-audit.conf";

const std::string& word_of(const Finding& finding) {
  return finding.value.empty() ? finding.where : finding.value;
}

std::string filled(std::string_view text, const Finding& finding) {
  std::string out;
  while (!text.empty()) {
    const bool value = text.starts_with("{value}"), where = text.starts_with("{where}");
    if (!value && !where) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    out += value ? word_of(finding) : finding.where;
    text.remove_prefix(7);
  }
  return out;
}

std::vector<std::string> lines_of(std::string_view text, const Finding& finding) {
  std::vector<std::string> out;
  for (std::string_view line : split(text, '\n')) out.push_back(filled(line, finding));
  return out;
}

// A name of a jail that would be a second line, or that systemd takes for a specifier or for several words.
bool is_one_word(const Finding& finding) {
  for (const std::string& one : {finding.where, word_of(finding)})
    if (printable(one) != one || one.find_first_of("%\"'\\$") != std::string::npos) return false;
  return true;
}
bool names_finding(std::string_view text) {
  return text.find("{value}") != std::string_view::npos || text.find("{where}") != std::string_view::npos;
}
bool is_path_with_blank(const Finding& finding) {
  return word_of(finding).starts_with('/') && word_of(finding).find(' ') != std::string::npos;
}

std::string unit_command(const std::vector<std::string>& lines, const Target& target) {
  std::string folder = target.config, words;
  const bool file = folder.starts_with('/');
  if (!file) folder = "/etc/systemd/system/" + folder;
  folder += ".d";
  for (const std::string& line : lines) words += " " + shell_word(line);
  const bool live = folder.starts_with("/etc/systemd/") || folder.starts_with("/run/systemd/") ||
                    folder.starts_with("/lib/systemd/") || folder.starts_with("/usr/lib/systemd/");
  return "mkdir -p " + shell_word(folder) + " && printf '%s\\n' '[Service]'" + words + " >>" +
         shell_word(folder + "/" + kDropIn) + (live ? " && systemctl daemon-reload" : "");
}

std::string oci_command(const char* program, const Finding& finding, const Target& target) {
  const std::string file = shell_word(target.config), next = shell_word(target.config + ".new");
  const bool named = std::string_view(program).find("$w") != std::string_view::npos;
  return "jq " + (named ? "--arg w " + shell_word(word_of(finding)) + " " : "") + quoted(program) + " " +
         file + " >" + next + " && mv " + next + " " + file;
}

std::string vsftpd_command(const std::vector<std::string>& lines, const Target& target) {
  std::string words;
  for (const std::string& line : lines) words += " " + shell_word(line);
  // The last line may have no end.
  return "printf '\\n%s\\n'" + words + " >>" + shell_word(target.config);
}

// ".process.user.uid = 0" is "/process/user/uid: 0"; what is no such row stays what it is.
std::string as_pointer(std::string_view program) {
  const size_t equals = program.find(" = ");
  const std::string_view left = program.substr(0, equals);
  if (equals == std::string_view::npos || program.find(" | ") != std::string_view::npos ||
      left.find_first_of(" [](|") != std::string_view::npos)
    return std::string(program);
  std::string out(left);
  std::replace(out.begin(), out.end(), '.', '/');
  return out + ": " + std::string(program.substr(equals + 3));
}

std::string joined(const Remedy& remedy, const Finding& finding) {
  return join(lines_of(remedy.text, finding), ", ");
}

}  // namespace

const char* key(Way way) { return kKeys[static_cast<size_t>(way)]; }
const char* way_title(Way way) { return kTitles[static_cast<size_t>(way)]; }

const Remedy* remedy(const Rule& rule, Way way) {
  for (const Remedy& one : remedies())
    if (one.way == way && std::string_view(one.rule) == rule.id) return &one;
  return nullptr;
}

std::string shown(const Remedy& remedy) {
  if (remedy.way == Way::Oci && remedy.as_it_is) return as_pointer(remedy.text);
  const std::vector<std::string_view> lines = split(remedy.text, '\n');
  return join(std::vector<std::string>(lines.begin(), lines.end()), ", ");
}

const Way* way_of(const Target& target) {
  if (!target.config.empty() && target.pid != 0) return kWays.data();
  for (std::string_view kind : split(target.kind, ','))
    for (const Way& way : kWays)
      if (trim(kind) == key(way)) return &way;
  return nullptr;
}

std::string remedy_command(const Finding& finding, const Target& target) {
  const Way* way = way_of(target);
  const Remedy* found = way == nullptr ? nullptr : remedy(*finding.rule, *way);
  if (found == nullptr || !found->as_it_is || target.config.empty()) return {};
  switch (*way) {
    case Way::Unit:
      if (names_finding(found->text) && (!is_one_word(finding) || is_path_with_blank(finding))) return {};
      return unit_command(lines_of(found->text, finding), target);
    case Way::Oci: return oci_command(found->text, finding, target);
    case Way::Vsftpd: return vsftpd_command(lines_of(found->text, finding), target);
    // Where in a command, in a block or in a table it belongs is for a person to see.
    case Way::Bwrap:
    case Way::Sshd:
    case Way::Profile: return {};
  }
  return {};
}

std::string remedy_text(const Finding& finding, const Target& target) {
  const Way* way = way_of(target);
  const Remedy* found = way == nullptr ? nullptr : remedy(*finding.rule, *way);
  if (found == nullptr) return {};
  const std::string text = joined(*found, finding);
  switch (*way) {
    case Way::Unit: return "in [Service]: " + text;
    case Way::Oci: return "in config.json: " + (found->as_it_is ? as_pointer(text) : text);
    case Way::Bwrap: return found->as_it_is ? "add to the command: " + text : text;
    case Way::Sshd: return "below its Match line, or at the top of the file: " + text;
    case Way::Vsftpd: return "in the file: " + text;
    case Way::Profile: return "in the profile: " + text;
  }
  return {};
}

}  // namespace immure::audit

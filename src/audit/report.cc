#include "audit/report.h"

#include <algorithm>
#include <map>

#include "audit/remedies.h"
#include "base/text.h"

namespace immure::audit {
namespace {

// What a shell takes as it is.
bool is_plain(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%^";
  return !text.empty() && text.front() != '-' && text.find_first_not_of(kPlain) == std::string_view::npos;
}

std::string in_octal(unsigned char byte) {
  std::string out = "\\000";
  for (size_t i = 3; i > 0; --i, byte = static_cast<unsigned char>(byte >> 3))
    out[i] = static_cast<char>('0' + (byte & 7));
  return out;
}

// A word that is itself wherever a command has it: between quotes, in a pattern, in what sed executes.
bool is_mere_name(std::string_view text) {
  constexpr std::string_view kName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !text.empty() && text.find_first_not_of(kName) == std::string_view::npos;
}

// A path that no program takes for an option.
std::string as_path(const std::string& path) { return path.starts_with('-') ? "./" + path : path; }

}  // namespace

std::string shell_word(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  if (printable(text) == text) return quoted(text);
  std::string out = "$'";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    // No quote and no backslash stands in it as such, so that a shell that does not know $'…' takes a wrong
    // name, and never the rest of it for commands.
    const bool as_it_is = byte >= 0x20 && byte < 0x7f && c != '\'' && c != '\\';
    out += as_it_is ? std::string(1, c) : in_octal(byte);
  }
  return out + "'";
}

namespace {

// What a file's other names lead to stays as it is: they may be outside of the tree.
constexpr const char* kBreakFirst =
    "cp -p --remove-destination {path} {path}.new && mv -T {path}.new {path} && ";

bool changes_in_place(const Finding& finding) {
  if (!finding.several_names || finding.rule->fix[0] == '\0') return false;
  switch (finding.rule->mend) {
    case Mend::StripBits:
    case Mend::CloseWrite:
    case Mend::TakeOwner: return true;
    case Mend::None:
    case Mend::BreakLink:
    case Mend::Quarantine: return false;
  }
  return false;
}

}  // namespace

std::string fix_command(const Finding& finding, const Target& target) {
  if (finding.by_hand) return {};
  if (std::string command = remedy_command(finding, target); !command.empty()) return command;
  // In one pass, so that a name that holds "{value}" stays a name.
  std::string out;
  const std::string command = (changes_in_place(finding) ? kBreakFirst : "") + lasting_fix(*finding.rule);
  std::string_view rest = command;
  const std::pair<std::string_view, std::string> words[] = {
      {"{path}", shell_word(as_path(finding.path.empty() ? finding.where : finding.path))},
      {"{pid}", num_signed(target.pid)},
      {"{value}", shell_word(finding.value)},
      {"{tree}", shell_word(target.tree)},
      {"{keeper}", target.keeper},
      {"{where}", shell_word(as_path(finding.where))},
  };
  bool in_quotes = false;
  while (!rest.empty()) {
    const auto* word = std::find_if(std::begin(words), std::end(words),
                                    [&](const auto& one) { return rest.starts_with(one.first); });
    // Between the command's own quotes no quoting of a word's holds.
    if (word != std::end(words) && in_quotes && !is_mere_name(word->second)) return {};
    if (word == std::end(words)) {
      if (rest.front() == '\'') in_quotes = !in_quotes;
      out += rest.front();
      rest.remove_prefix(1);
    } else {
      out += word->second;
      rest.remove_prefix(word->first.size());
    }
  }
  return out;
}

std::string lasting_fix(const Rule& rule) {
  constexpr std::string_view kSet = "sysctl -w ";
  const std::string_view fix = rule.fix;
  if (!fix.starts_with(kSet)) return std::string(fix);
  return std::string(fix) + " && echo " + std::string(fix.substr(kSet.size())) +
         " >>/etc/sysctl.d/zz-immure-audit.conf";
}

std::string what_to_do(const Finding& finding, const Target& target) {
  std::string own = finding.by_hand ? std::string() : remedy_text(finding, target);
  return own.empty() ? advice_for(*finding.rule, target) : own;
}

std::string advice_for(const Rule& rule, const Target& target) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"bwrap: ", "bwrap"}, {"unit: ", "unit"},     {"OCI: ", "oci"},
      {"sshd: ", "sshd"},   {"vsftpd: ", "vsftpd"}, {"profile: ", "profile"}};
  std::string out;
  std::string_view rest = rule.advice;
  while (!rest.empty()) {
    const size_t end = rest.find("; ");
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const auto& one) { return part.starts_with(one.first); });
    if (kind != std::end(kKinds)) {
      if (const Way* way = way_of(target); way == nullptr || kind->second != key(*way)) continue;
      part.remove_prefix(kind->first.size());
    }
    out += (out.empty() ? "" : "; ") + std::string(part);
  }
  return out.empty() ? rule.advice : out;
}

const Acceptance* accepted(const Audit& audit, size_t finding) {
  auto found = std::lower_bound(audit.accepted.begin(), audit.accepted.end(), finding,
                                [](const Acceptance& one, size_t at) { return one.finding < at; });
  return found == audit.accepted.end() || found->finding != finding ? nullptr : &*found;
}

std::optional<Severity> worst(const Audit& audit) {
  std::optional<Severity> out;
  for (size_t i = 0; i < audit.answers.findings().size(); ++i) {
    const Severity severity = audit.answers.findings()[i].severity;
    if ((!out || severity > *out) && accepted(audit, i) == nullptr) out = severity;
  }
  return out;
}

std::optional<Severity> worst(const Audits& audits) {
  std::optional<Severity> out;
  for (const Audit& audit : audits.all) out = std::max(out, worst(audit));
  return out;
}

std::vector<Outcome> outcomes(const Audit& audit) {
  std::map<const Rule*, size_t> place;
  std::vector<Outcome> out;
  for (const Rule* rule : audit.asked) {
    place.emplace(rule, out.size());
    out.push_back({rule, Answers::State::Unasked, {}, {}});
  }
  for (const Answers::Answer& answer : audit.answers.answers()) {
    auto at = place.find(answer.rule);
    if (at == place.end() || out[at->second].state == Answers::State::Unknown) continue;
    out[at->second].state = answer.state;
    out[at->second].why = answer.why;
  }
  for (size_t i = 0; i < audit.answers.findings().size(); ++i)
    if (auto at = place.find(audit.answers.findings()[i].rule); at != place.end())
      out[at->second].findings.push_back(i);
  return out;
}

std::vector<std::string> references(const Rule& rule) {
  std::vector<std::string> out;
  for (std::string_view one : split(rule.reference, ';'))
    if (!trim(one).empty()) out.emplace_back(trim(one));
  return out;
}

std::vector<size_t> by_severity(const Audit& audit) {
  std::vector<size_t> out(audit.answers.findings().size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = i;
  std::stable_sort(out.begin(), out.end(), [&](size_t a, size_t b) {
    return audit.answers.findings()[a].severity > audit.answers.findings()[b].severity;
  });
  return out;
}

std::vector<Alike> alike(const Audit& audit, Concern concern) {
  std::vector<Alike> out;
  std::map<std::pair<Severity, const Rule*>, size_t> place;
  for (size_t at : by_severity(audit)) {
    const Finding& finding = audit.answers.findings()[at];
    if (finding.rule->concern != concern || accepted(audit, at) != nullptr) continue;
    auto [known, is_new] = place.try_emplace({finding.severity, finding.rule}, out.size());
    if (is_new) out.push_back({finding.severity, finding.rule, {}});
    out[known->second].findings.push_back(at);
  }
  return out;
}

std::string counts_text(const Audit& audit) {
  size_t counts[kSeverityCount] = {};
  for (size_t at = 0; at < audit.answers.findings().size(); ++at)
    if (accepted(audit, at) == nullptr) ++counts[static_cast<size_t>(audit.answers.findings()[at].severity)];
  std::string out;
  for (int i = kSeverityCount; i-- > 0;)
    if (counts[i] > 0)
      out += (out.empty() ? "" : ", ") + num(counts[i]) + " " + key(static_cast<Severity>(i));
  return out.empty() ? "nothing" : out;
}

void foretell(Battery& battery, const std::vector<Finding>& findings) {
  for (Battery::Escape& escape : battery.escaped) {
    escape.foretold_by.clear();
    for (const Finding& finding : findings) {
      const std::vector<std::string_view> words = split(finding.rule->predicts, ' ');
      const bool predicted = std::any_of(words.begin(), words.end(), [&](std::string_view word) {
        return word == escape.id || word == escape.category;
      });
      auto& by = escape.foretold_by;
      if (predicted && std::find(by.begin(), by.end(), finding.rule->id) == by.end())
        by.emplace_back(finding.rule->id);
    }
  }
}

}  // namespace immure::audit

// --list and --explain.
#include "audit/remedies.h"
#include "audit/report.h"
#include "audit/score.h"
#include "base/text.h"

namespace immure::audit {
namespace {

void pad(std::string& line, size_t column) {
  line.append(line.size() < column ? column - line.size() : 1, ' ');
}

}  // namespace

std::string mend_text(Mend mend) {
  switch (mend) {
    case Mend::None: break;
    case Mend::StripBits: return "takes the bits away";
    case Mend::CloseWrite: return "takes the permission to write away";
    case Mend::TakeOwner: return "gives it to root";
    case Mend::BreakLink: return "makes a copy of its own of it";
    case Mend::Quarantine: return "moves it out of the tree";
  }
  return {};
}

std::string list_text(const std::vector<const Rule*>& rules) {
  std::string out;
  for (const Rule* rule : rules) {
    std::string line = rule->id;
    pad(line, 36);
    line += key(rule->severity);
    pad(line, 46);
    line += key(rule->concern);
    pad(line, 58);
    out += line + rule->title + "\n";
  }
  return out;
}

std::string explain_text(const Rule& rule) {
  std::string out = std::string(rule.id) + ": " + rule.title + "\n\n" + rule.why + "\n\n";
  out += "severity    " + std::string(key(rule.severity)) + "\nlooks at    " + look_text(rule.look) +
         "\nconcern     " + key(rule.concern) + "\npoints      " + key(rule.point) + " (" +
         num_signed(weight(rule.point)) + " of 100)\n";
  if (rule.fix[0] != '\0') out += "fix         " + lasting_fix(rule) + "\n";
  for (const Remedy& one : remedies())
    if (std::string_view(one.rule) == rule.id) {
      std::string line = key(one.way);
      pad(line, 12);
      out += line + shown(one) + "\n";
    }
  if (rule.advice[0] != '\0') out += "do          " + std::string(rule.advice) + "\n";
  if (rule.mend != Mend::None) out += "--fix       " + mend_text(rule.mend) + "\n";
  if (rule.predicts[0] != '\0') out += "predicts    " + std::string(rule.predicts) + "\n";
  return out + "reference   " + rule.reference + "\n";
}

const char* look_text(Look look) {
  switch (look) {
    case Look::Tree: return "a root directory";
    case Look::Process: return "a running process";
    case Look::Host: return "the host";
    case Look::Described: return "a description";
  }
  return "";
}

}  // namespace immure::audit

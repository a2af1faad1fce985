#include "prove/page.h"

#include <cctype>

#include "base/markdown.h"
#include "base/text.h"
#include "probes/consent.h"
#include "prove/report.h"

namespace immure::prove {
namespace {

using probes::Category;
using probes::Probe;

constexpr char kHead[] =
    "# The attacks of `immure prove`\n"
    "\n"
    "This page is made from the tables in `src/probes/`. `immure prove --explain ID` says the same of one.\n"
    "\n"
    "*Stopped by* names the layers of the default jail that stop an attack, each by itself or together.\n"
    "*Control* is the place where the same attack has to succeed before it counts as blocked. *Where* is\n"
    "said when the attack needs more than a jail: a root that was prepared as an attacker would leave it,\n"
    "or a jail of its own.\n"
    "\n"
    "All attacks are harmless but those of the last category, which do what they are about: they run in no\n"
    "machine but one that is thrown away afterwards, as its kernel's command line says.\n";

size_t count_of(Category category) {
  size_t n = 0;
  for (auto group : probes::groups(category)) n += group.size();
  return n;
}

const char* proof_text(const Probe& probe) {
  switch (probe.proof) {
    case probes::Proof::None: return "none; what answers is told as exposed";
    case probes::Proof::Line: return "a line that stands only outside was read";
    case probes::Proof::Signal: return "a process outside received a signal";
    case probes::Proof::Changed: return "a file outside was changed";
    case probes::Proof::Connection: return "a server outside was reached";
    case probes::Proof::Damage: return "the damage was found outside";
  }
  return "";
}

std::string where_text(const Probe& probe) {
  std::vector<std::string> parts;
  if ((probe.flags & probes::kPlantedByRoot) != 0)
    parts.emplace_back("in a planted root, by root alone");
  else if ((probe.flags & probes::kPlanted) != 0)
    parts.emplace_back("in a planted root");
  if ((probe.flags & probes::kHardLinks) != 0) parts.emplace_back("with hard links to files outside");
  if ((probe.flags & probes::kSolo) != 0) parts.emplace_back("in a jail of its own");
  if ((probe.flags & probes::kExpendable) != 0)
    parts.emplace_back(std::string("only in a machine whose kernel was started with `") +
                       probes::word(probes::needed(probe)) + "`");
  if (probe.limit[0] != '\0') parts.push_back("with `" + std::string(probe.limit) + "`");
  if ((probe.flags & probes::kTerminal) != 0) parts.emplace_back("with a terminal of the caller's");
  return join(parts, ", ");
}

std::string control_in_markdown(const Probe& probe) {
  if (probe.control.place != probes::Control::Place::Jail) return control_text(probe);
  return "the default jail with `" + std::string(probe.control.words) + "`";
}

std::string section_of(const Probe& probe) {
  std::string out = "\n### " + std::string(probe.id) + "\n\n**" + markdown_text(probe.technique) + "**\n\n" +
                    markdown_text(probe.about) + "\n\n";
  out += "- Source: " + markdown_text(probe.reference) + "\n- Stopped by: " + layers_text(probe.stopped_by) +
         "\n- Control: " + control_in_markdown(probe) + "\n- Proof: " + proof_text(probe) + "\n";
  std::string where = where_text(probe);
  return where.empty() ? out : out + "- Where: " + where + "\n";
}

}  // namespace

std::string probes_page() {
  std::string out = kHead;
  out += "\n| category | `--only` | attacks |\n|---|---|---|\n";
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<Category>(c);
    out += "| [" + std::string(name(category)) + "](#" + markdown_anchor(name(category)) + ") | `" +
           key(category) + "` | " + num(count_of(category)) + " |\n";
  }
  out += "| all | | " + num(probes::count()) + " |\n";
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<Category>(c);
    std::string heading(name(category));
    heading[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(heading[0])));
    out += "\n## " + heading + "\n\n";
    for (auto group : probes::groups(category))
      for (const Probe& probe : group)
        out +=
            "- [" + std::string(probe.id) + "](#" + probe.id + "): " + markdown_text(probe.technique) + "\n";
    for (auto group : probes::groups(category))
      for (const Probe& probe : group) out += section_of(probe);
  }
  return out;
}

}  // namespace immure::prove

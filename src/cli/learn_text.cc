#include "cli/learn_text.h"

#include <algorithm>

#include "base/text.h"

namespace immure::cli {
namespace {

using learn::Needs;
using learn::Part;

std::string plural(uint64_t count, const std::string& one, const std::string& many) {
  return num(count) + " " + (count == 1 ? one : many);
}

std::string uses_text(uint32_t uses) {
  std::string out;
  for (int bit = 0; bit < learn::kUseCount; ++bit)
    if ((uses >> bit & 1) != 0) out += (out.empty() ? "" : " ") + std::string(learn::use_key(bit));
  return out;
}

std::string title(Part part) {
  switch (part) {
    case Part::File: return "Files";
    case Part::Call: return "System calls";
    case Part::Argument: return "Arguments that decide";
    case Part::Capability: return "Capabilities";
    case Part::Address: return "Addresses";
  }
  return "";
}

std::string filled(const std::vector<std::string>& words, std::string_view indent) {
  std::string out, line(indent);
  for (const std::string& word : words) {
    if (line.size() + word.size() > 78) {
      out += line + "\n";
      line = indent;
    }
    line += (line.size() > indent.size() ? " " : "") + word;
  }
  return line.size() > indent.size() ? out + line + "\n" : out;
}

}  // namespace

std::string needs_text(const Needs& needs) {
  std::string out;
  for (int at = 0; at < learn::kPartCount; ++at) {
    auto part = static_cast<Part>(at);
    if (needs.of(part).empty()) continue;
    out += title(part) + "\n";
    for (const auto& [name, item] : needs.of(part)) {
      out += "  " + printable(name) + "\n    " + plural(item.times, "time", "times") + " in " +
             num(learn::runs_of(item)) + " of " + plural(needs.runs, "run", "runs") + ", first event " +
             num(item.first) + ": " + uses_text(item.uses) + "\n";
      if (!item.note.empty()) out += "    " + printable(item.note) + "\n";
    }
  }
  const learn::Peaks& peaks = needs.peaks;
  out += "Peaks\n  memory " + format_size(peaks.memory) + ", " +
         plural(peaks.processes, "process", "processes") + ", " +
         plural(peaks.descriptors, "descriptor", "descriptors") + ", largest file " +
         format_size(peaks.file_size) + ", time " + format_duration(peaks.wall_ns) + "\n";
  return out;
}

std::string summary_text(const Needs& needs, const learn::Rights& rights) {
  std::string out = "immure: learned from " + plural(needs.runs, "run", "runs") + ": " +
                    plural(needs.events, "event", "events") + ", " + num(needs.of(Part::File).size()) +
                    " paths, " + num(rights.calls.size()) +
                    " system calls to allow (the default jail allows " + num(learn::default_calls().size()) +
                    ")\n";
  for (const std::string& note : rights.notes) out += "  note: " + printable(note) + "\n";
  if (!rights.questions.empty()) out += "  not granted, and left to you:\n";
  for (const learn::Question& one : rights.questions) {
    out += "    " + printable(one.about) + ": " + printable(one.why) + "\n";
    if (!one.answer.empty()) out += "      to allow it: " + printable(one.answer) + "\n";
  }
  return out;
}

std::string tighten_text(const learn::Tightening& found, const std::string& profile) {
  std::string out;
  if (found.unused.empty() && found.calls.empty())
    return "Everything that " + printable(profile) + " allows was used.\n";
  if (!found.unused.empty()) out += "Allowed by " + printable(profile) + ", and not used:\n";
  for (const learn::Unused& one : found.unused) {
    out += "  " + printable(one.right) + ": " + printable(one.why);
    out += one.origin.empty() ? "\n" : "  [" + printable(one.origin) + "]\n";
  }
  if (!found.calls.empty()) {
    out += "Of " + num(found.calls_allowed) + " system calls that its filter allows, " +
           num(found.calls.size()) + " were not called:\n" + filled(found.calls, "  ");
    out += "  to close them: deny-syscall = [...], or a profile of immure learn --emit toml\n";
  }
  return out;
}

}  // namespace immure::cli

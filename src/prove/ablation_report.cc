#include <cstdio>

#include "base/text.h"
#include "prove/ablation.h"
#include "base/markup.h"

namespace immure::prove {
namespace {

std::string names_of(const Ablation& ablation, const std::vector<Cell>& cells, Cell wanted) {
  std::string out;
  for (size_t i = 0; i < cells.size(); ++i)
    if (cells[i] == wanted) out += (out.empty() ? "" : ", ") + ablation.parts[i].name;
  return out;
}

std::string held_by(const Ablation& ablation, const Ablated& one) {
  switch (one.frame) {
    case Cell::Holds: return "the frame";
    case Cell::Unknown: return "unknown: without the layers it could not be tried";
    case Cell::Open: break;
  }
  std::string alone = names_of(ablation, one.only, Cell::Holds);
  return alone.empty() ? "several together, none of them alone" : alone;
}

std::string line_of(const Ablation& ablation, const Ablated& one) {
  char head[64];
  std::snprintf(head, sizeof head, "  %-30s %5d  ", one.probe->id, one.depth());
  std::string out = head + held_by(ablation, one);
  if (std::string carries = names_of(ablation, one.without, Cell::Open); !carries.empty())
    out += "; gets through without " + carries;
  return out + "\n";
}

std::string listed(const Ablation& ablation, bool (*chosen)(const Ablation&, size_t)) {
  std::string out;
  for (size_t i = 0; i < ablation.parts.size(); ++i)
    if (ablation.refused[i].empty() && chosen(ablation, i))
      out += (out.empty() ? "" : ", ") + ablation.parts[i].name;
  return out.empty() ? "none" : out;
}

size_t carried(const Ablation& ablation, size_t part) {
  size_t n = 0;
  for (const Ablated& one : ablation.attacks) n += one.is_carried_by(part) ? 1 : 0;
  return n;
}

}  // namespace

std::string ablation_text(const Ablation& ablation) {
  std::string out =
      "\nWhich layers stop it by themselves (depth: how many of them)\n\n  attack                         "
      "depth  held by\n";
  for (const Ablated& one : ablation.attacks) out += line_of(ablation, one);
  out +=
      "\nThe frame is what every jail stands on: user, mount and pid namespace, root,\nmounts, devices, "
      "descriptors. It stays when all the rest is taken away.\n\n";
  for (size_t i = 0; i < ablation.parts.size(); ++i) {
    if (!ablation.refused[i].empty())
      out += ablation.parts[i].name + " could not be taken away: " + ablation.refused[i] + "\n";
    else if (size_t n = carried(ablation, i); n > 0)
      out += "Without " + ablation.parts[i].name + " " + num(n) + (n == 1 ? " attack gets" : " attacks get") +
             " through: it carries them alone.\n";
  }
  out += "Stops nothing here that was tried: " +
         listed(ablation, [](const Ablation& all, size_t i) { return all.stops_nothing(i); }) + ".\n";
  char seconds[48];
  std::snprintf(seconds, sizeof seconds, "The layers took %.1f s.\n",
                static_cast<double>(ablation.milliseconds) / 1000);
  return out + seconds;
}

// An attack a row, a part a column: open without it (it carries alone), holds alone, neither.
std::string ablation_svg(const Ablation& ablation) {
  if (ablation.attacks.empty()) return {};
  constexpr size_t kCell = 14, kNames = 230, kHead = 200;
  const size_t width = kNames + (ablation.parts.size() + 1) * kCell + 40,
               height = kHead + ablation.attacks.size() * kCell + 10;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"" + num(width) +
                    "\" height=\"" + num(height) +
                    "\" font-family=\"monospace\" font-size=\"10\" fill=\"currentColor\">\n";
  auto column = [&](size_t i, const std::string& name) {
    const std::string x = num(kNames + i * kCell + 10), y = num(kHead - 6);
    out += "<text x=\"" + x + "\" y=\"" + y + "\" transform=\"rotate(-60 " + x + " " + y + ")\">" + name +
           "</text>\n";
  };
  auto cell = [&](size_t i, size_t row, const char* style, const std::string& title) {
    out += "<rect class=\"" + std::string(style) + "\" x=\"" + num(kNames + i * kCell) + "\" y=\"" +
           num(kHead + row * kCell) + "\" width=\"" + num(kCell - 2) + "\" height=\"" + num(kCell - 2) +
           "\"><title>" + title + "</title></rect>\n";
  };
  column(0, "the frame");
  for (size_t i = 0; i < ablation.parts.size(); ++i) column(i + 1, ablation.parts[i].name);
  for (size_t row = 0; row < ablation.attacks.size(); ++row) {
    const Ablated& one = ablation.attacks[row];
    const std::string id = one.probe->id;
    out += "<text x=\"0\" y=\"" + num(kHead + row * kCell + 10) + "\">" + id + "</text>\n";
    cell(0, row, one.frame == Cell::Holds ? "holds" : "open", id + ": the frame");
    for (size_t i = 0; i < ablation.parts.size(); ++i) {
      const bool alone = one.frame != Cell::Holds && one.only[i] == Cell::Holds;
      const char* style = one.is_carried_by(i) ? "carries" : alone ? "holds" : "open";
      cell(i + 1, row, style, id + ": " + ablation.parts[i].name);
    }
  }
  return out + "</svg>\n";
}

std::string ablation_section(const Ablation& ablation) {
  const std::string text = ablation_text(ablation);
  std::string table;
  for (std::string_view line : split(text, '\n')) table += markup_text(line) + "\n";
  return "<h2>Layer by layer</h2>\n<ul class=\"legend\">"
         "<li class=\"exposed\">carries alone: without it the attack gets through</li>"
         "<li class=\"blocked\">holds alone: it stops the attack by itself</li>"
         "<li>neither</li></ul>\n<div class=\"wide\">" +
         ablation_svg(ablation) + "</div>\n<details><summary>as text</summary><pre>" + table +
         "</pre></details>\n";
}

}  // namespace immure::prove

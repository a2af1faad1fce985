// The battery again with each layer taken away in turn, and with each one alone: which layers carry, how many
// of them stop an attack independently of each other, and which stop nothing here.
//
// What every jail stands on (user, mount and pid namespace, root, mounts, devices, descriptors) is "the
// frame": it stays when all the rest is taken away.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "prove/trial.h"

namespace immure::prove {

// A part of a jail that an option takes away: a layer, or a protection that --weaken names.
struct Part {
  std::string name;                // "seccomp", "plain-root"
  std::vector<std::string> words;  // of `immure run`, that take it away
  uint32_t layers = 0;             // which layers that is, as in Probe::stopped_by; 0: a part of one
  bool of_frame = false;           // taken away by itself only, never together with others
};

enum class Cell : uint8_t {
  Unknown,  // it could not be tried: the jail did not start so, or the probe said nothing
  Holds,
  Open,  // the attack got through
};

struct Ablated {
  const probes::Probe* probe = nullptr;
  Cell frame = Cell::Unknown;       // with every part taken away
  std::vector<Cell> without, only;  // one a part: that part taken away; all the others taken away
  // Parts (and the frame) that stop it alone. 0: only several together do.
  int depth() const;
  // Does it get through when this part alone is taken away?
  bool is_carried_by(size_t part) const { return without[part] == Cell::Open; }
};

struct Ablation {
  std::vector<Part> parts;
  std::vector<std::string> refused;  // one a part: why no jail starts without it; empty: one does
  std::vector<Ablated> attacks;      // those that the jail blocks
  int64_t milliseconds = 0;
  bool stops_nothing(size_t part) const;
};

// Of what `verdicts` says is blocked. Of the probes that need a jail of their own only those that a limit
// stops.
Result<Ablation> run_ablation(const Trial& trial, const Verdicts& verdicts);

// The table, and the sentences: which layers carry alone, which stop nothing here.
std::string ablation_text(const Ablation& ablation);
// The matrix as a picture: an attack a row, a part a column. Empty for one that has no rows.
std::string ablation_svg(const Ablation& ablation);
// Both, as a section of report_html's page.
std::string ablation_section(const Ablation& ablation);

}  // namespace immure::prove

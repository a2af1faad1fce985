#include "prove/observe.h"

#include "base/text.h"

namespace immure::prove {
namespace {

struct Word {
  std::string_view word;
  Ending ending;
  probes::Outcome outcome;
};
constexpr Word kWords[] = {
    {"stopped", Ending::Said, probes::Outcome::Stopped},
    {"escaped", Ending::Said, probes::Outcome::Escaped},
    {"exposed", Ending::Said, probes::Outcome::Exposed},
    {"not-applicable", Ending::Said, probes::Outcome::NotApplicable},
    {"killed", Ending::Killed, probes::Outcome::Stopped},
    {"hangs", Ending::Hangs, probes::Outcome::Stopped},
    {"lost", Ending::Lost, probes::Outcome::Stopped},
};

}  // namespace

bool read_line(std::string_view text, Line& line) {
  if (text.ends_with('\r')) text.remove_suffix(1);  // it came through a terminal
  std::vector<std::string_view> parts = split(text, '\t');
  if (parts.size() != 5) return false;
  auto error = parse_u64(parts[2]);
  for (const Word& word : kWords) {
    if (word.word != parts[1] || !error || *error > 4095) continue;
    line.id = parts[0];
    line.seen = {word.ending, word.outcome,          static_cast<int>(*error),
                 0,           std::string(parts[3]), std::string(parts[4])};
    return true;
  }
  return false;
}

}  // namespace immure::prove

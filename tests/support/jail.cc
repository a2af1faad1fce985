#include "support/jail.h"

#include <cstdlib>
#include <ostream>

namespace immure::test {

std::string immure_path() {
  const char* path = std::getenv("IMMURE");
  return path != nullptr ? path : "";
}

std::string payload(const std::string& name) {
  const char* folder = std::getenv("IMMURE_PAYLOADS");
  return std::string(folder != nullptr ? folder : ".") + "/" + name;
}

Command immure_command(const std::vector<std::string>& words) { return Command({immure_path()}).args(words); }

std::ostream& operator<<(std::ostream& out, const Sight& sight) {
  return out << sight.action << ": " << sight.verdict << " " << sight.text;
}

const Sight& Sights::operator[](size_t index) const {
  static const Sight kNone;
  return index < all.size() ? all[index] : kNone;
}

std::ostream& operator<<(std::ostream& out, const Sights& sights) {
  out << "\nstatus " << sights.outcome.status << (sights.outcome.timed_out ? ", timed out" : "");
  return out << "\n--- output\n" << sights.outcome.out << "--- errors\n" << sights.outcome.err << "---\n";
}

Sights sights_of(const Outcome& outcome) {
  Sights sights;
  sights.outcome = outcome;
  for (std::string& line : lines_of(outcome.out)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    size_t space = std::min(line.find(' ', colon + 2), line.size());
    Sight sight{line.substr(0, colon), line.substr(colon + 2, space - colon - 2), {}};
    if (space < line.size()) sight.text = line.substr(space + 1);
    sights.all.push_back(std::move(sight));
  }
  return sights;
}

std::vector<std::string> probe_words(const Actions& actions) {
  std::vector<std::string> words;
  for (const std::vector<std::string>& action : actions) {
    if (!words.empty()) words.emplace_back(",");
    words.insert(words.end(), action.begin(), action.end());
  }
  return words;
}

Jail& Jail::option(std::string_view word) {
  options_.emplace_back(word);
  return *this;
}
Jail& Jail::options(const std::vector<std::string>& words) {
  options_.insert(options_.end(), words.begin(), words.end());
  return *this;
}

std::vector<std::string> Jail::run_words() const {
  static int count = 0;
  std::vector<std::string> words = {"run", "--name", name_mark() + std::to_string(++count), "--ro-bind",
                                    payload("") + ":" + kPayloadsInside};
  words.insert(words.end(), options_.begin(), options_.end());
  words.emplace_back("--");
  return words;
}

Command Jail::command(const std::vector<std::string>& words) const { return immure_command(run_words()).args(words); }
Command Jail::probe_command(const Actions& actions) const {
  std::vector<std::string> words = {std::string(kPayloadsInside) + "/probe"};
  for (std::string& word : probe_words(actions)) words.push_back(std::move(word));
  return command(words);
}
Sights Jail::probe(const Actions& actions) const { return sights_of(probe_command(actions).run()); }

Sights unjailed(const Actions& actions) {
  return sights_of(Command({payload("probe")}).args(probe_words(actions)).run());
}

std::string value_of(const std::string& text, const std::string& name) {
  const std::string padded = " " + text;
  size_t at = padded.find(" " + name + "=");
  if (at == std::string::npos) return "";
  size_t from = at + name.size() + 2;
  return padded.substr(from, std::min(padded.find(' ', from), padded.size()) - from);
}

void make_root(const TempDir& dir, const std::string& name) {
  for (const char* folder : {"bin", "dev", "etc", "proc", "tmp", "usr", "opt"}) dir.dir(name + "/" + folder);
  copy_file(payload("probe"), dir / (name + "/bin/probe"), 0755);
}

void JailTest::TearDown() {
  EXPECT_EQ(before_.since(), "") << "left on the host";
  before_.end_processes();
}

}  // namespace immure::test

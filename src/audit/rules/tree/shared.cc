#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {

const Tree& begin(const Facts& facts, Answers& answers, uint32_t marks) {
  const Tree& tree = *facts.tree;
  answers.checked();
  if (tree.unreadable != 0)
    answers.unknown(counted(tree.unreadable, "name", "names") + " could not be looked at, such as " +
                    tree.unreadable_example);
  // What fills the store with many names hides none behind them.
  if (tree.untold != 0)
    answers.unknown(num(tree.untold) +
                    " names that may matter are more than are kept: nobody looked at them");
  if ((marks & (kCapabilities | kAclOpens)) != 0 && tree.unasked != 0)
    answers.unknown("the attributes of " + counted(tree.unasked, "name", "names") + " could not be read");
  if ((marks & kSecret) != 0 && tree.unlooked != 0)
    answers.unknown(counted(tree.unlooked, "file", "files") + " could not be looked into");
  for (int bit = 0; bit < kMarkCount; ++bit)
    if ((marks >> bit & 1) != 0 && tree.marked[bit] > kMostOfAMark)
      answers.unknown("there are " + num(tree.marked[bit]) + ", of which " + num(kMostOfAMark) +
                      " were looked at");
  return tree;
}

std::string on_host(const Tree& tree, std::string_view inside) {
  std::string path = tree.path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (path == "/") path.clear();
  return inside == "/" ? (path.empty() ? "/" : path) : path.append(inside);
}

void found(Answers& answers, const Tree& tree, const Note& note, std::string evidence, std::string value) {
  answers.found(note.path, std::move(evidence), on_host(tree, note.path), std::move(value));
  if (S_ISREG(note.mode) && note.links > 1) answers.has_several_names();
}

void found(Answers& answers, Severity severity, const Tree& tree, const Note& note, std::string evidence,
           std::string value) {
  answers.found(severity, note.path, std::move(evidence), on_host(tree, note.path), std::move(value));
  if (S_ISREG(note.mode) && note.links > 1) answers.has_several_names();
}

std::string octal(uint32_t mode) {
  std::string text;
  for (uint32_t rest = mode & 07777; rest != 0; rest >>= 3)
    text.insert(text.begin(), static_cast<char>('0' + (rest & 7)));
  return "0" + text;
}

std::string mode_and_owner(const Note& note) {
  return "mode " + octal(note.mode) + ", owner " + num(note.uid) + ":" + num(note.gid);
}

std::string who_writes(const Tree& tree, const Note& note) {
  std::string who;
  auto add = [&who](const std::string& one) { who += (who.empty() ? "" : ", ") + one; };
  if (note.uid != 0 && note.uid != tree.keeper()) add("uid " + num(note.uid) + " owns it");
  if ((note.mode & 020) != 0 && note.gid != 0) add("group " + num(note.gid) + " may write");
  if ((note.mode & 02) != 0) add("everybody may write");
  return "mode " + octal(note.mode) + ": " + (who.empty() ? "others may write" : who);
}

bool is_distribution(const Tree& tree) { return tree.has(Known::PackageList); }

std::vector<std::string_view> lines_of(const KnownFile& file) {
  std::vector<std::string_view> lines;
  for (std::string_view line : split(file.text, '\n')) {
    line = trim(line);
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  }
  return lines;
}

std::string without_line(const KnownFile& file, std::string_view line) {
  // As the file has it, with the blanks around.
  const std::string_view text = file.text;
  const auto at = static_cast<size_t>(line.data() - text.data());
  const size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const size_t begin = before == std::string_view::npos ? 0 : before + 1;
  std::string out = "/^";
  for (char c : text.substr(begin, text.find('\n', at) - begin)) {
    if (std::string_view("\\.*[]^$/").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out + "$/d";
}

std::string_view column(std::string_view row, size_t index) {
  const auto parts = split(row, ':');
  return index < parts.size() ? parts[index] : std::string_view();
}

}  // namespace immure::audit

#include "audit/facts/shell_words.h"

#include <algorithm>

#include "base/text.h"

namespace immure::audit {
namespace {

class Splitter {
 public:
  explicit Splitter(std::string_view line) : line_(line) {}

  Result<std::vector<ShellWord>> split_line() {
    while (at_ < line_.size()) {
      const char one = line_[at_];
      if (one == ' ' || one == '\t') {
        finish();
        ++at_;
      } else if (one == '\n' || one == ';' || one == '&' || one == '|' || (one == '#' && !open_)) {
        break;
      } else if (one == '<' || one == '>') {
        IMMURE_TRY(redirection());
      } else if (one == '(' || one == ')') {
        finish();  // a subshell's bracket
        ++at_;
      } else {
        IMMURE_TRY(part());
      }
    }
    finish();
    return std::move(words_);
  }

 private:
  static tl::unexpected<Error> unended(const char* what) {
    return fail(Code::kBadValue, std::string(what) + " does not end", {},
                "give the command as one word, in quotes");
  }

  Status part() {
    open_ = true;
    const char one = line_[at_];
    if (one == '\'') return single();
    if (one == '"') return twice();
    if (one == '\\') {
      if (at_ + 1 < line_.size() && line_[at_ + 1] != '\n') word_.text += line_[at_ + 1];
      if (at_ + 1 < line_.size() && line_[at_ + 1] == '\n' && word_.text.empty()) open_ = false;
      at_ = std::min(at_ + 2, line_.size());
      return {};
    }
    if (one == '$' || one == '`') {
      word_.splits = true;
      return expansion();
    }
    if (one == '*' || one == '?' || (one == '~' && word_.text.empty())) word_.expands = true;
    word_.text += one;
    ++at_;
    return {};
  }

  Status single() {
    const size_t end = line_.find('\'', at_ + 1);
    if (end == std::string_view::npos) return unended("a quote");
    word_.text += line_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return {};
  }

  Status twice() {
    for (++at_; at_ < line_.size() && line_[at_] != '"';) {
      if (line_[at_] == '$' || line_[at_] == '`') {
        IMMURE_TRY(expansion());
        continue;
      }
      if (line_[at_] == '\\' && at_ + 1 < line_.size()) ++at_;
      word_.text += line_[at_++];
    }
    if (at_ >= line_.size()) return unended("a quote");
    ++at_;
    return {};
  }

  // $NAME, ${…}, $(…), `…`: kept as it is written.
  Status expansion() {
    const size_t from = at_;
    word_.expands = true;
    if (line_[at_] == '`') {
      at_ = line_.find('`', at_ + 1);
      if (at_ == std::string_view::npos) return unended("a command in the command");
      ++at_;
    } else if (++at_; at_ < line_.size() && (line_[at_] == '(' || line_[at_] == '{')) {
      const char opens = line_[at_], closes = opens == '(' ? ')' : '}';
      int depth = 0;
      do {
        if (at_ >= line_.size()) return unended("what the shell is to put in");
        if (line_[at_] == opens) ++depth;
        if (line_[at_] == closes) --depth;
        ++at_;
      } while (depth > 0);
    }
    word_.text += line_.substr(from, at_ - from);
    return {};
  }

  // "11< file", "2>&1", "< <(command)": the number before it is no word, and neither is what follows.
  Status redirection() {
    const bool number =
        std::all_of(word_.text.begin(), word_.text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number) drop();
    finish();
    while (at_ < line_.size() &&
           (line_[at_] == '<' || line_[at_] == '>' || line_[at_] == '&' || line_[at_] == ' '))
      ++at_;
    if (at_ < line_.size() && line_[at_] == '(') {
      int depth = 0;
      do {
        if (at_ >= line_.size()) return unended("what is redirected");
        if (line_[at_] == '(') ++depth;
        if (line_[at_] == ')') --depth;
        ++at_;
      } while (depth > 0);
      return {};
    }
    while (at_ < line_.size() && std::string_view(" \t\n;&|<>()").find(line_[at_]) == std::string_view::npos)
      IMMURE_TRY(part());
    drop();
    return {};
  }

  void drop() {
    word_ = {};
    open_ = false;
  }
  void finish() {
    if (open_) words_.push_back(std::move(word_));
    drop();
  }

  std::string_view line_;
  size_t at_ = 0;
  ShellWord word_;
  bool open_ = false;
  std::vector<ShellWord> words_;
};

}  // namespace

Result<std::vector<ShellWord>> shell_words(std::string_view line) { return Splitter(line).split_line(); }

}  // namespace immure::audit

// A question on the terminal: what it looks like, and what was typed for an answer. The program's output
// shares the terminal, so nothing on it is believed: what is shown comes from the kernel or passes
// printable(), the terminal is put right before, keys that were typed before are thrown away, and an answer
// takes a code that is in no other question.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kernel/ask_link.h"

namespace immure::cli {

// What is asked, in words. Pure but for /proc of the caller.
struct Asked {
  std::string call;     // "ptrace(PTRACE_ATTACH)": with the argument that decides
  std::string name;     // "ptrace": what --allow-syscall takes
  std::string does;     // a sentence of the registers
  std::string gives;    // what is given away
  std::string program;  // "python3.11"
  std::string path;     // of its file, as the kernel has it; empty: it has gone
  std::string words;    // its arguments, as it says itself: its memory, by /proc
};
Asked in_words(const AskMessage& question);

// Two digits that cannot be foreseen.
Result<std::string> fresh_code();

// The whole question, lines ended by CR LF: the terminal may be raw. Foreign text is cut to the window's
// width.
std::string question_text(const Asked& asked, const AskMessage& question, unsigned number,
                          std::string_view code, size_t columns);

enum class Typed { Once, Always, Deny, Never, End, Interrupt };
struct Keys {
  std::optional<Typed> answer;  // a letter and the code and nothing else, or Ctrl-C
  bool wrong = false;           // it will be no answer, whatever comes
};
// What the keys since the question come to.
Keys keys_of(std::string_view typed, std::string_view code);

}  // namespace immure::cli

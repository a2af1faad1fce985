#include "cli/ask_page.h"

#include <linux/audit.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/file.h"
#include "base/text.h"
#include "filter/filter.h"
#include "run/denied.h"
#include "run/denied_names.h"
#include "uapi/syscalls.h"
#include "watch/decode.h"

namespace immure::cli {
namespace {

constexpr char kInterrupt = 3;

// Ends what a program may have begun (a string, a sequence), and takes back what could hide the text:
// colours, character sets, margins, modes, colours of the palette. DECSTR and OSC 104, 110, 111 of xterm's
// control sequences.
constexpr std::string_view kPutRight =
    "\x18\x1b<\x18\x1b\\\x1b[4i\x1b[?4i\x1b%G"  // from VT52, out of what was begun, not to a printer, UTF-8
    "\x1b[!p\x1b[?5l\x1b[0m\x1b(B\x0f\x1b[r\x1b[?6l\x1b[?7h\x1b[?25h\x1b[4l\x1b[?69l"
    // keys as sequences, delayed drawing, mouse, focus, pasting
    "\x1b[=0u\x1b[>4m\x1b[?2026l\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?2004l"
    "\x1b_Ga=d,d=A\x1b\\\x1b[0$}\x1b[2l\x1b>\x1b[?1l"   // pictures (kitty), a status line, keys that are locked or others
    "\x1b]8;;\x1b\\\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b[999;1H";

// Of foreign text a line at most, in letters that take one place each: else it could bring lines of its own.
std::string shown(std::string_view text, size_t columns) {
  constexpr std::string_view kCut = "...";
  std::string out;
  for (char c : printable(text.substr(0, columns + 1))) out += c >= ' ' && c < 127 ? c : '?';
  if (out.size() <= columns && text.size() <= columns) return out;
  return out.substr(0, columns - std::min(columns, kCut.size())) + std::string(kCut);
}

filter::Arch arch_of(const AskMessage& question) {
  if (question.arch == AUDIT_ARCH_I386) return filter::Arch::I386;
  return (question.nr & uapi::kX32Bit) != 0 ? filter::Arch::X32 : filter::Arch::X86_64;
}

std::string sentence_of(const AskMessage& question) {
  CallRecord record{};
  record.size = sizeof record;
  record.stage = kStageEntered;
  record.arch = question.arch;
  record.nr = question.nr;
  record.pid = record.tid = question.pid;
  std::copy(std::begin(question.args), std::end(question.args), std::begin(record.args));
  uint8_t bytes[sizeof record];
  std::memcpy(bytes, &record, sizeof record);
  watch::Event event;
  return watch::decode(bytes, event) ? watch::sentence(event) : std::string();
}

}  // namespace

Asked in_words(const AskMessage& question) {
  Asked asked;
  run::DeniedCall call;
  call.arch = question.arch;
  call.number = question.nr;
  call.detail = run::call_detail(question.arch, question.nr, question.args);
  std::copy(std::begin(question.args), std::end(question.args), std::begin(call.args));
  asked.call = run::call_text(call);
  asked.name = filter::syscall_name(arch_of(question), question.nr);
  asked.does = sentence_of(question);
  if (const auto* row = filter::askable(asked.name, question.args)) asked.gives = row->gives;
  const std::string folder = "/proc/" + num_signed(question.pid);
  char path[PATH_MAX];
  const ssize_t n = readlink((folder + "/exe").c_str(), path, sizeof path);
  if (n > 0) asked.path.assign(path, static_cast<size_t>(n));
  const size_t slash = asked.path.rfind('/');
  asked.program = asked.path.empty() ? "a program" : asked.path.substr(slash + 1);
  std::string words = read_file(folder + "/cmdline", 4096).value_or("");
  while (words.ends_with('\0')) words.pop_back();
  std::replace(words.begin(), words.end(), '\0', ' ');
  asked.words = std::move(words);
  return asked;
}

Result<std::string> fresh_code() {
  uint8_t byte = 0;
  do {
    if (getrandom(&byte, 1, 0) != 1 && errno != EINTR)
      return fail(Code::kSystem, "no random number can be had", {}, {}, {}, errno);
  } while (byte >= 200);
  return std::string{static_cast<char>('0' + byte / 10 % 10), static_cast<char>('0' + byte % 10)};
}

std::string question_text(const Asked& asked, const AskMessage& question, unsigned number,
                          std::string_view code, size_t columns) {
  std::string registers;
  for (uint64_t value : question.args) registers += (registers.empty() ? "" : ", ") + hex(value);
  std::string text(kPutRight);
  auto line = [&](std::string_view label, std::string_view said) {
    if (said.empty()) return;
    text += "  ";
    text += label;
    text.append(label.size() < 9 ? 9 - label.size() : 1, ' ');
    text += said;
    text += "\r\n";
  };
  text += "\r\n\r\n== immure asks, question " + num(number) +
          (question.waiting == 0 ? "" : "; " + num(question.waiting) + " more wait") + " ==\r\n";
  constexpr size_t kLabel = 11, kLeast = 20;
  const size_t room = std::max(columns, kLabel + kLeast) - kLabel - 1;
  const std::string process = " (process " + num_signed(question.pid) + ")";
  line("wants", asked.call + ": a system call that the jail denies");
  line("does", shown(asked.does, room));
  line("with", asked.name + "(" + registers + ")");
  line("gives", asked.gives);
  line("who", shown(asked.program, room - std::min(room - 1, process.size())) + process);
  line("file", shown(asked.path, room));
  line("called", shown(asked.words, room));
  line("answer", "o" + std::string(code) + " once   a" + std::string(code) + " always   d" +
                     std::string(code) + " deny   n" + std::string(code) + " never   e" + std::string(code) +
                     " end the jail");
  return text + "  > ";
}

Keys keys_of(std::string_view typed, std::string_view code) {
  std::string plain;
  for (char key : typed) {
    if (key == kInterrupt) return {Typed::Interrupt, false};
    if (key == '\r' || key == '\n' || key == ' ') continue;
    if (key < '0' || key > 'z') return {{}, true};
    plain += key;
  }
  if (plain.size() <= code.size()) return {};
  if (plain.size() > 1 + code.size() || !plain.ends_with(code)) return {{}, true};
  switch (plain.front()) {
    case 'o': return {Typed::Once, false};
    case 'a': return {Typed::Always, false};
    case 'd': return {Typed::Deny, false};
    case 'n': return {Typed::Never, false};
    case 'e': return {Typed::End, false};
    default: return {{}, true};
  }
}

}  // namespace immure::cli

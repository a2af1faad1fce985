// An event in words.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>

#include "base/result.h"
#include "base/text.h"
#include "uapi/syscalls.h"
#include "watch/calls.h"
#include "watch/event.h"
#include "watch/names.h"

namespace immure::watch {
namespace {

constexpr size_t kMostShown = 400;  // of one text; the trace has all of it

std::string shown(std::string_view text) {
  if (text.size() <= kMostShown) return quoted(text);
  return quoted(text.substr(0, kMostShown)) + "…";
}

std::string words_shown(std::string_view words) {
  std::string out;
  for (size_t at = 0; at < words.size() && out.size() < kMostShown;) {
    const size_t end = std::min(words.find('\0', at), words.size());
    std::string_view word = words.substr(at, end - at);
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                            "_-./:=@%+,") == std::string_view::npos;
    out += (out.empty() ? "" : " ") + (plain && word.size() <= kMostShown ? std::string(word) : shown(word));
    at = end + 1;
    if (at < words.size() && out.size() >= kMostShown) out += " …";
  }
  return out;
}

std::string_view purpose(uint64_t flags) {
  if ((flags & O_PATH) != 0) return " as a place";
  switch (flags & O_ACCMODE) {
    case O_RDONLY: return " for reading";
    case O_WRONLY: return " for writing";
    default: return " for reading and writing";
  }
}

std::string open_details(const Event& event) {
  std::string out(purpose(event.flags));
  if ((event.flags & O_CREAT) != 0) out += ", made if missing";
  if ((event.flags & O_TRUNC) != 0) out += ", emptied";
  if ((event.flags & O_APPEND) != 0) out += ", at its end";
  return out;
}

std::string in_brackets(std::string text) { return text.empty() ? text : " (" + std::move(text) + ")"; }

std::string_view between(Action action) {
  switch (action) {
    case Action::Mount: return " at ";
    case Action::Pivot: return ", the old one at ";
    default: return " to ";
  }
}

std::string paths_of(const Event& event) {
  std::string out;
  if (!event.path.empty()) out += " " + shown(event.path);
  if (!event.second.empty())
    out += (event.path.empty() ? " " : std::string(between(event.action))) + shown(event.second);
  if (!event.resolved.empty() && event.resolved != event.path) out += " = " + shown(event.resolved);
  return out;
}

// Of a call that did not name one: by which descriptor it was reached.
std::string descriptor_of(const Event& event) {
  switch (event.action) {
    case Action::Read:
    case Action::Write:
    case Action::Control:
    case Action::Connect:
    case Action::Bind:
    case Action::Listen:
    case Action::Accept:
    case Action::Send:
    case Action::Receive:
    case Action::List:
    case Action::Enter:
    case Action::Truncate:
    case Action::ChangeMode:
    case Action::ChangeOwner:
    case Action::ChangeFolder:
      if (!event.path.empty()) return {};
      return " descriptor " + num_signed(static_cast<int32_t>(event.args[0]));
    default: return {};
  }
}

std::string details(const Event& event) {
  if (event.action == Action::Open || event.action == Action::OpenByHandle) return open_details(event);
  std::string out;
  if (event.action == Action::Exec && !event.words.empty()) return ": " + words_shown(event.words);
  if (!event.text.empty()) out += " " + shown(event.text);
  const std::string address = text_of(event.address);
  if (!address.empty() && event.action != Action::Socket)
    out += (event.action == Action::Bind ? " at " : " to ") + printable(address);
  if (event.other != 0) out += (event.action == Action::Kill ? " to " : " of ") + num_signed(event.other);
  return out + in_brackets(flags_text(event));
}

std::string outcome(const Event& event) {
  if (!event.result || event.verdict == Verdict::Done) return {};
  const int64_t result = *event.result;
  const std::string error =
      result < 0 && result >= -4095 ? errno_name(static_cast<int>(-result)) : num_signed(result);
  if (event.verdict == Verdict::Denied) return " → denied, " + error;
  // What the kernel says to itself when a signal comes: the program never sees these.
  if (result <= -512 && result >= -516) return " → interrupted";
  return " → " + error;
}

std::string of_process(const Event& event) {
  switch (event.action) {
    case Action::Born:
      if ((event.flags & CLONE_THREAD) != 0) return "thread " + num_signed(event.tid) + " begins";
      return "process begins, a child of " + num_signed(event.other);
    case Action::End: {
      const std::string how = end_text(event.result.value_or(-1));
      return how.empty() ? "process ends" : "process ends, " + how;
    }
    case Action::Lost: return num(event.flags) + " records could not be kept";
    case Action::LimitMet: return "limit met: " + printable(event.text);
    default: return {};
  }
}

}  // namespace

std::string call_name(const Event& event) {
  if (event.arch == 0) return event.action == Action::Kill ? "signal" : "";
  std::string_view name = name_of_call(event.arch, event.nr);
  std::string out;
  if (event.arch == AUDIT_ARCH_I386)
    out = "i386:";
  else if (event.arch != AUDIT_ARCH_X86_64)
    out = hex(event.arch) + ":";
  else if ((event.nr & uapi::kX32Bit) != 0)
    out = "x32:";
  return out + (name.empty() ? "call " + num(event.nr & ~uapi::kX32Bit) : std::string(name));
}

std::string sentence(const Event& event) {
  std::string out = of_process(event);
  if (!out.empty()) return out;
  out = call_name(event);
  if (event.action == Action::Counted) return out + " " + num(event.flags) + " times";
  if (out.empty()) out = key(event.action);
  out += paths_of(event) + descriptor_of(event) + details(event);
  if (event.unreadable) out += ", what it names could not be read";
  if (event.cut) out += ", cut";
  return out + outcome(event);
}

}  // namespace immure::watch

#include "watch/sources/audit_event.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace immure::watch {
namespace {

constexpr size_t kMostText = kMostItemBytes;

template <class T, class V>
void set(T& to, const std::optional<V>& value) {
  if (value) to = static_cast<T>(*value);
}

void append(std::string& to, uint64_t value, size_t size) {
  to.append(reinterpret_cast<const char*>(&value), size);
}

void take_call(std::string_view rest, AuditEvent& event) {
  if (event.call) return;  // the first is the kernel's
  event.call = true;
  for (AuditField field; next_field(rest, field);) {
    if (field.key == "arch") set(event.arch, hex_number(field.value));
    if (field.key == "syscall") set(event.nr, signed_number(field.value));
    if (field.key == "exit") {
      const auto result = signed_number(field.value);
      event.returned = result.has_value();
      set(event.result, result);
    }
    if (field.key.size() == 2 && field.key[0] == 'a' && field.key[1] >= '0' && field.key[1] <= '3')
      set(event.args[field.key[1] - '0'], hex_number(field.value));
    if (field.key == "pid") set(event.pid, signed_number(field.value));
    if (field.key == "ppid") set(event.ppid, signed_number(field.value));
    if (field.key == "exe") {
      if (auto text = untrusted_text(field)) event.program = text->substr(0, kMostText);
      return;  // what follows may be a label, which is of any form
    }
  }
}

void take_path(std::string_view rest, AuditEvent& event) {
  AuditPath path;
  bool named = false, parent = false;
  for (AuditField field; next_field(rest, field);) {
    if (field.key == "name" && !named) {
      named = true;
      if (auto text = untrusted_text(field)) path.name = text->substr(0, kMostText);
    }
    if (field.key == "nametype") {
      parent = field.value == "PARENT";
      path.unknown = field.value == "UNKNOWN";
    }
  }
  event.empty_path |= named && path.name.empty();
  if (parent || path.name.empty()) return;
  if (std::any_of(event.paths.begin(), event.paths.end(),
                  [&](const AuditPath& one) { return one.name == path.name; }))
    return;
  if (event.paths.size() >= AuditAssembler::kMostPaths)
    event.cut = true;
  else
    event.paths.push_back(std::move(path));
}

void end_word(AuditEvent& event) {
  if (!event.word_open) return;
  event.word_open = false;
  if (event.words.size() < kMostText)
    event.words += '\0';
  else
    event.words_cut = true;
}

// "a0", or "a0[1]" of a word that is told in parts. False: another field.
bool index_of(std::string_view key, uint64_t& word, uint64_t& part, bool& parts) {
  if (key.size() < 2 || key[0] != 'a') return false;
  key.remove_prefix(1);
  const size_t bracket = key.find('[');
  parts = bracket != std::string_view::npos;
  const auto number = signed_number(key.substr(0, bracket));
  if (!number || *number < 0) return false;
  word = static_cast<uint64_t>(*number);
  part = 0;
  if (!parts) return true;
  if (!key.ends_with(']')) return false;
  const auto which = signed_number(key.substr(bracket + 1, key.size() - bracket - 2));
  if (!which || *which < 0) return false;
  part = static_cast<uint64_t>(*which);
  return true;
}

void take_words(std::string_view rest, AuditEvent& event) {
  event.has_words = true;
  for (AuditField field; next_field(rest, field);) {
    uint64_t word = 0, part = 0;
    bool parts = false;
    if (!index_of(field.key, word, part, parts)) continue;
    const bool goes_on = parts && part > 0 && event.word_open && word + 1 == event.next_word;
    if (!goes_on) {
      end_word(event);
      if (word != event.next_word || part != 0) event.words_cut = true;
      event.next_word = word + 1;
    }
    const auto text = untrusted_text(field);
    if (!text) {
      event.words_cut = true;
      continue;
    }
    const size_t room = kMostText - std::min(event.words.size(), kMostText);
    if (text->size() > room) event.words_cut = true;
    if (!event.words_cut || event.words.empty()) event.words += text->substr(0, room);
    event.word_open = true;
    if (!parts) end_word(event);
  }
}

void take_capabilities(std::string_view rest, AuditEvent& event) {
  uint64_t effective = 0, permitted = 0, inheritable = 0;
  for (AuditField field; next_field(rest, field);) {
    if (field.key == "cap_pi") set(inheritable, hex_number(field.value));
    if (field.key == "cap_pp") set(permitted, hex_number(field.value));
    if (field.key == "cap_pe") set(effective, hex_number(field.value));
  }
  event.bytes.clear();
  for (int half = 0; half < 64; half += 32)
    for (uint64_t one : {effective, permitted, inheritable})
      append(event.bytes, one >> half & 0xffffffffU, 4);
}

void take_open_how(std::string_view rest, AuditEvent& event) {
  uint64_t flags = 0, mode = 0, resolve = 0;
  for (AuditField field; next_field(rest, field);) {
    if (field.key == "oflag") set(flags, octal_number(field.value));
    if (field.key == "mode") set(mode, octal_number(field.value));
    if (field.key == "resolve") set(resolve, hex_number(field.value));
  }
  event.bytes.clear();
  for (uint64_t one : {flags, mode, resolve}) append(event.bytes, one, 8);
}

void take_socket_words(std::string_view rest, AuditEvent& event) {
  constexpr size_t kMostWords = 6;
  event.bytes.clear();
  for (AuditField field; next_field(rest, field);)
    if (field.key.size() == 2 && field.key[0] == 'a' && event.bytes.size() < kMostWords * 4)
      append(event.bytes, hex_number(field.value).value_or(0) & 0xffffffffU, 4);
}

std::string text_of_field(std::string_view rest, std::string_view key) {
  for (AuditField field; next_field(rest, field);)
    if (field.key == key) return untrusted_text(field).value_or(std::string()).substr(0, kMostText);
  return {};
}

bool take_denied(std::string_view rest, AuditEvent& event) {
  event.what = AuditEvent::What::Denied;
  uint64_t action = 0;
  bool known = false;
  for (AuditField field; next_field(rest, field);) {
    if (field.key == "pid") set(event.pid, signed_number(field.value));
    if (field.key == "arch") set(event.arch, hex_number(field.value));
    if (field.key == "syscall") set(event.nr, signed_number(field.value));
    if (field.key == "code") {
      const auto code = hex_number(field.value);
      known = code.has_value();
      set(action, code);
    }
  }
  if (!known || event.pid <= 0) return false;
  switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ERRNO: event.result = -static_cast<int64_t>(action & SECCOMP_RET_DATA); return true;
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_TRAP: event.result = -ENOSYS; return true;
    default: return false;  // let through, or decided by somebody else
  }
}

bool take_fault(std::string_view rest, AuditEvent& event) {
  event.what = AuditEvent::What::Fault;
  for (AuditField field; next_field(rest, field);) {
    if (field.key == "pid") set(event.pid, signed_number(field.value));
    if (field.key == "sig") set(event.result, signed_number(field.value));
  }
  return event.pid > 0 && event.result > 0 && event.result < 128;
}

// What is an event of its own, and told at once. False: it makes no sense, or is nobody's.
bool take_single(uint16_t type, std::string_view rest, AuditEvent& event) {
  if (type == AUDIT_SECCOMP) return take_denied(rest, event);
  if (type == AUDIT_ANOM_ABEND) return take_fault(rest, event);
  if (rest.find("op=remove_rule") == std::string_view::npos) return false;
  event.what = AuditEvent::What::Removed;
  event.text = text_of_field(rest, "key");
  return true;
}

bool is_single(uint16_t type) {
  return type == AUDIT_SECCOMP || type == AUDIT_ANOM_ABEND || type == AUDIT_CONFIG_CHANGE;
}

bool is_part(uint16_t type) {
  switch (type) {
    case AUDIT_SYSCALL:
    case AUDIT_PATH:
    case AUDIT_SOCKETCALL:
    case AUDIT_SOCKADDR:
    case AUDIT_EXECVE:
    case AUDIT_CAPSET:
    case AUDIT_KERN_MODULE:
    case AUDIT_OPENAT2: return true;
    default: return false;
  }
}

void take_part(uint16_t type, std::string_view rest, AuditEvent& event) {
  switch (type) {
    case AUDIT_SYSCALL: take_call(rest, event); return;
    case AUDIT_PATH: take_path(rest, event); return;
    case AUDIT_EXECVE: take_words(rest, event); return;
    case AUDIT_SOCKADDR:
      event.address = text_of_field(rest, "saddr");
      event.has_address = !event.address.empty();
      return;
    case AUDIT_SOCKETCALL: take_socket_words(rest, event); return;
    case AUDIT_CAPSET: take_capabilities(rest, event); return;
    case AUDIT_OPENAT2: take_open_how(rest, event); return;
    case AUDIT_KERN_MODULE: event.text = text_of_field(rest, "name"); return;
    default: return;
  }
}

}  // namespace

void AuditAssembler::finish(AuditEvent& event, const Whole& whole) {
  end_word(event);
  // Without it there is nobody whose call it was: what a rule of somebody else's has left.
  if (event.call && event.pid > 0) whole(event);
}

void AuditAssembler::take(uint16_t type, std::string_view text, const Whole& whole) {
  std::string_view rest = text;
  const auto stamp = take_stamp(rest);
  if (!stamp) {
    broken_++;
    return;
  }
  if (is_single(type)) {
    AuditEvent event;
    event.stamp = *stamp;
    if (take_single(type, rest, event)) whole(event);
    return;
  }
  if (type == AUDIT_EOE) {
    const auto found = open_.find(stamp->serial);
    if (found == open_.end()) return;
    AuditEvent event = std::move(found->second.event);
    open_.erase(found);
    finish(event, whole);
    return;
  }
  if (!is_part(type)) return;
  auto found = open_.find(stamp->serial);
  if (found == open_.end()) {
    // The call is the first record of its event. Without it the others say nothing.
    if (type != AUDIT_SYSCALL) return;
    if (open_.size() >= kMostOpen) {
      const auto oldest = std::min_element(open_.begin(), open_.end(),
                                           [](const auto& a, const auto& b) { return a.first < b.first; });
      open_.erase(oldest);
      given_up_++;
    }
    found = open_.try_emplace(stamp->serial).first;
    found->second.event.stamp = *stamp;
  }
  found->second.old = false;
  take_part(type, rest, found->second.event);
}

void AuditAssembler::close_old(const Whole& whole) {
  std::vector<uint64_t> old;
  for (auto& [serial, one] : open_) {
    if (one.old) old.push_back(serial);
    one.old = true;
  }
  std::sort(old.begin(), old.end());
  for (uint64_t serial : old) {
    AuditEvent event = std::move(open_[serial].event);
    open_.erase(serial);
    finish(event, whole);
  }
}

// ---- as a record

bool audit_watched(const AuditEvent& event, Level level) {
  const CallRow* row = row_of(event.arch, event.nr);
  uint64_t args[6] = {event.args[0], event.args[1], event.args[2], event.args[3], 0, 0};
  if (row != nullptr && row->action == Action::Send && event.has_address) args[4] = 1;
  return watched(row, level, args);
}

namespace {

// Which of the row's paths the kernel has a name of its own for: the source of a mount is a text to it.
bool is_named(const CallRow& row, const Capture& capture) {
  return capture.kind == kItemPath && !(std::string_view(row.name) == "mount" && capture.argument == 0);
}

// What the call was given and audit does not tell, is said to be missing.
void put_missing(const AuditEvent& event, const Capture& capture, RecordWriter& writer) {
  if (capture.argument < std::size(event.args) && event.args[capture.argument] == 0) return;
  writer.item_written(capture.kind, capture.argument, kItemUnreadable, 0);
}

void put_paths(const AuditEvent& event, const CallRow& row, RecordWriter& writer) {
  const auto wanted = static_cast<size_t>(std::count_if(
      row.captures.begin(), row.captures.end(), [&](const Capture& one) { return is_named(row, one); }));
  std::vector<const AuditPath*> paths;
  for (const AuditPath& one : event.paths) paths.push_back(&one);
  // Names that a call of two paths never came to are listed with the second before the first; and of one
  // alone it is not said which it is. A call that succeeded was given the same one twice.
  if (wanted > 1 && paths.size() > 1 && paths[0]->unknown && paths[1]->unknown) {
    std::swap(paths[0], paths[1]);
    writer.head().marks = kMarkRacy;
  }
  if (wanted > 1 && paths.size() == 1) {
    if (event.returned && event.result == 0)
      paths.push_back(paths[0]);
    else
      writer.head().marks = kMarkRacy;
  }
  size_t next = 0;
  for (const Capture& capture : row.captures) {
    if (!is_named(row, capture)) continue;
    const size_t at = next++;
    if (at < paths.size())
      writer.item(kItemPath, capture.argument, paths[at]->name);
    else if (!event.empty_path)
      put_missing(event, capture, writer);
  }
}

void put_item(const AuditEvent& event, const CallRow& row, const Capture& capture, RecordWriter& writer) {
  const bool bytes = capture.kind == kItemBytes && !event.bytes.empty();
  if (capture.kind == kItemAddress && event.has_address)
    writer.item(kItemAddress, capture.argument, event.address);
  else if (bytes || (capture.kind == kItemText && !event.text.empty()))
    writer.item(capture.kind, capture.argument, bytes ? event.bytes : event.text);
  else if (!is_named(row, capture) && !(capture.kind == kItemWords && event.has_words))
    put_missing(event, capture, writer);
}

void put_items(const AuditEvent& event, const CallRow& row, RecordWriter& writer) {
  put_paths(event, row, writer);
  for (const Capture& capture : row.captures) put_item(event, row, capture, writer);
  // What socketcall(2) passes on.
  if (event.has_address && row.action == Action::Call) writer.item(kItemAddress, 255, event.address);
}

void put_words(const AuditEvent& event, RecordWriter& writer) {
  std::span<uint8_t> room = writer.item_room();
  const size_t length = std::min(event.words.size(), room.size());
  if (length > 0) std::memcpy(room.data(), event.words.data(), length);
  const bool cut = event.words_cut || length < event.words.size();
  writer.item_written(kItemWords, 1, cut ? kItemCut : kItemWhole, length);
}

}  // namespace

void write_audit_call(const AuditEvent& event, RecordWriter& writer) {
  CallRecord& head = writer.head();
  head.arch = event.arch;
  head.nr = event.nr;
  std::copy(std::begin(event.args), std::end(event.args), head.args);
  head.result = event.result;
  head.pid = head.tid = event.pid;
  // Everything that audit tells is the kernel's copy, which the call went on with.
  head.marks = event.what == AuditEvent::What::Denied ? kMarkDenied : kMarkSettled;
  head.stage = event.returned || event.what == AuditEvent::What::Denied ? kStageLeft : kStageEntered;
  const CallRow* row = row_of(event.arch, event.nr);
  if (row == nullptr) return;
  const bool exec = row->action == Action::Exec;
  if (exec && event.returned && event.result == 0) {
    head.stage = kStageChanged;
    if (event.has_words) put_words(event, writer);
    if (!event.program.empty()) writer.item(kItemExecutable, 255, event.program);
  }
  put_items(event, *row, writer);
}

}  // namespace immure::watch

#include "watch/trace/entry.h"

#include <algorithm>
#include <cstring>

namespace immure::watch {
namespace {

enum : uint8_t { kRecord = 0, kAlert = 1, kProcess = 2 };
// The first byte of a record holds its stage in the low half, and these.
constexpr unsigned kSameThread = 0x10, kResult = 0x20, kItems = 0x40, kSameArch = 0x80, kStage = 0x0f;

constexpr size_t padded(size_t length) { return (length + 7) & ~size_t{7}; }

void put_number(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
// Small numbers of either sign in few bytes.
void put_signed(std::string& out, int64_t value) {
  put_number(out, (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}
void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}
void put_byte(std::string& out, unsigned value) { out += static_cast<char>(value); }

// Takes from the beginning of what is left; after the first thing that is not there, everything is zero and
// good() is false.
class Taking {
 public:
  explicit Taking(std::string_view rest) : rest_(rest) {}
  bool good() const { return good_; }
  std::string_view rest() const { return rest_; }

  uint8_t byte() {
    std::string_view one = bytes(1);
    return one.empty() ? uint8_t{0} : static_cast<uint8_t>(one[0]);
  }
  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t next = byte();
      value |= uint64_t{next & 0x7fU} << shift;
      if ((next & 0x80) == 0) return value;
    }
    good_ = false;
    return 0;
  }
  int64_t signed_number() {
    const uint64_t value = number();
    return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  std::string_view bytes(uint64_t length) {
    if (!good_ || length > rest_.size()) {
      good_ = false;
      return {};
    }
    std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }
  std::string_view text() { return bytes(number()); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

void put_items(std::string& out, std::span<const uint8_t> items, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    CallItem item;
    std::memcpy(&item, items.data(), sizeof item);
    put_byte(out, item.kind);
    put_byte(out, item.argument);
    put_byte(out, item.state);
    put_text(out, {reinterpret_cast<const char*>(items.data()) + sizeof item, item.length});
    items = items.subspan(std::min(items.size(), sizeof item + padded(item.length)));
  }
}

// Whether `count` items are there, whole.
bool holds(std::span<const uint8_t> items, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    CallItem item;
    if (items.size() < sizeof item) return false;
    std::memcpy(&item, items.data(), sizeof item);
    if (item.length > kMostItemBytes || items.size() - sizeof item < item.length) return false;
    items = items.subspan(std::min(items.size(), sizeof item + padded(item.length)));
  }
  return true;
}

// Builds the items behind a record's head. The size of all, 0: they are none, or do not fit.
size_t take_items(Taking& from, std::span<uint8_t> room, unsigned count) {
  size_t size = sizeof(CallRecord);
  for (unsigned i = 0; i < count; ++i) {
    CallItem item{from.byte(), from.byte(), from.byte(), 0, 0};
    std::string_view bytes = from.text();
    item.length = static_cast<uint32_t>(bytes.size());
    const size_t whole = sizeof item + padded(bytes.size());
    if (!from.good() || bytes.size() > kMostItemBytes || whole > room.size() - size) return 0;
    std::memset(room.data() + size, 0, whole);
    std::memcpy(room.data() + size, &item, sizeof item);
    if (!bytes.empty()) std::memcpy(room.data() + size + sizeof item, bytes.data(), bytes.size());
    size += whole;
  }
  return size;
}

bool take_record(Taking& from, std::span<uint8_t> room, TraceContext& context, TraceEntry& entry) {
  CallRecord head{};
  const uint8_t first = from.byte();
  head.stage = first & kStage;
  head.marks = from.byte();
  if ((first & kSameArch) == 0) context.arch = static_cast<uint32_t>(from.number());
  if ((first & kSameThread) == 0) {
    context.pid = static_cast<int32_t>(from.number());
    context.tid = static_cast<int32_t>(from.number());
  }
  head.arch = context.arch;
  head.pid = context.pid;
  head.tid = context.tid;
  head.nr = static_cast<uint32_t>(from.number());
  context.time += static_cast<uint64_t>(from.signed_number());
  head.time = context.time;
  const uint8_t given = from.byte();
  for (unsigned i = 0; i < 6; ++i)
    if ((given >> i & 1) != 0) head.args[i] = from.number();
  if ((first & kResult) != 0) head.result = from.signed_number();
  if ((first & kItems) != 0) head.items = from.byte();
  const size_t size = take_items(from, room, head.items);
  if (!from.good() || size == 0) return false;
  head.size = static_cast<uint32_t>(size);
  std::memcpy(room.data(), &head, sizeof head);
  entry.what = TraceEntry::What::Record;
  entry.record = room.first(size);
  return true;
}

bool take_alert(Taking& from, TraceEntry& entry) {
  entry.what = TraceEntry::What::Alert;
  TracedAlert& alert = entry.alert;
  alert.detector = from.text();
  const uint8_t severity = from.byte();
  alert.severity = static_cast<Severity>(severity);
  alert.stopped = from.byte() != 0;
  alert.time = from.number();
  alert.pid = static_cast<int32_t>(from.number());
  alert.repeats = from.number();
  alert.technique = from.text();
  alert.why = from.text();
  alert.events.clear();
  const uint64_t events = from.number();
  if (!from.good() || severity > static_cast<uint8_t>(Severity::Critical) || events > Alert::kMostEvents)
    return false;
  for (uint64_t i = 0; i < events; ++i) alert.events.push_back(from.number());
  return from.good();
}

bool take_process(Taking& from, TraceEntry& entry) {
  entry.what = TraceEntry::What::Process;
  Process& process = entry.process;
  process = {};
  process.pid = static_cast<int32_t>(from.number());
  process.parent = static_cast<int32_t>(from.number());
  process.began = from.number();
  process.uid = static_cast<uint32_t>(from.number());
  process.first = from.byte() != 0;
  process.program = from.text();
  process.words = from.text();
  return from.good();
}

}  // namespace

bool put_record(std::string& out, std::span<const uint8_t> record, TraceContext& context) {
  CallRecord head;
  if (record.size() < sizeof head || record.size() > kMostRecord) return false;
  std::memcpy(&head, record.data(), sizeof head);
  const std::span<const uint8_t> items = record.subspan(sizeof head);
  if (head.stage > kStage || !holds(items, head.items)) return false;
  const bool same_thread = head.pid == context.pid && head.tid == context.tid;
  const bool same_arch = head.arch == context.arch;
  put_byte(out, kRecord);
  put_byte(out, head.stage | (same_thread ? kSameThread : 0U) | (head.result != 0 ? kResult : 0U) |
                    (head.items != 0 ? kItems : 0U) | (same_arch ? kSameArch : 0U));
  put_byte(out, head.marks);
  if (!same_arch) put_number(out, head.arch);
  if (!same_thread) {
    put_number(out, static_cast<uint32_t>(head.pid));
    put_number(out, static_cast<uint32_t>(head.tid));
  }
  put_number(out, head.nr);
  put_signed(out, static_cast<int64_t>(head.time - context.time));
  unsigned given = 0;
  for (unsigned i = 0; i < 6; ++i) given |= (head.args[i] != 0 ? 1U : 0U) << i;
  put_byte(out, given);
  for (uint64_t argument : head.args)
    if (argument != 0) put_number(out, argument);
  if (head.result != 0) put_signed(out, head.result);
  if (head.items != 0) {
    put_byte(out, head.items);
    put_items(out, items, head.items);
  }
  context = {head.arch, head.pid, head.tid, head.time};
  return true;
}

void put_alert(std::string& out, const Alert& alert) {
  put_byte(out, kAlert);
  put_text(out, alert.detector != nullptr ? alert.detector->id : "");
  put_byte(out, static_cast<unsigned>(alert.severity));
  put_byte(out, alert.stopped ? 1 : 0);
  put_number(out, alert.time);
  put_number(out, static_cast<uint32_t>(alert.pid));
  put_number(out, alert.repeats);
  put_text(out, alert.technique);
  put_text(out, alert.why);
  const size_t events = std::min(alert.events.size(), Alert::kMostEvents);
  put_number(out, events);
  for (size_t i = 0; i < events; ++i) put_number(out, alert.events[i]);
}

void put_process(std::string& out, const Process& process) {
  put_byte(out, kProcess);
  put_number(out, static_cast<uint32_t>(process.pid));
  put_number(out, static_cast<uint32_t>(process.parent));
  put_number(out, process.began);
  put_number(out, process.uid);
  put_byte(out, process.first ? 1 : 0);
  put_text(out, process.program);
  put_text(out, process.words);
}

bool take_entry(std::string_view& rest, std::span<uint8_t> room, TraceContext& context, TraceEntry& entry) {
  Taking from(rest);
  const uint8_t kind = from.byte();
  if (!from.good()) return false;
  bool taken = false;
  if (kind == kRecord) taken = take_record(from, room, context, entry);
  if (kind == kAlert) taken = take_alert(from, entry);
  if (kind == kProcess) taken = take_process(from, entry);
  rest = from.rest();
  return taken;
}

}  // namespace immure::watch

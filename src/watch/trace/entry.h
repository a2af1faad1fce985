// What a trace holds: records as they came, alerts, and the processes that were there before; and how each is
// written in few bytes. Pure. Whatever bytes are read back, nothing is read or written beyond them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/call_record.h"
#include "watch/detect/detector.h"
#include "watch/world.h"

namespace immure::watch {

// An alert as it was when it was written: its detector may be unknown to who reads it.
struct TracedAlert {
  std::string detector;
  Severity severity = Severity::Medium;
  uint64_t time = 0;
  int32_t pid = 0;
  bool stopped = false;
  uint64_t repeats = 0;
  std::string technique, why;
  std::vector<uint64_t> events;
};

struct TraceEntry {
  enum class What : uint8_t { Record, Alert, Process } what = What::Record;
  std::span<const uint8_t> record;  // in the reader's memory, until the next entry is read
  uint64_t number = 0;              // of the record: Event::number
  TracedAlert alert;
  Process process;
};

// What a record is written as a difference from. One for each block of a trace, on both sides.
struct TraceContext {
  uint32_t arch = 0;
  int32_t pid = 0, tid = 0;
  uint64_t time = 0;
};

// Behind what `out` has. False: these bytes are no record (decode.h), and nothing was added.
bool put_record(std::string& out, std::span<const uint8_t> record, TraceContext& context);
void put_alert(std::string& out, const Alert& alert);
void put_process(std::string& out, const Process& process);

// Takes one entry off the beginning of `rest`. A record is built in `room`, of kMostRecord bytes at least and
// aligned as a CallRecord is; `entry.number` is left alone. False: these bytes are no entry.
bool take_entry(std::string_view& rest, std::span<uint8_t> room, TraceContext& context, TraceEntry& entry);

}  // namespace immure::watch

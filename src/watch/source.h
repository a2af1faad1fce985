// Where records come from: one interface over what the kernel offers. A session drains sources, and asks none
// of them what it is.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "watch/calls.h"

namespace immure::watch {

// Takes one record (kernel/call_record.h). Its bytes are gone afterwards.
class Taker {
 public:
  virtual ~Taker() = default;
  virtual void take(std::span<const uint8_t> record) = 0;
};

// What is to be watched.
struct Target {
  std::string shown;           // as the user said it: "jail web", "pid 4711"
  std::vector<int32_t> roots;  // processes whose descendants are watched as well
  int32_t init = 0;            // pid 1 of the jail; 0: no pid namespace of its own
  bool everything = false;     // every process but the watcher and its own
  // Of a jail of immure's that is made for the watch: its filter stops what is watched for a tracer
  // (RET_TRACE), and it ends when the watcher does.
  bool stops_for_tracer = false, ends_with_watcher = false;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual std::string_view name() const = 0;  // "ebpf"
  // A descriptor that is readable when there is something to drain; -1: drain on a timer.
  virtual int descriptor() const = 0;
  // Hands over what there is, and never waits. False: it has ended.
  virtual Result<bool> drain(Taker& taker) = 0;
  // Whether drain() says that it has ended when nobody is left who is watched: then what they did last is
  // waited for.
  virtual bool ends_with_target() const { return false; }
  // Records that were not kept since the start. They are also told in the stream (kStageLost), where known
  // when.
  virtual uint64_t lost() const = 0;
};

// A kind of source, as a row of a const table: whether it can be had, and what it costs.
struct SourceKind {
  const char* name;   // "ebpf", "notify", "ptrace", "audit"
  const char* sees;   // one line
  const char* costs;  // one line, measured; docs/watch.md
  // An error says what is missing and what to do.
  Status (*available)();
  // Attaches to processes that run. Null: only `immure run --watch` can.
  Result<std::unique_ptr<Source>> (*attach)(const Target& target, Level level) = nullptr;
};
std::span<const SourceKind> source_kinds();  // the cheapest first that sees most

}  // namespace immure::watch

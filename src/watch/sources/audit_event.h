// Events of the kernel's audit, put together from their records, and written down as what every source writes
// (kernel/call_record.h). Records of calls that end at the same time come in any order between each other.
// Pure and bounded, whatever is taken: no more than kMostOpen events are open at a time, no more than
// kMostPaths paths and kMostItemBytes of arguments are kept of one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/call_record.h"
#include "watch/calls.h"
#include "watch/sources/audit_text.h"
#include "watch/sources/record_writer.h"

namespace immure::watch {

struct AuditPath {
  std::string name;      // as the caller wrote it
  bool unknown = false;  // the call never came to it
};

struct AuditEvent {
  enum class What : uint8_t {
    Call,     // a call that returned, or one that never does
    Denied,   // by a filter that logs what it denies
    Fault,    // a signal ended the process: `result`
    Removed,  // a rule was taken away: `text` is its key
  };
  What what = What::Call;
  AuditStamp stamp;
  bool call = false, returned = false, cut = false;
  uint32_t arch = 0, nr = 0;
  uint64_t args[4] = {};  // the kernel tells no more of them
  int64_t result = 0;
  int32_t pid = 0, ppid = 0;
  std::string program;  // of who made the call; after an exec, the one that runs now
  std::vector<AuditPath> paths;
  bool empty_path = false;  // the descriptor itself was meant
  std::string words;
  bool has_words = false, word_open = false, words_cut = false;
  uint64_t next_word = 0;
  bool has_address = false;
  std::string address;  // a struct sockaddr
  std::string bytes;    // the struct that the call took, where the kernel tells it
  std::string text;
};

class AuditAssembler {
 public:
  static constexpr size_t kMostOpen = 1024, kMostPaths = 16;
  using Whole = std::function<void(AuditEvent&)>;
  // One record: its number (linux/audit.h) and text.
  void take(uint16_t type, std::string_view text, const Whole& whole);
  // What has been open since before the last call of this is taken to be whole: an administrator's rules can
  // keep back the record that ends an event.
  void close_old(const Whole& whole);
  size_t open() const { return open_.size(); }
  uint64_t broken() const { return broken_; }  // records that made no sense
  // Events that were given up, unfinished, since more were open than are kept.
  uint64_t given_up() const { return given_up_; }

 private:
  struct Open {
    AuditEvent event;
    bool old = false;
  };
  void finish(AuditEvent& event, const Whole& whole);
  std::unordered_map<uint64_t, Open> open_;
  uint64_t broken_ = 0, given_up_ = 0;
};

// Whether the call is one of the level's. Audit has four arguments: what depends on another is decided by
// what else it tells.
bool audit_watched(const AuditEvent& event, Level level);
// A call, or what a filter denied, as its row wants it: with paths, words, addresses as the kernel took them.
void write_audit_call(const AuditEvent& event, RecordWriter& writer);

}  // namespace immure::watch

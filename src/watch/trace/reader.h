// Reads a trace, and never believes it: whoever may write the file may write anything.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "base/fd.h"
#include "watch/trace/entry.h"
#include "watch/trace/file.h"

namespace immure::watch {

// In what state the file was found, known when all of it was read.
enum class TraceEnd : uint8_t {
  Reading,  // there may be more
  Ended,    // it has its last block
  Open,     // it has none: its writer runs, or was killed, or the file was cut there
  Torn,     // it ends within a block: likewise; what is before it is whole
  Broken,   // a seal does not fit: from here on nothing is believed, nothing is read
};

// Memory is bounded, whatever the file says. Not thread-safe.
class TraceReader {
 public:
  // kBadValue: no trace, another version. The file may be a pipe.
  static Result<std::unique_ptr<TraceReader>> open(const std::string& path);
  static Result<std::unique_ptr<TraceReader>> read(UniqueFd file, std::string shown_as);
  ~TraceReader();

  const TraceHead& head() const { return head_; }
  // The next entry, valid until the next call. False: no more; end() says why.
  Result<bool> next(TraceEntry& entry);
  TraceEnd end() const { return end_; }
  uint64_t broken_at() const { return block_at_; }  // byte of the file at which the block that is read begins
  const Digest& digest() const { return digest_; }  // of the last block that was whole

 private:
  struct Unpacker;  // zstd's
  TraceReader(UniqueFd file, std::string shown_as);
  Result<bool> next_block();
  Result<size_t> fill(std::string& into, size_t wanted);  // fewer at the file's end

  UniqueFd file_;
  std::string shown_as_;
  TraceHead head_;
  std::unique_ptr<Unpacker> unpacker_;
  std::string packed_, ahead_;
  std::string_view rest_;  // of the unpacked block
  TraceContext context_;
  uint64_t number_ = 0, at_ = 0, block_at_ = 0;
  Digest digest_{};
  TraceEnd end_ = TraceEnd::Reading;
  alignas(CallRecord) std::array<uint8_t, kMostRecord> room_;
};

}  // namespace immure::watch
